#include "common/domain/money.h"
#include "tests/unit/random.h"
#include "tests/unit/suites.h"

/* What an output holds before the call, so that a failure can be seen to have left it alone. */
static const int64_t UNTOUCHED = 4711;

struct sum_case {
    int64_t a, b;
    enum err err;
    int64_t result;
};

static const struct sum_case additions[] = {
    {0, 0, OK, 0},
    {1, 2, OK, 3},
    {-1, 1, OK, 0},
    {-5, -6, OK, -11},
    {INT64_MAX, 0, OK, INT64_MAX},
    {INT64_MAX - 1, 1, OK, INT64_MAX},
    {INT64_MAX, 1, ERR_OVERFLOW, 0},
    {1, INT64_MAX, ERR_OVERFLOW, 0},
    {INT64_MAX, INT64_MAX, ERR_OVERFLOW, 0},
    {INT64_MAX, INT64_MIN, OK, -1},
    {INT64_MIN, INT64_MAX, OK, -1},
    {INT64_MIN, 0, OK, INT64_MIN},
    {INT64_MIN + 1, -1, OK, INT64_MIN},
    {INT64_MIN, -1, ERR_OVERFLOW, 0},
    {-1, INT64_MIN, ERR_OVERFLOW, 0},
    {INT64_MIN, INT64_MIN, ERR_OVERFLOW, 0},
};

static const struct sum_case subtractions[] = {
    {0, 0, OK, 0},
    {3, 2, OK, 1},
    {2, 3, OK, -1},
    {-5, -6, OK, 1},
    {INT64_MAX, 0, OK, INT64_MAX},
    {INT64_MAX, INT64_MAX, OK, 0},
    {INT64_MAX - 1, -1, OK, INT64_MAX},
    {INT64_MAX, -1, ERR_OVERFLOW, 0},
    {INT64_MAX, INT64_MIN, ERR_OVERFLOW, 0},
    {0, INT64_MAX, OK, -INT64_MAX},
    {-1, INT64_MAX, OK, INT64_MIN},
    {-2, INT64_MAX, ERR_OVERFLOW, 0},
    {0, INT64_MIN, ERR_OVERFLOW, 0},
    {-1, INT64_MIN, OK, INT64_MAX},
    {INT64_MIN, INT64_MIN, OK, 0},
    {INT64_MIN, 0, OK, INT64_MIN},
    {INT64_MIN, 1, ERR_OVERFLOW, 0},
    {INT64_MIN, INT64_MAX, ERR_OVERFLOW, 0},
};

static void check_sum(const struct sum_case *c, enum err err, int64_t result)
{
    ck_assert_int_eq(err, c->err);
    ck_assert_int_eq(result, c->err == OK ? c->result : UNTOUCHED);
}

START_TEST(a_sum_is_exact_or_an_overflow)
{
    const struct sum_case *c = &additions[_i];
    int64_t result = UNTOUCHED;
    enum err err = money_add(c->a, c->b, &result);
    check_sum(c, err, result);
}
END_TEST

START_TEST(a_difference_is_exact_or_an_overflow)
{
    const struct sum_case *c = &subtractions[_i];
    int64_t result = UNTOUCHED;
    enum err err = money_subtract(c->a, c->b, &result);
    check_sum(c, err, result);
}
END_TEST

START_TEST(the_result_may_be_one_of_the_operands)
{
    int64_t total = 40;
    ck_assert_int_eq(money_add(total, 2, &total), OK);
    ck_assert_int_eq(total, 42);
    ck_assert_int_eq(money_subtract(total, 50, &total), OK);
    ck_assert_int_eq(total, -8);
}
END_TEST

struct parse_case {
    const char *text;
    enum err err;
    int64_t micros;
};

