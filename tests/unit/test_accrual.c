#include "common/domain/accrual.h"
#include "tests/unit/random.h"
#include "tests/unit/suites.h"

static const struct tier_table content =
    {.tiers = {{0, 1000000}, {100000, 1100000}, {500001, 1300000}, {1000001, 1500000}}, .count = 4};
static const struct tier_table advertisement =
    {.tiers = {{0, 10000000}, {100000, 12000000}, {500001, 15000000}, {1000001, 20000000}},
     .count = 4};
static const struct tier_table one_micro = {.tiers = {{0, 1}}, .count = 1};
static const struct tier_table dearest = {.tiers = {{0, INT64_MAX}}, .count = 1};

struct day_case {
    const struct tier_table *rates;
    int64_t views_before, views_now, total_before;
    enum err err;
    int64_t amount, total;
};

static const struct day_case day_cases[] = {
    /* the first day: nothing before */
    {&content, 0, 0, 0, OK, 0, 0},
    {&content, 0, 1, 0, OK, 1000000, 1000000},
    {&content, 0, 100000, 0, OK, 100000000000, 100000000000},
    {&content, 0, 100001, 0, OK, 100001100000, 100001100000},
    {&content, 0, 500004, 0, OK, 540005000000, 540005000000},
    {&advertisement, 0, 500004, 0, OK, 5800057000000, 5800057000000},
    /* a day over a boundary is paid in parts */
    {&content, 99999, 100001, 99999000000, OK, 2100000, 100001100000},
    {&content, 500000, 500004, 540000000000, OK, 5000000, 540005000000},
    {&content, 1000000, 1000002, 1189999800000, OK, 2800000, 1190002600000},
    {&content, 0, 1000002, 0, OK, 1190002600000, 1190002600000},
    {&advertisement, 500000, 500002, 5800000000000, OK, 27000000, 5800027000000},
    {&advertisement, 1000000, 1000002, 13299997000000, OK, 35000000, 13300032000000},
    /* a day without views */
    {&content, 500004, 500004, 540005000000, OK, 0, 540005000000},
    /* views were taken back: so is the money, and never less of it than that */
    {&content, 100002, 99999, 100002200000, OK, -3200000, 99999000000},
    {&content, 100002, 99999, 1000000, OK, -3200000, -2200000},
    {&content, 10, 0, 10000000, OK, -10000000, 0},
    {&content, 10, 0, 0, OK, -10000000, -10000000},
    /* what was settled at other rates stays as it is */
    {&advertisement, 1000, 1001, 1000000000, OK, 10000000, 1010000000},
    {&content, 1000, 1001, 10000000000, OK, 1000000, 10001000000},
    /* the ends of the range */
    {&one_micro, 0, INT64_MAX, 0, OK, INT64_MAX, INT64_MAX},
    {&one_micro, INT64_MAX, 0, INT64_MAX, OK, -INT64_MAX, 0},
    {&one_micro, INT64_MAX, 0, -1, OK, -INT64_MAX, INT64_MIN},
    {&one_micro, 0, 1, INT64_MAX - 1, OK, 1, INT64_MAX},
    {&one_micro, 0, INT64_MAX, INT64_MIN, OK, INT64_MAX, -1},
    {&one_micro, 0, 1, INT64_MAX, ERR_OVERFLOW, 0, 0},
    {&one_micro, 1, 0, INT64_MIN, ERR_OVERFLOW, 0, 0},
    {&one_micro, INT64_MAX, 0, -2, ERR_OVERFLOW, 0, 0},
    {&one_micro, 0, INT64_MAX, 1, ERR_OVERFLOW, 0, 0},
    {&dearest, 0, 1, 0, OK, INT64_MAX, INT64_MAX},
    {&dearest, 0, 2, 0, ERR_OVERFLOW, 0, 0},
    {&dearest, 2, 0, 0, ERR_OVERFLOW, 0, 0},
    {&dearest, 2, 3, 0, ERR_OVERFLOW, 0, 0},
    {&content, 0, INT64_MAX, 0, ERR_OVERFLOW, 0, 0},
    /* no count of logs is negative */
    {&content, -1, 1, 0, ERR_INVALID, 0, 0},
    {&content, 1, -1, 0, ERR_INVALID, 0, 0},
    {&content, INT64_MIN, INT64_MIN, 0, ERR_INVALID, 0, 0},
};

START_TEST(a_day_is_worth_the_difference_of_two_totals)
{
    const struct day_case *c = &day_cases[_i];
    struct accrual accrual = {.amount_micros = 4711, .total_micros = 4712};
    enum err err =
        accrual_of_day(c->rates, c->views_before, c->views_now, c->total_before, &accrual);
    ck_assert_int_eq(err, c->err);
    ck_assert_int_eq(accrual.amount_micros, err == OK ? c->amount : 4711);
    ck_assert_int_eq(accrual.total_micros, err == OK ? c->total : 4712);
}
END_TEST

