/* What a process remembers of a database, and when it finds that the database has lost some of it.
 * Rows are made by hand; the real ones, and real failovers, are tests/system/test_failover.py's. */
#include "daemon/acknowledged.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/state_file.h"
#include "tests/db/harness.h"
#include "tests/db/suites.h"

enum { PATH_BYTES = 200, SQL_BYTES = 400, OLD_S = 60 };

/* A database, a state directory, and a process that remembers in it. */
struct stage {
    struct harness *harness;
    char directory[PATH_BYTES];
    struct acknowledged *acknowledged;
    struct detail detail;
};

static struct acknowledged *process_in(const struct stage *stage)
{
    struct acknowledged *acknowledged = NULL;
    struct detail detail = {""};
    enum err err = acknowledged_new(stage->directory, "a database", &acknowledged, &detail);
    ck_assert_msg(err == OK, "%s", detail.text);
    return acknowledged;
}

static void stage_begin(struct stage *stage)
{
    *stage = (struct stage){.harness = harness_new()};
    ck_assert(text_format(stage->directory, PATH_BYTES, "/tmp/settlementd-state-XXXXXX"));
    ck_assert_ptr_nonnull(mkdtemp(stage->directory));
    stage->acknowledged = process_in(stage);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static void stage_end(struct stage *stage)
{
    acknowledged_free(stage->acknowledged);
    harness_free(stage->harness);
    (void)nftw(stage->directory, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

static enum err compare(struct stage *stage, int64_t own_execution_id)
{
    stage->detail = (struct detail){""};
    return acknowledged_compare(stage->acknowledged, harness_db(stage->harness), own_execution_id,
                                &stage->detail);
}

/* The end of an execution, so many seconds ago: executions 1, 2, ... settle 2026-07-01, 02, ... */
static void settle(struct stage *stage, int number, int age_s)
{
    char sql[SQL_BYTES];
    ck_assert(text_format(sql, sizeof(sql),
                          "INSERT INTO acknowledgement (acknowledgement_id, token, kind,"
                          " job_execution_id, job_name, target_date, status, acknowledged_at)"
                          " VALUES (%d, UUID(), 'EXECUTION', %d, 'daily-settlement',"
                          " '2026-07-01' + INTERVAL %d DAY, 'COMPLETED',"
                          " NOW(6) - INTERVAL %d SECOND)",
                          number, number, number - 1, age_s));
    harness_execute(stage->harness, sql);
}

static void lose(struct stage *stage, int number)
{
    char sql[SQL_BYTES];
    ck_assert(text_format(sql, sizeof(sql),
                          "DELETE FROM acknowledgement WHERE acknowledgement_id = %d", number));
    harness_execute(stage->harness, sql);
}

static void accept_loss(struct stage *stage)
{
    harness_execute(
        stage->harness,
        "INSERT INTO acknowledgement (token, kind, acknowledged_at, accepted_by, reason)"
        " VALUES (UUID(), 'LOSS_ACCEPTED', NOW(6) - INTERVAL 1 MINUTE, 'me', 'so')");
}

static void expect_words(const struct stage *stage, const char *words)
{
    ck_assert_msg(strstr(stage->detail.text, words) != NULL, "\"%s\" lacks \"%s\"",
                  stage->detail.text, words);
}

START_TEST(a_row_that_is_missing_is_noticed_and_named_until_it_is_back)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    ck_assert_int_eq(compare(&stage, 0), OK);
    settle(&stage, 1, OLD_S);
    settle(&stage, 2, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    harness_execute(stage.harness, "CREATE TABLE aside SELECT * FROM acknowledgement");
    lose(&stage, 2);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    expect_words(&stage,
                 "HALTED: the database has lost what it had acknowledged: it does not know "
                 "that 2026-07-02 (execution 2) was settled");
    expect_words(&stage, "the latest it knows is 2026-07-01 (execution 1)");
    expect_words(&stage, stage.directory);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    harness_execute(stage.harness,
                    "INSERT INTO acknowledgement SELECT * FROM aside WHERE job_execution_id = 2");
    ck_assert_int_eq(compare(&stage, 0), OK);
}
END_TEST

START_TEST(what_is_remembered_outlives_the_process_and_is_shared_by_those_of_a_host)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    struct acknowledged *other = process_in(&stage);
    settle(&stage, 1, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 1);
    ck_assert_int_eq(acknowledged_compare(other, harness_db(stage.harness), 0, &stage.detail),
                     ERR_BEHIND);
    acknowledged_free(other);
    acknowledged_free(stage.acknowledged);
    stage.acknowledged = process_in(&stage);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    expect_words(&stage, "the latest it knows is no settled day at all");
}
END_TEST

/* A server without a binary log shows rows a moment before they are safe. */
START_TEST(what_others_have_just_ended_is_not_remembered_yet_but_what_we_have)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    settle(&stage, 1, 0);
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 1);
    ck_assert_int_eq(compare(&stage, 0), OK);
    settle(&stage, 2, 0);
    settle(&stage, 3, 0);
    ck_assert_int_eq(compare(&stage, 2), OK);
    lose(&stage, 3);
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 2);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    expect_words(&stage, "(execution 2)");
}
END_TEST

