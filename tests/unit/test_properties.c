/* What must hold for all tables of rates, all dates and all plans, tried with made-up ones. The
 * numbers come from a seed, so that each run is the same: TEST_SEED names another one, and
 * TEST_ROUNDS=10 tries ten times as many. The first line of the output says which they were. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/domain/accrual.h"
#include "common/domain/period.h"
#include "daemon/engine/partition_plan.h"
#include "tests/unit/random.h"
#include "tests/unit/suites.h"

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static struct random random_from_seed(uint64_t offset)
{
    return (struct random){number_from("TEST_SEED", 20260701) * 1000 + offset};
}

static int rounds(int count)
{
    return count * (int)number_from("TEST_ROUNDS", 1);
}

/* As likely small as large: up to 2^bits. */
static int64_t random_magnitude(struct random *random, int bits)
{
    int64_t width = random_between(random, 0, bits);
    return (int64_t)(random_next(random) & ((UINT64_C(1) << width) - 1));
}

/* --- tiers --- */

/* Any table: one tier or all that fit, narrow or wide, prices that rise, fall and are zero. */
static void make_rates(struct random *random, int bits, struct tier_table *ret_table)
{
    *ret_table = (struct tier_table){.count = 0};
    int64_t bound = 0, count = random_between(random, 1, TIER_LIMIT);
    for (int64_t i = 0; i < count; i++) {
        struct tier tier = {bound, random_magnitude(random, bits)};
        ck_assert_int_eq(tier_table_add(ret_table, tier, NULL), OK);
        if (!add_i64(bound, 1 + random_magnitude(random, bits), &bound)) return;
    }
}

static int64_t total_of(const struct tier_table *rates, int64_t views)
{
    int64_t micros = -1;
    ck_assert_int_eq(tier_total(rates, views, &micros), OK);
    return micros;
}

START_TEST(more_views_are_never_worth_less)
{
    struct random random = random_from_seed(1);
    for (int round = 0; round < rounds(10000); round++) {
        struct tier_table rates;
        make_rates(&random, 62, &rates);
        int64_t one = random_magnitude(&random, 63), other = random_magnitude(&random, 63);
        int64_t few = min_i64(one, other), many = max_i64(one, other);
        int64_t worth_few = -1, worth_many = -1;
        enum err err_few = tier_total(&rates, few, &worth_few);
        enum err err_many = tier_total(&rates, many, &worth_many);
        bool good = err_many != OK || (err_few == OK && worth_few <= worth_many);
        if (!good) ck_abort_msg("round %d: %lld, %lld", round, (long long)few, (long long)many);
    }
}
END_TEST

/* Whatever the days are, they add up to what the first and the last of them say, and so do both
 * totals that are kept. */
START_TEST(amounts_over_any_days_add_up_to_the_difference_of_their_totals)
{
    struct random random = random_from_seed(2);
    for (int round = 0; round < rounds(1500); round++) {
        struct tier_table rates;
        make_rates(&random, 28, &rates);
        int64_t first = random_magnitude(&random, 30), views = first;
        int64_t begun = random_magnitude(&random, 60), total = begun, sum = 0;
        for (int64_t days = random_between(&random, 1, 40); days > 0; days--) {
            int64_t now = random_between(&random, 0, 3) == 0
                              ? random_magnitude(&random, 30)
                              : views + random_magnitude(&random, 20);
            struct accrual accrual;
            ck_assert_int_eq(accrual_of_day(&rates, views, now, total, &accrual), OK);
            sum += accrual.amount_micros;
            total = accrual.total_micros;
            views = now;
        }
        ck_assert_int_eq(sum, total_of(&rates, views) - total_of(&rates, first));
        ck_assert_int_eq(total - begun, sum);
    }
}
END_TEST

START_TEST(a_few_views_are_worth_the_sum_of_their_prices)
{
    struct random random = random_from_seed(3);
    for (int round = 0; round < rounds(2000); round++) {
        struct tier_table rates;
        make_rates(&random, 7, &rates);
        int64_t sum = 0;
        for (int64_t view = 0; view < 400; view++) {
            ck_assert_int_eq(total_of(&rates, view), sum);
            int tier = 0;
            while (tier + 1 < rates.count && rates.tiers[tier + 1].min_views <= view)
                tier++;
            sum += rates.tiers[tier].price_micros;
        }
    }
}
END_TEST

/* --- periods --- */

/* A calendar turned by hand from Monday, the first of January of the year 1, which knows when a
 * week, a month and a year began. */
struct turned {
    struct civil date, monday, month, year;
    int weekday; /* 1 = Monday */
};

