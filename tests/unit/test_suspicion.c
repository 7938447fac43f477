#include "daemon/engine/suspicion.h"

#include <check.h>

#include "tests/unit/suites.h"

#define FIRST "11111111-1111-4111-8111-111111111111"
#define SECOND "22222222-2222-4222-8222-222222222222"

static int64_t now_ms;

static int64_t monotonic_us(void *context)
{
    (void)context;
    return now_ms * 1000;
}

static const struct clock test_clock = {.monotonic_us = monotonic_us};

static bool look_at(struct suspicions *suspicions, int64_t at_ms, const char *node_id, bool held)
{
    now_ms = at_ms;
    return suspicion_look(suspicions, &test_clock, node_id, held);
}

struct look_case {
    struct {
        int64_t at_ms;
        bool held;
    } looks[8];
    int count;
    bool gone; /* at the last look; never at those before */
};

static const struct look_case look_cases[] = {
    {{{0, false}}, 1, false},
    {{{0, false}, {500, false}}, 2, false}, /* two looks are not enough */
    {{{0, false}, {1, false}, {2, false}, {3, false}, {4, false}}, 5, false},
    {{{0, false}, {1499, false}}, 2, false},
    {{{0, false}, {1500, false}}, 2, true},
    {{{0, false}, {500, false}, {1000, false}, {1500, false}}, 4, true},
    {{{0, false}, {1000, true}, {1500, false}}, 3, false}, /* it has taken the lock again */
    {{{0, false}, {1000, true}, {1500, false}, {3000, false}}, 4, true},
    {{{0, false}, {1500, true}}, 2, false},
    {{{0, true}, {5000, true}}, 2, false},
    {{{0, false}, {5000, false}}, 2, true},
    {{{0, false}, {5001, false}}, 2, false}, /* a pause: who knows what was in between */
    {{{0, false}, {600000, false}, {601500, false}}, 3, true},
};

START_TEST(who_is_without_a_lock_for_long_is_gone)
{
    const struct look_case *wanted = &look_cases[_i];
    struct suspicions suspicions = {0};
    for (int i = 0; i < wanted->count; i++) {
        bool last = i == wanted->count - 1;
        bool gone = look_at(&suspicions, wanted->looks[i].at_ms, FIRST, wanted->looks[i].held);
        ck_assert_msg(gone == (last && wanted->gone), "look %d", i);
    }
}
END_TEST

START_TEST(who_is_gone_stays_gone_until_it_has_its_lock_again)
{
    struct suspicions suspicions = {0};
    ck_assert(!look_at(&suspicions, 0, FIRST, false));
    ck_assert(look_at(&suspicions, 1500, FIRST, false));
    ck_assert(look_at(&suspicions, 1600, FIRST, false));
    ck_assert(!look_at(&suspicions, 1700, FIRST, true));
    ck_assert(!look_at(&suspicions, 1800, FIRST, false));
}
END_TEST

START_TEST(each_process_has_a_time_of_its_own)
{
    struct suspicions suspicions = {0};
    ck_assert(!look_at(&suspicions, 0, FIRST, false));
    ck_assert(!look_at(&suspicions, 1000, SECOND, false));
    ck_assert(look_at(&suspicions, 1500, FIRST, false));
    ck_assert(!look_at(&suspicions, 1500, SECOND, false));
    ck_assert(!look_at(&suspicions, 1600, FIRST, true));
    ck_assert(look_at(&suspicions, 2500, SECOND, false));
}
END_TEST

/* More than there is place for: who was not looked at for longest is forgotten, nobody is taken for
 * another. */
START_TEST(there_is_always_a_place_for_the_next)
{
    struct suspicions suspicions = {0};
    char id[NODE_ID];
    for (int i = 0; i < 3 * SUSPECTS; i++) {
        ck_assert(text_format(id, sizeof(id), "process %d", i));
        ck_assert(!look_at(&suspicions, i * 2000, id, false));
        ck_assert(look_at(&suspicions, i * 2000 + 1500, id, false));
    }
    ck_assert(!look_at(&suspicions, 3 * SUSPECTS * 2000, "process 0", false));
}
END_TEST

Suite *test_suspicion_suite(void)
{
    Suite *suite = suite_create("suspicion");
    TCase *cases = tcase_create("suspicion");
    tcase_add_loop_test(cases, who_is_without_a_lock_for_long_is_gone, 0,
                        (int)COUNT_OF(look_cases));
    tcase_add_test(cases, who_is_gone_stays_gone_until_it_has_its_lock_again);
    tcase_add_test(cases, each_process_has_a_time_of_its_own);
    tcase_add_test(cases, there_is_always_a_place_for_the_next);
    suite_add_tcase(suite, cases);
    return suite;
}
