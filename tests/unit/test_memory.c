/* Memory that is not to be had, at every place of the code that needs no database. */
#include "tests/unit/exhaust.h"
#include "tests/unit/suites.h"

#ifdef SETTLEMENTD_TEST_SEAMS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/import_batch.h"
#include "cli/output.h"
#define FAULT_CALLS_OURS
#include "common/fault_calls.h"
#include "common/timetable.h"
#include "common/tzif.h"
#include "daemon/schedule_report.h"

static const char CONFIGURATION[] =
    "timezone = \"Europe/Berlin\";\n"
    "workers: { threads = 2; partition_items = 5000000000L; };\n"
    "jobs = ( { name = \"a\"; cron = \"30 2 * * *\"; },\n"
    "         { name = \"b\"; timezone = \"America/New_York\"; } );\n";

static enum err parse_configuration(void *context)
{
    (void)context;
    struct config config;
    struct detail detail = {""};
    TRY(config_parse("a.conf", CONFIGURATION, &config, &detail));
    return config.job_count == 2 && config.workers.partition_items == 5000000000 ? OK : ERR_INVALID;
}

static enum err load_configuration(void *context)
{
    const char *path = context;
    struct config config;
    struct detail detail = {""};
    return config_load(path, &config, &detail);
}

static enum err load_zone(void *context)
{
    (void)context;
    CLEANUP(zone_cleanup) struct zone *zone = NULL;
    struct detail detail = {""};
    return tzif_load(ZONE_FOLDER, "America/New_York", &zone, &detail);
}

static enum err make_timetable(void *context)
{
    (void)context;
    const struct timetable_options options = {"0 2 * * SUN", "Europe/Berlin", "Asia/Seoul"};
    CLEANUP(timetable_cleanup) struct timetable *timetable = NULL;
    struct detail detail = {""};
    int64_t slot_s = 0;
    TRY(timetable_new(&options, &timetable, &detail));
    return timetable_next(timetable, 1772884800, &slot_s) ? OK : ERR_NOT_FOUND;
}

static enum err report_schedules(void *context)
{
    (void)context;
    static char said[4096];
    struct config config;
    struct detail detail = {""};
    config_defaults(&config);
    CLEANUP(close_file) FILE *file = fmemopen(said, sizeof(said), "w");
    return schedule_report(&config, 1772884800, file, file, &detail);
}

/* The bytes of a CSV file, and how many were read. */
struct bytes {
    const char *text;
    size_t at;
};

static enum err read_bytes(void *context, void *buffer, size_t size, size_t *ret_length)
{
    struct bytes *bytes = context;
    size_t length = strlen(bytes->text + bytes->at);
    *ret_length = length < size ? length : size;
    memcpy(buffer, bytes->text + bytes->at, *ret_length);
    bytes->at += *ret_length;
    return OK;
}

static enum err read_csv(void *context)
{
    (void)context;
    struct bytes bytes = {.text = "a,b\r\n1,\"two\nlines\"\r\n3,four\r\n"};
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    TRY(csv_reader_new(read_bytes, &bytes, &reader));
    int records = 0;
    for (bool more = true; more; records += more) {
        struct csv_record record;
        TRY(csv_reader_next(reader, &record, &more));
        if (more && record.fault != NULL) return ERR_INVALID;
    }
    return records == 3 ? OK : ERR_INVALID;
}

static enum err fill_batch(void *context)
{
    (void)context;
    struct bytes bytes = {.text =
                              "member_id,email,username,role\r\n1,e,a,MEMBER\r\n2,f,b,CREATOR\r\n"};
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    CLEANUP(import_batch_cleanup) struct import_batch *batch = NULL;
    struct csv_record header;
    struct import_layout layout;
    struct detail detail = {""};
    bool more = false;
    TRY(csv_reader_new(read_bytes, &bytes, &reader));
    TRY(csv_reader_next(reader, &header, &more));
    if (!more) return ERR_INVALID;
    TRY(import_layout_read(import_kind_find("member"), &header, &layout, &detail));
    TRY(import_batch_new(&layout, &batch));
    TRY(import_batch_fill(batch, reader));
    return batch->rows == 2 && batch->reject_count == 0 ? OK : ERR_INVALID;
}