static const struct parse_case parse_cases[] = {
    {"0", OK, 0},
    {"-0", OK, 0},
    {"0.0", OK, 0},
    {"-0.000000", OK, 0},
    {"1", OK, 1000000},
    {"1.0", OK, 1000000},
    {"1.1", OK, 1100000},
    {"-1.5", OK, -1500000},
    {"0.000001", OK, 1},
    {"-0.000001", OK, -1},
    {"0.100000", OK, 100000},
    {"0.010", OK, 10000},
    {"007", OK, 7000000},
    {"0000000000000000000000000000000000000000000000000000001.5", OK, 1500000},
    {"540005", OK, 540005000000},
    {"100001.1", OK, 100001100000},
    {"123456.789012", OK, 123456789012},
    /* the ends of the range */
    {"9223372036854.775807", OK, INT64_MAX},
    {"-9223372036854.775807", OK, -INT64_MAX},
    {"-9223372036854.775808", OK, INT64_MIN},
    {"9223372036854", OK, 9223372036854000000},
    {"9223372036854.775808", ERR_OVERFLOW, 0},
    {"-9223372036854.775809", ERR_OVERFLOW, 0},
    {"9223372036855", ERR_OVERFLOW, 0},
    {"-9223372036855", ERR_OVERFLOW, 0},
    {"18446744073709.551615", ERR_OVERFLOW, 0},
    {"18446744073709.551616", ERR_OVERFLOW, 0}, /* 2^64: zero, were it to wrap */
    {"-18446744073709.551616", ERR_OVERFLOW, 0},
    {"18446744073709.551617", ERR_OVERFLOW, 0},
    {"18446744073709551616", ERR_OVERFLOW, 0},
    {"340282366920938463463374607431768.211456", ERR_OVERFLOW, 0}, /* 2^128 */
    {"340282366920938463463374607431768.211457", ERR_OVERFLOW, 0},
    {"99999999999999999999999999999999999999999999999999999999999999999999.9", ERR_OVERFLOW, 0},
    {"-100000000000000000000000000000000000000000000000000000000000000000", ERR_OVERFLOW, 0},
    /* no amounts */
    {"", ERR_INVALID, 0},
    {"-", ERR_INVALID, 0},
    {".", ERR_INVALID, 0},
    {"-.", ERR_INVALID, 0},
    {"+1", ERR_INVALID, 0},
    {"--1", ERR_INVALID, 0},
    {"1-", ERR_INVALID, 0},
    {".5", ERR_INVALID, 0},
    {"-.5", ERR_INVALID, 0},
    {"1.", ERR_INVALID, 0},
    {"1..5", ERR_INVALID, 0},
    {"1.5.0", ERR_INVALID, 0},
    {"1.-5", ERR_INVALID, 0},
    {"1,5", ERR_INVALID, 0},
    {"1,000", ERR_INVALID, 0},
    {"1_000", ERR_INVALID, 0},
    {" 1", ERR_INVALID, 0},
    {"1 ", ERR_INVALID, 0},
    {"1 .5", ERR_INVALID, 0},
    {"- 1", ERR_INVALID, 0},
    {"1\n", ERR_INVALID, 0},
    {"1e3", ERR_INVALID, 0},
    {"1.5E3", ERR_INVALID, 0},
    {"0x10", ERR_INVALID, 0},
    {"1.5a", ERR_INVALID, 0},
    {"a1.5", ERR_INVALID, 0},
    {"nan", ERR_INVALID, 0},
    {"inf", ERR_INVALID, 0},
    {"１", ERR_INVALID, 0},
    {"₩1", ERR_INVALID, 0},
    {"0.0000001", ERR_INVALID, 0},
    {"1.0000000", ERR_INVALID, 0}, /* seven decimals, even if the last one is a zero */
    {"0.00000000000000000000000000000000000000000000000000000000000000001", ERR_INVALID, 0},
    {"99999999999999999999999999999999999x", ERR_INVALID,
     0}, /* ill-formed comes before too large */
    {"99999999999999999999999999999999999.1234567", ERR_INVALID, 0},
};

START_TEST(amounts_are_read_exactly_or_refused)
{
    const struct parse_case *c = &parse_cases[_i];
    int64_t micros = UNTOUCHED;
    ck_assert_msg(money_parse(c->text, &micros) == c->err, "\"%s\"", c->text);
    ck_assert_int_eq(micros, c->err == OK ? c->micros : UNTOUCHED);
}
END_TEST

