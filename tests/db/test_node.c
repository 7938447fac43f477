/* The named lock that says that a process lives: it is taken again soon after its session was
 * lost. */
#include "daemon/engine/node.h"

#include <time.h>

#include "common/clock.h"
#include "common/db/statement.h"
#include "tests/db/rival.h"
#include "tests/db/suites.h"

/* The beat is so slow that only a sooner one can pass. SOON_US: it takes less than a second, and
 * the machine may be busy. HELD_MS: longer than it takes to notice the lost session, and to ask for
 * the lock in vain. */
enum { HEARTBEAT_S = 30, TTL_S = 60, SOON_US = 10000000, HELD_MS = 1500, GIVE_UP_US = 15000000 };

static struct node *begin(struct harness *harness)
{
    struct node_options options = {*harness_options(harness), "DAEMON", HEARTBEAT_S, TTL_S};
    struct node *node = NULL;
    struct detail detail = {0};
    enum err err = node_new(&options, &node, &detail);
    ck_assert_msg(err == OK, "%s", detail.text);
    return node;
}

static void end(struct node **node)
{
    node_free(*node);
}

static bool is_held(struct harness *harness, const struct node *node)
{
    struct node_state state = {0};
    ck_assert_int_eq(node_look(harness_db(harness), node_id(node), &state), OK);
    return state.lock_held;
}

static void wait_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* How long it takes until the session has its lock. */
static int64_t wait_for_lock_us(struct harness *harness, const struct node *node)
{
    int64_t began_us = clock_monotonic_us(&clock_system), waited_us = 0;
    while (!is_held(harness, node) && waited_us < GIVE_UP_US) {
        wait_ms(50);
        waited_us = clock_monotonic_us(&clock_system) - began_us;
    }
    return waited_us;
}

/* Ends the session that holds the lock, and takes the lock in its stead, as the old session does
 * that the server has not ended yet. */
static struct rival *steal(struct harness *harness, const struct node *node)
{
    struct rival *rival = rival_new(harness);
    char lock[80], sql[128];
    int64_t session_id = 0;
    (void)text_format(lock, sizeof(lock), "settlementd.%s", node_id(node));
    ck_assert_int_eq(db_query_i64(harness_db(harness), &session_id, 0, "SELECT IS_USED_LOCK(?)",
                                  "s", lock),
                     OK);
    ck_assert_int_gt(session_id, 0);
    (void)text_format(sql, sizeof(sql), "KILL CONNECTION %lld", (long long)session_id);
    rival_execute(rival, sql);
    (void)text_format(sql, sizeof(sql), "DO GET_LOCK('%s', 1)", lock);
    rival_execute(rival, sql);
    return rival;
}

START_TEST(the_lock_of_a_lost_session_is_taken_again_at_once)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(end) struct node *node = begin(harness);
    struct rival *rival = steal(harness, node);
    rival_free(rival);
    ck_assert_int_lt(wait_for_lock_us(harness, node), SOON_US);
}
END_TEST

START_TEST(a_lock_that_was_not_to_be_had_is_tried_again_soon)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(end) struct node *node = begin(harness);
    struct rival *rival = steal(harness, node);
    wait_ms(HELD_MS); /* the new session has asked for it in vain */
    rival_free(rival);
    int64_t waited_us = wait_for_lock_us(harness, node);
    ck_assert_msg(waited_us < SOON_US, "%lld us", (long long)waited_us);
}
END_TEST

START_TEST(a_process_without_its_lock_can_be_ended)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    struct node *node = begin(harness);
    CLEANUP(rival_cleanup) struct rival *rival = steal(harness, node);
    wait_ms(HELD_MS);
    int64_t began_us = clock_monotonic_us(&clock_system);
    node_free(node);
    ck_assert_int_lt(clock_monotonic_us(&clock_system) - began_us, SOON_US);
    ck_assert_int_eq(harness_i64(harness, "SELECT COUNT(*) FROM node"), 0);
}
END_TEST

Suite *test_node_suite(void)
{
    Suite *suite = suite_create("node");
    TCase *cases = tcase_create("lock");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_lock_of_a_lost_session_is_taken_again_at_once);
    tcase_add_test(cases, a_lock_that_was_not_to_be_had_is_tried_again_soon);
    tcase_add_test(cases, a_process_without_its_lock_can_be_ended);
    suite_add_tcase(suite, cases);
    return suite;
}