START_TEST(a_row_with_a_lower_number_that_came_later_counts_as_well)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    settle(&stage, 5, OLD_S);
    settle(&stage, 8, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    settle(&stage, 7, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    settle(&stage, 3, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 7);
    lose(&stage, 3);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    expect_words(&stage, "(execution 3), 2026-07-07 (execution 7) were settled");
}
END_TEST

START_TEST(another_row_with_the_same_number_is_another_history)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    settle(&stage, 1, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    harness_execute(stage.harness, "UPDATE acknowledgement SET token = UUID()");
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
}
END_TEST

START_TEST(a_loss_that_was_accepted_is_over_and_no_other_one_is)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    accept_loss(&stage); /* of long ago */
    settle(&stage, 11, OLD_S);
    settle(&stage, 12, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 12);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    accept_loss(&stage);
    ck_assert_int_eq(compare(&stage, 0), OK);
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 11);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
}
END_TEST

START_TEST(only_the_latest_rows_are_remembered)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    for (int i = 1; i <= STATE_ENTRIES + 10; i++) {
        settle(&stage, i, OLD_S);
        if (i % 100 == 0) ck_assert_int_eq(compare(&stage, 0), OK);
    }
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 10);
    ck_assert_int_eq(compare(&stage, 0), OK);
    for (int i = STATE_ENTRIES; i <= STATE_ENTRIES + 10; i++)
        lose(&stage, i);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    expect_words(&stage, "(execution 259) and 7 more were settled");
}
END_TEST

START_TEST(another_installation_is_not_taken_for_the_same_one)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    ck_assert_int_eq(compare(&stage, 0), OK);
    harness_execute(stage.harness, "UPDATE installation SET installation_id = UUID()");
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    expect_words(&stage, "is not the one that was worked on until now");
    accept_loss(&stage);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
}
END_TEST

static const char *const damaged[] = {
    "",
    "{",
    "[]",
    "{\"format\": 2, \"installation\": \"a\", \"acknowledged\": []}",
    "{\"format\": 1, \"installation\": \"a\"}",
    "{\"format\": 1, \"installation\": \"a\", \"acknowledged\": [{\"id\": 1}]}",
    "{\"format\": 1, \"installation\": \"0123456789012345678901234567890123456\", \"acknowledged\": []}",
};

START_TEST(a_file_that_cannot_be_read_halts_and_is_left_alone)
{
    CLEANUP(stage_end) struct stage stage;
    char path[2 * PATH_BYTES];
    struct stat status;
    stage_begin(&stage);
    settle(&stage, 1, OLD_S);
    ck_assert(
        text_format(path, sizeof(path), "%s/acknowledged-a%%20database.json", stage.directory));
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(damaged[_i], file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(compare(&stage, 0), ERR_BEHIND);
    expect_words(&stage, "cannot be read");
    expect_words(&stage, path);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, (off_t)strlen(damaged[_i]));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(compare(&stage, 0), OK);
}
END_TEST

START_TEST(a_disk_that_cannot_be_written_stops_nobody)
{
    CLEANUP(stage_end) struct stage stage;
    char path[2 * PATH_BYTES];
    stage_begin(&stage);
    settle(&stage, 1, OLD_S);
    ck_assert(
        text_format(path, sizeof(path), "%s/acknowledged-a%%20database.json.new", stage.directory));
    ck_assert_int_eq(mkdir(path, 0700), 0); /* where the new file would be */
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 1);
    ck_assert_int_eq(compare(&stage, 0), OK);
}
END_TEST

START_TEST(without_a_directory_nothing_is_remembered)
{
    CLEANUP(stage_end) struct stage stage;
    stage_begin(&stage);
    acknowledged_free(stage.acknowledged);
    ck_assert_int_eq(acknowledged_new("", "a database", &stage.acknowledged, &stage.detail), OK);
    settle(&stage, 1, OLD_S);
    ck_assert_int_eq(compare(&stage, 0), OK);
    lose(&stage, 1);
    ck_assert_int_eq(compare(&stage, 0), OK);
}
END_TEST

START_TEST(a_directory_that_cannot_be_used_is_refused)
{
    struct acknowledged *acknowledged = NULL;
    struct detail detail = {""};
    ck_assert_int_eq(acknowledged_new("/nowhere/at/all", "a", &acknowledged, &detail), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(detail.text, "/nowhere/at/all cannot be written: No such file"));
    ck_assert_int_eq(acknowledged_new("/dev/null", "a", &acknowledged, &detail), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(detail.text, "/dev/null cannot be written: Not a directory"));
}
END_TEST

Suite *test_acknowledged_suite(void)
{
    Suite *suite = suite_create("acknowledged");
    TCase *cases = tcase_create("acknowledged");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_row_that_is_missing_is_noticed_and_named_until_it_is_back);
    tcase_add_test(cases, what_is_remembered_outlives_the_process_and_is_shared_by_those_of_a_host);
    tcase_add_test(cases, what_others_have_just_ended_is_not_remembered_yet_but_what_we_have);
    tcase_add_test(cases, a_row_with_a_lower_number_that_came_later_counts_as_well);
    tcase_add_test(cases, another_row_with_the_same_number_is_another_history);
    tcase_add_test(cases, a_loss_that_was_accepted_is_over_and_no_other_one_is);
    tcase_add_test(cases, only_the_latest_rows_are_remembered);
    tcase_add_test(cases, another_installation_is_not_taken_for_the_same_one);
    tcase_add_loop_test(cases, a_file_that_cannot_be_read_halts_and_is_left_alone, 0,
                        (int)COUNT_OF(damaged));
    tcase_add_test(cases, a_disk_that_cannot_be_written_stops_nobody);
    tcase_add_test(cases, without_a_directory_nothing_is_remembered);
    tcase_add_test(cases, a_directory_that_cannot_be_used_is_refused);
    suite_add_tcase(suite, cases);
    return suite;
}