static void fill_at_random(struct random *random, struct tier_table *ret_table)
{
    *ret_table = (struct tier_table){.count = 0};
    int64_t bound = 0;
    for (int64_t n = random_between(random, 1, 8); n > 0; n--) {
        struct tier tier = {bound, random_between(random, 0, 20000000)};
        ck_assert_int_eq(tier_table_add(ret_table, tier, NULL), OK);
        bound += random_between(random, 1, 400);
    }
}

/* Mostly more views, now and then fewer, as after a correction, and sometimes none at all. */
static int64_t next_views(struct random *random, int64_t views)
{
    int64_t kind = random_between(random, 0, 9);
    if (kind == 0) return views;
    if (kind <= 2) return random_between(random, 0, views);
    return views + random_between(random, 1, 200);
}

/* One day of a sequence; aborts when it fails, so that the sequences below read as what they
 * claim. */
static struct accrual settled(const struct tier_table *rates, int64_t before, int64_t now,
                              int64_t total)
{
    struct accrual accrual = {0};
    enum err err = accrual_of_day(rates, before, now, total, &accrual);
    if (err != OK)
        ck_abort_msg("%s from %lld to %lld", err_name(err), (long long)before, (long long)now);
    return accrual;
}

START_TEST(with_the_same_rates_the_days_add_up_to_the_total_of_all_views)
{
    struct random random = {.state = 3};
    for (int sequence = 0; sequence < 2000; sequence++) {
        struct tier_table rates;
        fill_at_random(&random, &rates);
        int64_t views = 0, total = 0, sum = 0;
        for (int day = 0; day < 60; day++) {
            int64_t now = next_views(&random, views);
            struct accrual accrual = settled(&rates, views, now, total);
            views = now;
            total = accrual.total_micros;
            sum += accrual.amount_micros;

            int64_t expected = -1;
            bool good =
                tier_total(&rates, views, &expected) == OK && total == expected && sum == total;
            if (!good)
                ck_abort_msg("sequence %d, day %d, %lld views", sequence, day, (long long)views);
        }
    }
}
END_TEST

/* The definition view by view: each one that came is paid, and each one that went is taken back, at
 * the price that its place has on that day. */
static int64_t worth_between(const struct tier_table *rates, int64_t before, int64_t now)
{
    int64_t worth = 0;
    for (int64_t view = min_i64(before, now); view < max_i64(before, now); view++) {
        int i = rates->count - 1;
        while (rates->tiers[i].min_views > view)
            i--;
        worth += rates->tiers[i].price_micros;
    }
    return now >= before ? worth : -worth;
}

START_TEST(after_a_change_of_rates_only_what_comes_is_paid_at_the_new_ones)
{
    struct random random = {.state = 4};
    int changes = 0, negative_days = 0, negative_totals = 0;
    for (int sequence = 0; sequence < 1000; sequence++) {
        struct tier_table rates;
        fill_at_random(&random, &rates);
        int64_t views = 0, total = 0, expected = 0;
        for (int day = 0; day < 60; day++) {
            if (random_between(&random, 0, 9) == 0) {
                fill_at_random(&random, &rates);
                changes++;
            }
            int64_t now = next_views(&random, views);
            struct accrual accrual = settled(&rates, views, now, total);
            int64_t worth = worth_between(&rates, views, now);
            expected += worth;
            bool good = accrual.amount_micros == worth && accrual.total_micros == expected;
            if (!good) ck_abort_msg("sequence %d, day %d", sequence, day);
            if (worth < 0) negative_days++;
            if (expected < 0) negative_totals++;
            views = now;
            total = accrual.total_micros;
        }
    }
    /* The sequences did reach what this test is about. */
    ck_assert_int_gt(changes, 1000);
    ck_assert_int_gt(negative_days, 1000);
    ck_assert_int_gt(negative_totals, 10);
}
END_TEST

START_TEST(however_the_views_are_spread_over_days_the_total_is_the_same)
{
    struct random random = {.state = 5};
    for (int round = 0; round < 1000; round++) {
        int64_t goal = random_between(&random, 0, 3000000);
        int64_t views = 0, total = 0;
        while (views < goal) {
            int64_t now = min_i64(goal, views + random_between(&random, 1, 200000));
            total = settled(&content, views, now, total).total_micros;
            views = now;
        }
        ck_assert_int_eq(total, settled(&content, 0, goal, 0).total_micros);
    }
}
END_TEST

Suite *test_accrual_suite(void)
{
    Suite *suite = suite_create("accrual");

    TCase *days = tcase_create("days");
    tcase_add_loop_test(days, a_day_is_worth_the_difference_of_two_totals, 0, COUNT_OF(day_cases));
    suite_add_tcase(suite, days);

    TCase *sequences = tcase_create("sequences");
    tcase_set_timeout(sequences, 60);
    tcase_add_test(sequences, with_the_same_rates_the_days_add_up_to_the_total_of_all_views);
    tcase_add_test(sequences, after_a_change_of_rates_only_what_comes_is_paid_at_the_new_ones);
    tcase_add_test(sequences, however_the_views_are_spread_over_days_the_total_is_the_same);
    suite_add_tcase(suite, sequences);
    return suite;
}
