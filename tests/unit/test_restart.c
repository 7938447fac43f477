/* When an execution that ended is started again: by its cause, by what was tried already, and how
 * long it waits. */
#include "daemon/engine/restart.h"

#include "tests/unit/suites.h"

static const struct restart_policy policy = {.limit = 3, .backoff_s = 30, .backoff_max_s = 100};

struct restart_case {
    enum end_cause cause;
    int64_t restarts;
    bool due;
    int64_t least_ms, most_ms; /* with the least and the greatest random number */
};

static const struct restart_case cases[] = {
    {CAUSE_NONE, 0, false, 0, 0},
    {CAUSE_PERMANENT, 0, false, 0, 0},
    {CAUSE_PERSON, 0, false, 0, 0},
    {CAUSE_SHUTDOWN, 0, true, 0, 0},
    {CAUSE_SHUTDOWN, 3, true, 0, 0}, /* costs nothing, so that nothing is used up */
    {CAUSE_TRANSIENT, 0, true, 15000, 30000},
    {CAUSE_TRANSIENT, 1, true, 30000, 60000},
    {CAUSE_TRANSIENT, 2, true, 50000, 100000}, /* 120 s are too many */
    {CAUSE_TRANSIENT, 3, false, 0, 0},
    {CAUSE_CRASH, 0, true, 0, 0},
    {CAUSE_CRASH, 1, true, 15000, 30000},
    {CAUSE_CRASH, 2, true, 30000, 60000},
    {CAUSE_CRASH, 3, false, 0, 0},
};

START_TEST(a_cause_and_what_was_tried_decide_about_a_restart)
{
    const struct restart_case *c = &cases[_i];
    struct restart least = restart_decide(&policy, c->cause, c->restarts, 0);
    struct restart most = restart_decide(&policy, c->cause, c->restarts, UINT32_MAX);
    ck_assert_int_eq(least.due, c->due);
    ck_assert_int_eq(least.after_ms, c->least_ms);
    ck_assert_int_eq(most.after_ms, c->most_ms);
}
END_TEST

START_TEST(no_restarts_are_allowed_with_a_limit_of_zero)
{
    const struct restart_policy none = {.limit = 0, .backoff_s = 1, .backoff_max_s = 1};
    ck_assert(!restart_decide(&none, CAUSE_TRANSIENT, 0, 0).due);
    ck_assert(!restart_decide(&none, CAUSE_CRASH, 0, 0).due);
    ck_assert(restart_decide(&none, CAUSE_SHUTDOWN, 0, 0).due);
}
END_TEST

START_TEST(the_words_of_causes_are_those_of_the_table)
{
    for (int i = 0; i < END_CAUSE_COUNT; i++)
        ck_assert_int_eq(end_cause_parse(end_cause_name((enum end_cause)i)), i);
    ck_assert_int_eq(end_cause_parse("no such word"), CAUSE_NONE);
    for (int i = 0; i < STARTED_FOR_COUNT; i++)
        ck_assert_ptr_nonnull(started_for_name((enum started_for)i));
}
END_TEST

Suite *test_restart_suite(void)
{
    Suite *suite = suite_create("restart");
    TCase *rules = tcase_create("rules");
    tcase_add_loop_test(rules, a_cause_and_what_was_tried_decide_about_a_restart, 0,
                        (int)COUNT_OF(cases));
    tcase_add_test(rules, no_restarts_are_allowed_with_a_limit_of_zero);
    tcase_add_test(rules, the_words_of_causes_are_those_of_the_table);
    suite_add_tcase(suite, rules);
    return suite;
}