struct format_case {
    int64_t micros;
    int decimals;
    const char *text;
};

static const struct format_case format_cases[] = {
    {0, 0, "0"},
    {0, 2, "0.00"},
    {0, 6, "0.000000"},
    {1, 0, "0.000001"},
    {1, 6, "0.000001"},
    {-1, 0, "-0.000001"},
    {-1, 3, "-0.000001"},
    {10, 0, "0.00001"},
    {100000, 0, "0.1"},
    {100000, 1, "0.1"},
    {100000, 2, "0.10"},
    {999999, 0, "0.999999"},
    {1000000, 0, "1"},
    {1000000, 1, "1.0"},
    {1000001, 0, "1.000001"},
    {1500000, 0, "1.5"},
    {-1500000, 0, "-1.5"},
    {-1500000, 2, "-1.50"},
    {1050000, 1, "1.05"},
    {540005000000, 0, "540005"},
    {540005000000, 2, "540005.00"},
    {100001100000, 0, "100001.1"},
    {100001100000, 2, "100001.10"},
    {10000000, 0, "10"}, /* the zeros of the units stay */
    {INT64_MAX, 0, "9223372036854.775807"},
    {INT64_MAX, 6, "9223372036854.775807"},
    {INT64_MIN, 0, "-9223372036854.775808"},
    {INT64_MIN, 6, "-9223372036854.775808"},
    {9223372036854000000, 0, "9223372036854"},
    {-9223372036854000000, 6, "-9223372036854.000000"},
};

START_TEST(amounts_are_written_with_as_many_decimals_as_needed)
{
    const struct format_case *c = &format_cases[_i];
    char text[MONEY_TEXT];
    money_format(c->micros, c->decimals, text);
    ck_assert_str_eq(text, c->text);
}
END_TEST

static void check_round_trip(int64_t micros, int decimals)
{
    char text[MONEY_TEXT];
    int64_t back = 0;
    money_format(micros, decimals, text);
    bool good = money_parse(text, &back) == OK && back == micros;
    if (!good) ck_abort_msg("%lld micros with %d decimals: %s", (long long)micros, decimals, text);
}

START_TEST(what_is_written_reads_back_as_the_same_amount)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1000001, -1000000, -999999,  -1, 0,
                                    1,         999999,        1000000,  1000001,  INT64_MAX};
    struct random random = {.state = 20261122};
    for (int decimals = 0; decimals <= MONEY_DECIMALS; decimals++) {
        for (size_t i = 0; i < COUNT_OF(edges); i++)
            check_round_trip(edges[i], decimals);
        for (int i = 0; i < 20000; i++) {
            int64_t wide = (int64_t)random_next(&random);
            int64_t zeros = random_between(&random, 0, 18);
            int64_t power = 1;
            for (int64_t z = 0; z < zeros; z++)
                power *= 10;
            check_round_trip(wide, decimals);
            check_round_trip(wide / power, decimals);
            check_round_trip(wide / power * power, decimals);
        }
    }
}
END_TEST

Suite *test_money_suite(void)
{
    Suite *suite = suite_create("money");

    TCase *sums = tcase_create("sums");
    tcase_add_loop_test(sums, a_sum_is_exact_or_an_overflow, 0, COUNT_OF(additions));
    tcase_add_loop_test(sums, a_difference_is_exact_or_an_overflow, 0, COUNT_OF(subtractions));
    tcase_add_test(sums, the_result_may_be_one_of_the_operands);
    suite_add_tcase(suite, sums);

    TCase *text = tcase_create("text");
    tcase_set_timeout(text, 60);
    tcase_add_loop_test(text, amounts_are_read_exactly_or_refused, 0, COUNT_OF(parse_cases));
    tcase_add_loop_test(text, amounts_are_written_with_as_many_decimals_as_needed, 0,
                        COUNT_OF(format_cases));
    tcase_add_test(text, what_is_written_reads_back_as_the_same_amount);
    suite_add_tcase(suite, text);
    return suite;
}
