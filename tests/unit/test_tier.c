#include <string.h>

#include "common/domain/tier.h"
#include "tests/unit/random.h"
#include "tests/unit/suites.h"

/* The expected amounts of this file were computed with exact fractions, by a program of its own. */

static const struct tier_table content =
    {.tiers = {{0, 1000000}, {100000, 1100000}, {500001, 1300000}, {1000001, 1500000}}, .count = 4};
static const struct tier_table advertisement =
    {.tiers = {{0, 10000000}, {100000, 12000000}, {500001, 15000000}, {1000001, 20000000}},
     .count = 4};
static const struct tier_table falling = {.tiers = {{0, 2000000}, {10, 1000000}, {20, 0}, {30, 1}},
                                          .count = 4};
static const struct tier_table one_micro = {.tiers = {{0, 1}}, .count = 1};
static const struct tier_table dearest = {.tiers = {{0, INT64_MAX}}, .count = 1};
static const struct tier_table dear_end = {.tiers = {{0, 0}, {INT64_MAX - 1, INT64_MAX}},
                                           .count = 2};
static const struct tier_table gratis = {.tiers = {{0, 0}}, .count = 1};

static const int64_t UNTOUCHED = 4711;

struct total_case {
    const struct tier_table *table;
    int64_t views;
    enum err err;
    int64_t micros;
};

static const struct total_case total_cases[] = {
    {&content, 0, OK, 0},
    {&content, 1, OK, 1000000},
    {&content, 2, OK, 2000000},
    {&content, 99999, OK, 99999000000},
    {&content, 100000, OK, 100000000000},
    {&content, 100001, OK, 100001100000},
    {&content, 100002, OK, 100002200000},
    {&content, 500000, OK, 540000000000},
    {&content, 500001, OK, 540001100000},
    {&content, 500002, OK, 540002400000},
    {&content, 500003, OK, 540003700000},
    {&content, 500004, OK, 540005000000},
    {&content, 1000000, OK, 1189999800000},
    {&content, 1000001, OK, 1190001100000},
    {&content, 1000002, OK, 1190002600000},
    {&content, 1000003, OK, 1190004100000},
    {&content, 2000000, OK, 2689999600000},
    {&content, 1000000000, OK, 1499689999600000},
    {&content, 6148914897903, OK, 9223372036854100000},
    {&content, 6148914897904, ERR_OVERFLOW, 0},
    {&content, INT64_MAX, ERR_OVERFLOW, 0},

    {&advertisement, 0, OK, 0},
    {&advertisement, 1, OK, 10000000},
    {&advertisement, 2, OK, 20000000},
    {&advertisement, 99999, OK, 999990000000},
    {&advertisement, 100000, OK, 1000000000000},
    {&advertisement, 100001, OK, 1000012000000},
    {&advertisement, 100002, OK, 1000024000000},
    {&advertisement, 500000, OK, 5800000000000},
    {&advertisement, 500001, OK, 5800012000000},
    {&advertisement, 500002, OK, 5800027000000},
    {&advertisement, 500003, OK, 5800042000000},
    {&advertisement, 500004, OK, 5800057000000},
    {&advertisement, 1000000, OK, 13299997000000},
    {&advertisement, 1000001, OK, 13300012000000},
    {&advertisement, 1000002, OK, 13300032000000},
    {&advertisement, 1000003, OK, 13300052000000},
    {&advertisement, 2000000, OK, 33299992000000},
    {&advertisement, 1000000000, OK, 19993299992000000},
    {&advertisement, 461168936843, OK, 9223372036852000000},
    {&advertisement, 461168936844, ERR_OVERFLOW, 0},
    {&advertisement, INT64_MAX, ERR_OVERFLOW, 0},

    {&falling, 0, OK, 0},
    {&falling, 1, OK, 2000000},
    {&falling, 9, OK, 18000000},
    {&falling, 10, OK, 20000000},
    {&falling, 11, OK, 21000000},
    {&falling, 19, OK, 29000000},
    {&falling, 20, OK, 30000000},
    {&falling, 21, OK, 30000000},
    {&falling, 29, OK, 30000000},
    {&falling, 30, OK, 30000000},
    {&falling, 31, OK, 30000001},
    {&falling, 40, OK, 30000010},

    {&one_micro, 0, OK, 0},
    {&one_micro, 1, OK, 1},
    {&one_micro, INT64_MAX - 1, OK, 9223372036854775806},
    {&one_micro, INT64_MAX, OK, INT64_MAX},
    {&dearest, 0, OK, 0},
    {&dearest, 1, OK, INT64_MAX},
    {&dearest, 2, ERR_OVERFLOW, 0},
    {&dearest, INT64_MAX, ERR_OVERFLOW, 0},
    {&dear_end, 0, OK, 0},
    {&dear_end, 1, OK, 0},
    {&dear_end, INT64_MAX - 1, OK, 0},
    {&dear_end, INT64_MAX, OK, INT64_MAX},
    {&gratis, 0, OK, 0},
    {&gratis, 1, OK, 0},
    {&gratis, INT64_MAX, OK, 0},

    {&content, -1, ERR_INVALID, 0},
    {&content, INT64_MIN, ERR_INVALID, 0},
};

