/* The database's side of an import that stands still: nothing stays locked or loaded, and it is
 * told why. What imports do otherwise is tried with the program. */
#include "cli/import_load.h"

#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "tests/db/harness.h"
#include "tests/db/suites.h"

enum { IDLE_S = 3, WAIT_US = 20000000, LOOK_AGAIN_MS = 50 };

struct stage {
    struct harness *harness;
    struct db *db;
    struct import_layout layout;
    struct import_reject reject;
    struct import_load load;
};

static enum err give_header(void *context, void *buffer, size_t size, size_t *ret_length)
{
    static const char header[] = "member_id,email,username,role\n";
    bool *given = context;
    ck_assert_uint_gt(size, sizeof(header));
    *ret_length = *given ? 0 : sizeof(header) - 1;
    memcpy(buffer, header, *ret_length);
    *given = true;
    return OK;
}

static void read_layout(struct import_layout *layout)
{
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    struct csv_record header;
    struct detail detail = {0};
    bool given = false, more = false;
    ck_assert_int_eq(csv_reader_new(give_header, &given, &reader), OK);
    ck_assert_int_eq(csv_reader_next(reader, &header, &more), OK);
    ck_assert_int_eq(import_layout_read(import_kind_find("member"), &header, layout, &detail), OK);
}

static void begin(struct stage *stage)
{
    struct detail detail = {0};
    stage->harness = harness_new();
    struct db_options options = *harness_options(stage->harness);
    options.idle_transaction_s = IDLE_S;
    ck_assert_int_eq(db_open(&options, &stage->db, &detail), OK);
    read_layout(&stage->layout);
    stage->load = (struct import_load){.db = stage->db,
                                       .layout = &stage->layout,
                                       .reject = &stage->reject,
                                       .path = "members.csv",
                                       .hash = "hash",
                                       .idle_s = IDLE_S};
    enum err err = import_load_begin(&stage->load, &detail);
    ck_assert_msg(err == OK, "%s", detail.text);
}

static void end(struct stage *stage)
{
    import_load_end(&stage->load);
    db_free(stage->db);
    harness_free(stage->harness);
}

static bool has_session(struct stage *stage)
{
    char sql[128];
    (void)text_format(sql, sizeof(sql),
                      "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = %llu",
                      (unsigned long long)db_session_id(stage->db));
    return harness_i64(stage->harness, sql) > 0;
}

static void wait_a_moment(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
}

static void stand_still(struct stage *stage)
{
    int64_t began_us = clock_monotonic_us(&clock_system);
    while (has_session(stage)) {
        ck_assert_int_lt(clock_monotonic_us(&clock_system) - began_us, WAIT_US);
        wait_a_moment();
    }
}

START_TEST(one_that_stands_still_is_rolled_back_and_told_so)
{
    CLEANUP(end) struct stage stage = {0};
    struct detail detail = {0};
    begin(&stage);
    stand_still(&stage);
    ck_assert_int_eq(import_load_commit(&stage.load, &detail), ERR_LOST);
    ck_assert_msg(strstr(detail.text,
                         "members.csv: the import stood still for more than 3 s and "
                         "was rolled back; nothing was loaded, import it again"),
                  "%s", detail.text);
    ck_assert_int_eq(harness_i64(stage.harness, "SELECT COUNT(*) FROM import_file"), 0);
    harness_execute(stage.harness, "SELECT job_name FROM job_control FOR UPDATE");
}
END_TEST

/* A long stretch of the file may give nothing to insert. */
START_TEST(one_that_only_reads_is_not_taken_for_one_that_stands_still)
{
    CLEANUP(end) struct stage stage = {0};
    struct detail detail = {0};
    begin(&stage);
    int64_t began_us = clock_monotonic_us(&clock_system);
    while (clock_monotonic_us(&clock_system) - began_us < INT64_C(3000000) * IDLE_S) {
        wait_a_moment();
        enum err err = import_load_keep(&stage.load, &detail);
        ck_assert_msg(err == OK, "%s", detail.text);
    }
    ck_assert_int_eq(import_load_commit(&stage.load, &detail), OK);
    ck_assert_int_eq(harness_i64(stage.harness, "SELECT COUNT(*) FROM import_file"), 1);
}
END_TEST

START_TEST(one_whose_connection_is_lost_did_not_stand_still)
{
    CLEANUP(end) struct stage stage = {0};
    struct detail detail = {0};
    begin(&stage);
    db_shut_down(stage.db);
    ck_assert_int_eq(import_load_commit(&stage.load, &detail), ERR_LOST);
    ck_assert_ptr_null(strstr(detail.text, "stood still"));
    ck_assert_msg(strstr(detail.text, "nothing was loaded, import it again"), "%s", detail.text);
}
END_TEST

Suite *test_import_load_suite(void)
{
    Suite *suite = suite_create("import_load");
    TCase *cases = tcase_create("idle");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, one_that_stands_still_is_rolled_back_and_told_so);
    tcase_add_test(cases, one_that_only_reads_is_not_taken_for_one_that_stands_still);
    tcase_add_test(cases, one_whose_connection_is_lost_did_not_stand_still);
    suite_add_tcase(suite, cases);
    return suite;
}
