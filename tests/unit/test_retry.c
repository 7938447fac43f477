#include "daemon/engine/retry.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "tests/unit/random.h"
#include "tests/unit/suites.h"

struct pause_case {
    int attempt;
    int64_t base_ms, limit_ms;
    int64_t most_ms; /* the pause when the random number is the largest */
};

static const struct pause_case pause_cases[] = {
    {1, 20, 1000, 20},
    {2, 20, 1000, 40},
    {3, 20, 1000, 80},
    {6, 20, 1000, 640},
    {7, 20, 1000, 1000}, /* 1280 without the limit */
    {8, 20, 1000, 1000}, /* and it stays there */
    {1000000, 20, 1000, 1000},
    {2, 20, 40, 40}, /* the limit itself is reached */
    {2, 20, 39, 39},
    {1, 500, 100, 100}, /* a base above the limit */
    {1, 0, 1000, 0},
    {50, 0, 1000, 0},
    {5, 20, 0, 0},
    {1, 1, 1, 1},
    {40, 1, INT64_C(86400000), INT64_C(86400000)}, /* a day: the product must not overflow */
};

START_TEST(the_pause_doubles_up_to_its_limit)
{
    const struct pause_case *wanted = &pause_cases[_i];
    int64_t most = retry_pause_ms(wanted->attempt, wanted->base_ms, wanted->limit_ms, UINT32_MAX);
    ck_assert_int_eq(most, wanted->most_ms);
}
END_TEST

START_TEST(the_jitter_is_full)
{
    const struct pause_case *wanted = &pause_cases[_i];
    int64_t most = wanted->most_ms;
    ck_assert_int_eq(retry_pause_ms(wanted->attempt, wanted->base_ms, wanted->limit_ms, 0), 0);
    int64_t middle =
        retry_pause_ms(wanted->attempt, wanted->base_ms, wanted->limit_ms, UINT32_MAX / 2);
    ck_assert_int_ge(middle, most / 2 - 1);
    ck_assert_int_le(middle, most / 2);
}
END_TEST

START_TEST(no_pause_is_negative_or_above_its_limit)
{
    struct random random = {4711};
    for (int i = 0; i < 20000; i++) {
        int attempt = (int)random_between(&random, 1, 100);
        int64_t base = random_between(&random, 0, 10000);
        int64_t limit = random_between(&random, 0, 3600000);
        uint32_t bits = (uint32_t)random_next(&random);
        int64_t pause = retry_pause_ms(attempt, base, limit, bits);
        ck_assert_int_ge(pause, 0);
        ck_assert_int_le(pause, limit);
        ck_assert_int_le(pause, retry_pause_ms(attempt, base, limit, UINT32_MAX));
        ck_assert_int_le(retry_pause_ms(attempt, base, limit, bits),
                         retry_pause_ms(attempt + 1, base, limit, bits));
    }
}
END_TEST

START_TEST(random_numbers_differ)
{
    uint32_t all_and = UINT32_MAX, all_or = 0;
    for (int i = 0; i < 200; i++) {
        uint32_t bits = retry_random();
        all_and &= bits;
        all_or |= bits;
    }
    /* Each bit was seen as 0 and as 1: by accident not once in 2^190. */
    ck_assert_uint_eq(all_and, 0);
    ck_assert_uint_eq(all_or, UINT32_MAX);
}
END_TEST

START_TEST(a_wait_lasts_its_time)
{
    _Atomic int stop = 0;
    int64_t began_us = clock_monotonic_us(&clock_system);
    retry_wait(45, &stop);
    ck_assert_int_ge(clock_monotonic_us(&clock_system) - began_us, 45000);
    began_us = clock_monotonic_us(&clock_system);
    retry_wait(0, &stop);
    retry_wait(-5, &stop);
    ck_assert_int_lt(clock_monotonic_us(&clock_system) - began_us, 5000000);
}
END_TEST

static void *raise_flag(void *argument)
{
    _Atomic int *stop = argument;
    atomic_store(stop, 1);
    return NULL;
}

START_TEST(a_wait_ends_with_the_flag)
{
    _Atomic int stop = 0;
    pthread_t thread;
    int64_t began_us = clock_monotonic_us(&clock_system);
    ck_assert_int_eq(pthread_create(&thread, NULL, raise_flag, &stop), 0);
    retry_wait(3600000, &stop);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_lt(clock_monotonic_us(&clock_system) - began_us, 20000000);
}
END_TEST

Suite *test_retry_suite(void)
{
    Suite *suite = suite_create("retry");
    TCase *cases = tcase_create("retry");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, the_pause_doubles_up_to_its_limit, 0, (int)COUNT_OF(pause_cases));
    tcase_add_loop_test(cases, the_jitter_is_full, 0, (int)COUNT_OF(pause_cases));
    tcase_add_test(cases, no_pause_is_negative_or_above_its_limit);
    tcase_add_test(cases, random_numbers_differ);
    tcase_add_test(cases, a_wait_lasts_its_time);
    tcase_add_test(cases, a_wait_ends_with_the_flag);
    suite_add_tcase(suite, cases);
    return suite;
}