START_TEST(a_total_is_exact_at_every_boundary)
{
    const struct total_case *c = &total_cases[_i];
    int64_t micros = UNTOUCHED;
    ck_assert_msg(tier_total(c->table, c->views, &micros) == c->err, "T(%lld)",
                  (long long)c->views);
    ck_assert_msg(micros == (c->err == OK ? c->micros : UNTOUCHED), "T(%lld) = %lld",
                  (long long)c->views, (long long)micros);
}
END_TEST

/* The longest possible sum: every tier is taken, and the last unit is one too much. */
START_TEST(a_sum_over_all_tiers_overflows_exactly_at_the_limit)
{
    struct tier_table table = {.count = 0};
    for (int i = 0; i < TIER_LIMIT; i++) {
        struct tier tier = {.min_views = i, .price_micros = INT64_MAX / TIER_LIMIT};
        ck_assert_int_eq(tier_table_add(&table, tier, NULL), OK);
    }
    int64_t micros = UNTOUCHED;
    ck_assert_int_eq(tier_total(&table, TIER_LIMIT, &micros), OK);
    ck_assert_int_eq(micros, INT64_MAX / TIER_LIMIT * TIER_LIMIT);
    table.tiers[0].price_micros += INT64_MAX % TIER_LIMIT;
    ck_assert_int_eq(tier_total(&table, TIER_LIMIT, &micros), OK);
    ck_assert_int_eq(micros, INT64_MAX);
    table.tiers[TIER_LIMIT - 1].price_micros++;
    micros = UNTOUCHED;
    ck_assert_int_eq(tier_total(&table, TIER_LIMIT, &micros), ERR_OVERFLOW);
    ck_assert_int_eq(micros, UNTOUCHED);
}
END_TEST

struct views_case {
    int64_t views;
    int64_t of_tier[4];
};

static const struct views_case views_cases[] = {
    {INT64_MIN, {0, 0, 0, 0}},
    {-1, {0, 0, 0, 0}},
    {0, {0, 0, 0, 0}},
    {1, {1, 0, 0, 0}},
    {99999, {99999, 0, 0, 0}},
    {100000, {100000, 0, 0, 0}},
    {100001, {100000, 1, 0, 0}},
    {500000, {100000, 400000, 0, 0}},
    {500001, {100000, 400001, 0, 0}},
    {500002, {100000, 400001, 1, 0}},
    {1000000, {100000, 400001, 499999, 0}},
    {1000001, {100000, 400001, 500000, 0}},
    {1000002, {100000, 400001, 500000, 1}},
    {INT64_MAX, {100000, 400001, 500000, INT64_MAX - 1000001}},
};

START_TEST(views_fall_into_their_tiers)
{
    const struct views_case *c = &views_cases[_i];
    for (int i = 0; i < content.count; i++) {
        ck_assert_int_eq(tier_views(&content, i, c->views), c->of_tier[i]);
    }
}
END_TEST

/* The definition without any arithmetic on ranges: the view with number `view` (from 0) is paid at
 * the price of the last tier that begins at or below it. */
static int64_t price_of_view(const struct tier_table *table, int64_t view)
{
    int i = table->count - 1;
    while (table->tiers[i].min_views > view)
        i--;
    return table->tiers[i].price_micros;
}

static void fill_at_random(struct random *random, struct tier_table *ret_table)
{
    *ret_table = (struct tier_table){.count = 0};
    int64_t bound = 0;
    for (int64_t n = random_between(random, 1, 8); n > 0; n--) {
        struct tier tier = {bound, random_between(random, 0, 3000000)};
        ck_assert_int_eq(tier_table_add(ret_table, tier, NULL), OK);
        bound += random_between(random, 1, 100);
    }
}

START_TEST(a_total_is_the_sum_of_the_prices_of_its_views)
{
    struct random random = {.state = 1};
    for (int round = 0; round < 200; round++) {
        struct tier_table table;
        fill_at_random(&random, &table);
        int64_t expected = 0;
        for (int64_t views = 0; views < 1000; views++) {
            int64_t micros = UNTOUCHED;
            bool good = tier_total(&table, views, &micros) == OK && micros == expected;
            if (!good) ck_abort_msg("round %d: T(%lld)", round, (long long)views);
            expected += price_of_view(&table, views);
        }
    }
}
END_TEST

START_TEST(every_view_falls_into_one_tier)
{
    struct random random = {.state = 2};
    for (int round = 0; round < 2000; round++) {
        struct tier_table table;
        fill_at_random(&random, &table);
        int64_t views = random_between(&random, 0, 1000), sum = 0;
        for (int i = 0; i < table.count; i++)
            sum += tier_views(&table, i, views);
        ck_assert_int_eq(sum, views);
    }
}
END_TEST