static const struct output_column COLUMNS[] = {
    {"Id", "id", OUTPUT_KEY},
    {"Title", "title", OUTPUT_TEXT},
    {"Revenue", "revenue", OUTPUT_MONEY},
    {"Late", "late", OUTPUT_FLAG},
};

static void add_rows(struct output *output)
{
    for (int64_t row = 0; row < 40; row++) {
        output_i64(output, row);
        if (row % 7 == 0)
            output_nothing(output);
        else
            output_text(output, "a title");
        output_i64(output, row * 1000);
        output_flag(output, row % 2 == 0);
    }
    output_total(output);
    output_nothing(output);
    output_nothing(output);
    output_i64(output, 12345);
    output_nothing(output);
}

/* What was printed must be whole: `length` is what the first, undisturbed time gave. */
struct print {
    enum err (*print)(const struct output *output, FILE *file);
    size_t length;
    char text[32 * 1024];
};

static enum err print_output(void *context)
{
    struct print *print = context;
    memset(print->text, 0, sizeof(print->text));
    CLEANUP(output_cleanup) struct output *output = output_new(COLUMNS, COUNT_OF(COLUMNS));
    CLEANUP(close_file) FILE *file = fmemopen(print->text, sizeof(print->text), "w");
    add_rows(output);
    TRY(print->print(output, file));
    close_file(&file);
    if (print->length == 0) print->length = strlen(print->text);
    return strlen(print->text) == print->length && print->length > 0 ? OK : ERR_CHECK_FAILED;
}

static enum err print_list_as_json(const struct output *output, FILE *file)
{
    return output_print_json(json_pack("{s:o, s:o}", "rows", output_json_rows(output), "total",
                                       output_json_total(output)),
                             file);
}

static const struct exhaust_scenario scenarios[] = {
    {"parse a configuration", parse_configuration, 1, true},
    {"load a time zone", load_zone, 3, false},
    {"make a timetable", make_timetable, 7, false},
    {"report the schedules", report_schedules, 3, false},
    {"read CSV", read_csv, 2, true},
    {"fill a batch of an import", fill_batch, 8, true},
};

START_TEST(memory_that_is_not_to_be_had_is_said_and_nothing_is_left)
{
    (void)exhaust(&scenarios[_i], NULL);
}
END_TEST

START_TEST(a_configuration_file_is_not_half_read)
{
    static const struct exhaust_scenario load = {"load a configuration", load_configuration, 2,
                                                 true};
    char path[] = "/tmp/settlementd-memory-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, CONFIGURATION, strlen(CONFIGURATION)), strlen(CONFIGURATION));
    (void)close(file);
    (void)exhaust(&load, path);
    (void)unlink(path);
}
END_TEST

START_TEST(a_table_is_printed_whole_or_not_at_all)
{
    static const struct exhaust_scenario printing = {"print a table", print_output, 36, false};
    struct print print = {.print = _i == 0   ? output_print_table
                                   : _i == 1 ? output_print_csv
                                             : output_print_record};
    ck_assert_int_eq(print_output(&print), OK);
    (void)exhaust(&printing, &print);
}
END_TEST

START_TEST(a_document_is_printed_whole_or_not_at_all)
{
    static const struct exhaust_scenario printing = {"print JSON", print_output, 100, false};
    struct print print = {.print = print_list_as_json};
    ck_assert_int_eq(print_output(&print), OK);
    json_set_alloc_funcs(fault_malloc, free);
    (void)exhaust(&printing, &print);
    json_set_alloc_funcs(malloc, free);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, memory_that_is_not_to_be_had_is_said_and_nothing_is_left, 0,
                        COUNT_OF(scenarios));
    tcase_add_test(tcase, a_configuration_file_is_not_half_read);
    tcase_add_loop_test(tcase, a_table_is_printed_whole_or_not_at_all, 0, 3);
    tcase_add_test(tcase, a_document_is_printed_whole_or_not_at_all);
}

#else

static void add_tests(TCase *tcase)
{
    (void)tcase;
}

#endif

Suite *test_memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    return suite;
}
