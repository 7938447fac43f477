/* A database that may not be worked on is as good as none: nothing is sent to it, whoever connects,
 * and everybody goes on when it is mended. */
#include "daemon/guard.h"

#include <stdlib.h>
#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

/* A gate that says what the test wants, and counts how often it was asked. */
struct doorman {
    struct db_gate gate;
    enum err answer;
    const char *words;
    int asked;
};

static enum err answer(struct db *db, void *context, struct detail *detail)
{
    struct doorman *doorman = context;
    (void)db;
    doorman->asked++;
    if (doorman->words == NULL) return doorman->answer;
    return detail_set(detail, doorman->answer, "%s", doorman->words);
}

static void doorman_init(struct doorman *doorman)
{
    *doorman = (struct doorman){.gate = {answer, doorman}};
}

static enum err open_at(const struct harness *harness, const struct db_gate *gate,
                        struct db **ret_db, struct detail *detail)
{
    struct db_options options = *harness_options(harness);
    options.gate = gate;
    *detail = (struct detail){""};
    return db_open(&options, ret_db, detail);
}

START_TEST(a_connection_is_not_opened_where_the_gate_says_no)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    struct doorman doorman;
    struct db *db = NULL;
    struct detail detail;
    doorman_init(&doorman);
    doorman.answer = ERR_SETTING;
    doorman.words = "this server forgets";
    ck_assert_int_eq(open_at(harness, &doorman.gate, &db, &detail), ERR_SETTING);
    ck_assert_str_eq(detail.text, "this server forgets");
    ck_assert_ptr_null(db);
    doorman.words = NULL;
    ck_assert_int_eq(open_at(harness, &doorman.gate, &db, &detail), ERR_SETTING);
    ck_assert_int_eq(doorman.asked, 2);
}
END_TEST

START_TEST(a_connection_that_is_made_anew_asks_again_and_sends_nothing_when_it_is_refused)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new_empty();
    CLEANUP(db_cleanup) struct db *db = NULL;
    struct doorman doorman;
    struct detail detail;
    doorman_init(&doorman);
    ck_assert_int_eq(open_at(harness, &doorman.gate, &db, &detail), OK);
    ck_assert(!db_is_renewed(db));
    doorman.answer = ERR_UNSAFE;
    doorman.words = "this server is another one";
    ck_assert_int_eq(db_reconnect(db), ERR_UNSAFE);
    ck_assert_str_eq(db_message(db), "this server is another one");
    ck_assert_int_eq(db_execute(db, "CREATE TABLE traces (i INT)"), ERR_LOST);
    ck_assert_str_eq(db_message(db), "this server is another one");
    doorman.answer = OK;
    doorman.words = NULL;
    ck_assert_int_eq(db_reconnect(db), OK);
    ck_assert(db_is_renewed(db));
    ck_assert_int_eq(db_execute(db, "CREATE TABLE traces (i INT)"), OK);
    ck_assert_int_eq(doorman.asked, 3);
}
END_TEST

static const char UNKNOWN_SQL[] =
    "INSERT INTO schema_migration (version, name, checksum, applied_at)"
    " SELECT MAX(version) + 1, '9999_next.sql', REPEAT('0', 64), NOW(6) FROM schema_migration";
static const char FORGET_SQL[] = "DELETE FROM schema_migration WHERE name = '9999_next.sql'";

static void guard_cleanup(struct guard **guard)
{
    guard_free(*guard);
}

/* The words of a refusal are its own at the start, where the process ends with them, and those of a
 * lost database later, where it waits. */
START_TEST(a_database_that_was_good_once_is_waited_for)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(guard_cleanup) struct guard *guard = NULL;
    CLEANUP(db_cleanup) struct db *db = NULL;
    struct db *other = NULL;
    struct detail detail = {""};
    ck_assert_int_eq(guard_new(harness_config(harness), &guard, &detail), OK);
    harness_execute(harness, UNKNOWN_SQL);
    ck_assert_int_eq(open_at(harness, guard_gate(guard), &db, &detail), ERR_SCHEMA);
    ck_assert_ptr_nonnull(strstr(detail.text, "9999_next.sql"));
    harness_execute(harness, FORGET_SQL);
    ck_assert_int_eq(open_at(harness, guard_gate(guard), &db, &detail), OK);
    ck_assert_int_eq(guard_examine(guard, db, &detail), OK);
    guard_confirm(guard);

    harness_execute(harness, UNKNOWN_SQL);
    ck_assert_int_eq(guard_look(guard, db, &detail), ERR_UNSAFE);
    ck_assert_ptr_nonnull(strstr(db_message(db), "9999_next.sql"));
    ck_assert_int_eq(db_execute(db, "DO 0"), ERR_LOST);
    ck_assert_int_eq(db_reconnect(db), ERR_UNSAFE);
    ck_assert_int_eq(open_at(harness, guard_gate(guard), &other, &detail), ERR_UNSAFE);
    /* The sign of life is left there all the same. */
    ck_assert_int_eq(open_at(harness, guard_gate_of_heartbeat(guard), &other, &detail), OK);
    db_free(other);
    harness_execute(harness, FORGET_SQL);
    ck_assert_int_eq(db_reconnect(db), OK);
    ck_assert_int_eq(db_execute(db, "DO 0"), OK);
}
END_TEST

/* A server that was examined is not examined again for each connection to it, but it is when one
 * was lost. */
START_TEST(connections_to_the_same_server_are_not_held_up)
{
    CLEANUP(harness_cleanup) struct harness *harness = harness_new();
    CLEANUP(guard_cleanup) struct guard *guard = NULL;
    CLEANUP(db_cleanup) struct db *db = NULL;
    struct db *other = NULL;
    struct detail detail = {""};
    ck_assert_int_eq(guard_new(harness_config(harness), &guard, &detail), OK);
    ck_assert_int_eq(open_at(harness, guard_gate(guard), &db, &detail), OK);
    guard_confirm(guard);
    harness_execute(harness, UNKNOWN_SQL);
    ck_assert_int_eq(open_at(harness, guard_gate(guard), &other, &detail), OK);
    ck_assert_int_eq(db_reconnect(other), ERR_UNSAFE);
    db_free(other);
    ck_assert_int_eq(open_at(harness, guard_gate(guard), &other, &detail), ERR_UNSAFE);
}
END_TEST

Suite *test_guard_suite(void)
{
    Suite *suite = suite_create("guard");
    TCase *cases = tcase_create("guard");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_connection_is_not_opened_where_the_gate_says_no);
    tcase_add_test(cases,
                   a_connection_that_is_made_anew_asks_again_and_sends_nothing_when_it_is_refused);
    tcase_add_test(cases, a_database_that_was_good_once_is_waited_for);
    tcase_add_test(cases, connections_to_the_same_server_are_not_held_up);
    suite_add_tcase(suite, cases);
    return suite;
}