static void turn(struct turned *now)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil *date = &now->date;
    bool leap = (date->year % 4 == 0 && date->year % 100 != 0) || date->year % 400 == 0;
    int length = date->month == 2 && leap ? 29 : lengths[date->month - 1];
    if (++date->day > length) {
        date->day = 1;
        if (++date->month > 12) {
            date->month = 1;
            date->year++;
            now->year = *date;
        }
        now->month = *date;
    }
    now->weekday = now->weekday % 7 + 1;
    if (now->weekday == 1) now->monday = *date;
}

static bool begins(enum period period, const struct turned *now, struct civil first)
{
    return civil_compare(period_first(period, now->date), first) == 0;
}

static bool is_in_its_periods(const struct turned *now)
{
    const struct civil calendar_first = {CIVIL_FIRST_YEAR, 1, 1};
    bool cut = civil_compare(now->monday, calendar_first) < 0;
    return begins(PERIOD_DAILY, now, now->date) && begins(PERIOD_MONTHLY, now, now->month) &&
           begins(PERIOD_YEARLY, now, now->year) &&
           begins(PERIOD_WEEKLY, now, cut ? calendar_first : now->monday);
}

/* The calendar repeats itself after 400 years: of those between 2400 and 9600 one in a hundred is
 * looked at, unless more rounds are asked for. */
static bool is_looked_at(int year)
{
    return year < 2400 || year >= 9600 || year % 100 == 0 || rounds(1) > 1;
}

/* Years below 1000 are none of the calendar's, in all others periods begin where it shows. */
START_TEST(every_date_is_in_the_periods_that_a_calendar_turned_by_hand_shows)
{
    const struct civil first = {1, 1, 1};
    struct turned now = {first, first, first, first, 1};
    for (; now.date.year <= CIVIL_LAST_YEAR; turn(&now)) {
        bool within = now.date.year >= CIVIL_FIRST_YEAR;
        if (!is_looked_at(now.date.year)) continue;
        bool good = civil_valid(now.date) == within && civil_weekday(now.date) == now.weekday &&
                    (!within || is_in_its_periods(&now));
        if (!good) ck_abort_msg("%d-%d-%d", now.date.year, now.date.month, now.date.day);
    }
}
END_TEST

/* --- plans --- */

enum { KEYS = 60 };

/* Made-up keys, ascending, with how many items each has; and how wrong the estimates are. */
struct day {
    int64_t keys[KEYS], items[KEYS];
    int count;
    bool exact;
    int vanishing; /* of 100 questions about keys, so many find that they are gone */
    struct random random;
};

static enum err estimate(void *context, const struct key_range *range, int64_t *ret_items)
{
    struct day *day = context;
    int64_t items = 0;
    for (int i = 0; i < day->count; i++)
        if (day->keys[i] > range->lower && day->keys[i] <= range->upper) items += day->items[i];
    *ret_items = day->exact ? items : items * random_between(&day->random, 0, 20) / 10;
    return OK;
}

static bool vanished(struct day *day)
{
    return random_between(&day->random, 0, 99) < day->vanishing;
}

static enum err last_below(void *context, int64_t bound, int64_t *ret_key)
{
    struct day *day = context;
    int found = -1;
    for (int i = 0; i < day->count && day->keys[i] <= bound; i++)
        found = i;
    if (found < 0 || vanished(day)) return ERR_NOT_FOUND;
    *ret_key = day->keys[found];
    return OK;
}

static enum err first_above(void *context, int64_t bound, int64_t *ret_key)
{
    struct day *day = context;
    int found = 0;
    while (found < day->count && day->keys[found] <= bound)
        found++;
    if (found == day->count || vanished(day)) return ERR_NOT_FOUND;
    *ret_key = day->keys[found];
    return OK;
}

/* Dense, sparse, negative and huge keys, a hot one here and there, at times none at all. */
static void make_day(struct random *random, struct day *ret_day)
{
    *ret_day = (struct day){.exact = random_between(random, 0, 1) == 0};
    int bits = (int)random_between(random, 3, 62);
    int64_t key = random_between(random, 0, 3) == 0 ? INT64_MIN + 1 + random_magnitude(random, 8)
                                                    : random_magnitude(random, bits);
    int64_t wanted = random_between(random, 0, KEYS);
    for (; ret_day->count < wanted; ret_day->count++) {
        bool hot = random_between(random, 0, 9) == 0;
        ret_day->keys[ret_day->count] = key;
        ret_day->items[ret_day->count] = random_between(random, 1, hot ? 5000 : 50);
        if (key == INT64_MAX) {
            ret_day->count++;
            break;
        }
        if (!add_i64(key, 1 + random_magnitude(random, bits), &key)) key = INT64_MAX;
    }
    if (!ret_day->exact) ret_day->vanishing = (int)random_between(random, 0, 50);
    ret_day->random = (struct random){random_next(random)};
}