START_TEST(tiers_are_kept_in_their_order)
{
    struct tier_table table = {.count = 0};
    for (int i = 0; i < content.count; i++) {
        ck_assert_int_eq(tier_table_add(&table, content.tiers[i], NULL), OK);
    }
    ck_assert_int_eq(table.count, content.count);
    for (int i = 0; i < table.count; i++) {
        ck_assert_int_eq(table.tiers[i].min_views, content.tiers[i].min_views);
        ck_assert_int_eq(table.tiers[i].price_micros, content.tiers[i].price_micros);
    }
}
END_TEST

struct refusal_case {
    int tiers_before; /* how many of the content's tiers are there already */
    struct tier tier;
    const char *reason; /* a part of it */
};

static const struct refusal_case refusals[] = {
    {0, {1, 5}, "begins at 1 views; it must begin at 0"},
    {0, {100000, 5}, "begins at 100000 views"},
    {0, {-1, 5}, "begins at -1 views"},
    {0, {INT64_MIN, 5}, "begins at -9223372036854775808 views"},
    {0, {0, -1}, "the tier from 0 views has a price of -1 micros"},
    {0, {0, INT64_MIN}, "a price of -9223372036854775808 micros"},
    {1, {0, 5}, "the tier from 0 views overlaps the one from 0 views"},
    {1, {-5, 5}, "the tier from -5 views overlaps"},
    {1, {7, -1}, "the tier from 7 views has a price of -1 micros"},
    {2, {100000, 5}, "the tier from 100000 views overlaps the one from 100000 views"},
    {2, {99999, 5}, "the tier from 99999 views overlaps the one from 100000 views"},
    {4, {500001, 5}, "the tier from 500001 views overlaps the one from 1000001 views"},
};

START_TEST(a_tier_that_does_not_fit_is_refused_with_the_reason)
{
    const struct refusal_case *c = &refusals[_i];
    struct tier_table table = content;
    table.count = c->tiers_before;
    struct detail detail = {{0}};
    ck_assert_int_eq(tier_table_add(&table, c->tier, &detail), ERR_INVALID);
    ck_assert_msg(strstr(detail.text, c->reason) != NULL, "%s", detail.text);
    ck_assert_int_eq(table.count, c->tiers_before);
    ck_assert_int_eq(tier_table_add(&table, c->tier, NULL), ERR_INVALID);
}
END_TEST

START_TEST(a_table_takes_as_many_tiers_as_it_has_places)
{
    struct tier_table table = {.count = 0};
    struct detail detail = {{0}};
    for (int i = 0; i < TIER_LIMIT; i++) {
        ck_assert_int_eq(tier_table_add(&table, (struct tier){i, i}, &detail), OK);
    }
    ck_assert_str_eq(detail.text, "");
    ck_assert_int_eq(tier_table_add(&table, (struct tier){TIER_LIMIT, 1}, &detail), ERR_INVALID);
    ck_assert_str_eq(detail.text,
                     "the tier from 64 views is one too many; at most 64 tiers are possible");
    ck_assert_int_eq(table.count, TIER_LIMIT);
    ck_assert_int_eq(table.tiers[TIER_LIMIT - 1].min_views, TIER_LIMIT - 1);
}
END_TEST

START_TEST(a_tier_may_begin_right_behind_the_one_before_and_at_the_very_end)
{
    struct tier_table table = {.count = 0};
    ck_assert_int_eq(tier_table_add(&table, (struct tier){0, INT64_MAX}, NULL), OK);
    ck_assert_int_eq(tier_table_add(&table, (struct tier){1, 0}, NULL), OK);
    ck_assert_int_eq(tier_table_add(&table, (struct tier){INT64_MAX, 0}, NULL), OK);
    int64_t micros = UNTOUCHED;
    ck_assert_int_eq(tier_total(&table, INT64_MAX, &micros), OK);
    ck_assert_int_eq(micros, INT64_MAX);
}
END_TEST

Suite *test_tier_suite(void)
{
    Suite *suite = suite_create("tier");

    TCase *totals = tcase_create("totals");
    tcase_set_timeout(totals, 60);
    tcase_add_loop_test(totals, a_total_is_exact_at_every_boundary, 0, COUNT_OF(total_cases));
    tcase_add_test(totals, a_sum_over_all_tiers_overflows_exactly_at_the_limit);
    tcase_add_loop_test(totals, views_fall_into_their_tiers, 0, COUNT_OF(views_cases));
    tcase_add_test(totals, a_total_is_the_sum_of_the_prices_of_its_views);
    tcase_add_test(totals, every_view_falls_into_one_tier);
    suite_add_tcase(suite, totals);

    TCase *tables = tcase_create("tables");
    tcase_add_test(tables, tiers_are_kept_in_their_order);
    tcase_add_loop_test(tables, a_tier_that_does_not_fit_is_refused_with_the_reason, 0,
                        COUNT_OF(refusals));
    tcase_add_test(tables, a_table_takes_as_many_tiers_as_it_has_places);
    tcase_add_test(tables, a_tier_may_begin_right_behind_the_one_before_and_at_the_very_end);
    suite_add_tcase(suite, tables);
    return suite;
}