static int keys_in(const struct day *day, const struct key_range *range)
{
    int count = 0;
    for (int i = 0; i < day->count; i++)
        count += day->keys[i] > range->lower && day->keys[i] <= range->upper;
    return count;
}

/* Disjoint, ascending, without gaps, none without a key, all keys in them, no more than allowed. */
static void check_ranges(const struct day *day, const struct partition_plan *plan,
                         const struct run_limits *limits)
{
    int keys = 0;
    int64_t estimated = 0;
    ck_assert_int_le(plan->count, limits->max_partitions);
    for (int i = 0; i < plan->count; i++) {
        const struct key_range *range = &plan->ranges[i];
        ck_assert_int_lt(range->lower, range->upper);
        if (i > 0) ck_assert_int_eq(range->lower, plan->ranges[i - 1].upper);
        ck_assert(day->count == 0 || keys_in(day, range) > 0);
        keys += keys_in(day, range);
        estimated += range->estimated_items;
    }
    ck_assert_int_eq(keys, day->count);
    ck_assert_int_eq(estimated, plan->estimated_items);
}

static void check_reach(const struct day *day, const struct partition_plan *plan,
                        enum key_reach reach)
{
    if (day->count == 0) {
        ck_assert_int_eq(plan->count, reach == REACH_BEYOND_ALWAYS ? 1 : 0);
        if (plan->count == 0) return;
    }
    bool beyond = reach != REACH_KEYS;
    ck_assert_int_eq(plan->ranges[0].lower, beyond ? INT64_MIN : day->keys[0] - 1);
    ck_assert_int_eq(plan->ranges[plan->count - 1].upper,
                     beyond ? INT64_MAX : day->keys[day->count - 1]);
}

/* Where estimates are true and there may be as many ranges as keys: none is above the target unless
 * it is one key, and no two neighbours could be one. */
static void check_sizes(const struct day *day, const struct partition_plan *plan, int64_t target)
{
    for (int i = 0; i < plan->count; i++) {
        const struct key_range *range = &plan->ranges[i];
        ck_assert(range->estimated_items <= target || keys_in(day, range) == 1);
        if (i > 0)
            ck_assert_int_gt(plan->ranges[i - 1].estimated_items + range->estimated_items, target);
    }
}

START_TEST(every_plan_has_every_key_in_one_of_its_ranges)
{
    struct random random = random_from_seed(4);
    for (int round = 0; round < rounds(2000); round++) {
        struct day day;
        make_day(&random, &day);
        const struct run_limits limits = {.threads = (int)random_between(&random, 1, 16),
                                          .chunk_size = (int)random_between(&random, 1, 50),
                                          .max_partitions = (int)random_between(&random, 1, KEYS),
                                          .partition_items = random_between(&random, 1, 800)};
        enum key_reach reach =
            (enum key_reach)random_between(&random, REACH_KEYS, REACH_BEYOND_ALWAYS);
        const struct key_view keys = {day.count > 0,
                                      day.keys[0],
                                      day.count > 0 ? day.keys[day.count - 1] : 0,
                                      &day,
                                      estimate,
                                      last_below,
                                      first_above};
        CLEANUP(partition_plan_free) struct partition_plan plan = {0};
        ck_assert_int_eq(partition_plan_divide(&keys, &limits, reach, &plan), OK);
        check_ranges(&day, &plan, &limits);
        check_reach(&day, &plan, reach);
        if (day.exact && limits.max_partitions >= day.count)
            check_sizes(&day, &plan, partition_plan_target(plan.estimated_items, &limits));
    }
}
END_TEST

Suite *test_properties_suite(void)
{
    printf("test_properties: TEST_SEED=%llu TEST_ROUNDS=%llu\n",
           (unsigned long long)number_from("TEST_SEED", 20260701),
           (unsigned long long)number_from("TEST_ROUNDS", 1));
    Suite *suite = suite_create("properties");
    TCase *tests = tcase_create("properties");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, more_views_are_never_worth_less);
    tcase_add_test(tests, amounts_over_any_days_add_up_to_the_difference_of_their_totals);
    tcase_add_test(tests, a_few_views_are_worth_the_sum_of_their_prices);
    tcase_add_test(tests, every_date_is_in_the_periods_that_a_calendar_turned_by_hand_shows);
    tcase_add_test(tests, every_plan_has_every_key_in_one_of_its_ranges);
    suite_add_tcase(suite, tests);
    return suite;
}
