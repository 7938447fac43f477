#include "cli/output.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/suites.h"

static const struct output_column columns[] = {
    {"Id", "id", OUTPUT_KEY},
    {"Title", "title", OUTPUT_TEXT},
    {"Views", "views", OUTPUT_COUNT},
    {"Revenue", "revenue", OUTPUT_MONEY},
    {"Watch time", "watch_time", OUTPUT_SECONDS},
    {"Took", "took", OUTPUT_DURATION},
    {"At", "at", OUTPUT_TIME},
    {"Late", "late", OUTPUT_FLAG},
};

static void add_row(struct output *output, int64_t id, const char *title, int64_t number)
{
    output_i64(output, id);
    output_text(output, title);
    output_i64(output, number);
    output_i64(output, number);
    output_i64(output, number);
    output_i64(output, number);
    output_text(output, "2026-07-02T00:10:03Z");
    output_flag(output, number > 0);
}

typedef enum err printer(const struct output *output, FILE *file);

static char *printed(const struct output *output, printer *print)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(print(output, file), OK);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

static void assert_prints(const struct output *output, printer *print, const char *expected)
{
    CLEANUP(free_pointer) char *text = printed(output, print);
    ck_assert_str_eq(text, expected);
}

START_TEST(a_table_is_aligned_with_numbers_to_the_right)
{
    CLEANUP(output_cleanup) struct output *output = output_new(columns, COUNT_OF(columns));
    add_row(output, 1234567, "short", 1234567);
    add_row(output, 2, "한국어 제목", 7500000);
    assert_prints(
        output, output_print_table,
        "     Id  Title            Views   Revenue   Watch time   Took  At                   Late\n"
        "-------  -----------  ---------  --------  -----------  -----  -------------------  ----\n"
        "1234567  short        1,234,567  1.234567    342:56:07  1.2 s  2026-07-02 00:10:03  yes\n"
        "      2  한국어 제목  7,500,000  7.500000  2,083:20:00  7.5 s  2026-07-02 00:10:03  "
        "yes\n");
}
END_TEST

START_TEST(a_total_is_set_off_and_only_for_eyes_and_json)
{
    static const struct output_column two[] = {{"Creator", "creator", OUTPUT_KEY},
                                               {"Total", "total", OUTPUT_MONEY}};
    CLEANUP(output_cleanup) struct output *output = output_new(two, COUNT_OF(two));
    output_i64(output, 7);
    output_i64(output, 1500000);
    output_total(output);
    output_nothing(output);
    output_i64(output, 1500000);
    ck_assert_int_eq(output_rows(output), 1);
    assert_prints(output, output_print_table,
                  "Creator  Total\n"
                  "-------  -----\n"
                  "      7   1.50\n"
                  "-------  -----\n"
                  "      -   1.50\n");
    assert_prints(output, output_print_csv, "creator,total\r\n7,1.50\r\n");
    json_t *rows = output_json_rows(output), *total = output_json_total(output);
    ck_assert_uint_eq(json_array_size(rows), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(total, "total_micros")), 1500000);
    ck_assert(json_is_null(json_object_get(total, "creator")));
    json_decref(rows);
    json_decref(total);
}
END_TEST

START_TEST(amounts_are_exact_and_signed)
{
    static const struct output_column one[] = {{"Amount", "amount", OUTPUT_MONEY}};
    static const int64_t amounts[] = {0, -1, -1500000, INT64_MAX, INT64_MIN};
    CLEANUP(output_cleanup) struct output *output = output_new(one, COUNT_OF(one));
    for (size_t i = 0; i < COUNT_OF(amounts); i++)
        output_i64(output, amounts[i]);
    assert_prints(output, output_print_table,
                  "                   Amount\n"
                  "-------------------------\n"
                  "                 0.000000\n"
                  "                -0.000001\n"
                  "                -1.500000\n"
                  " 9,223,372,036,854.775807\n"
                  "-9,223,372,036,854.775808\n");
    assert_prints(output, output_print_csv,
                  "amount\r\n0.00\r\n-0.000001\r\n-1.50\r\n"
                  "9223372036854.775807\r\n-9223372036854.775808\r\n");
}
END_TEST

struct csv_case {
    const char *value, *field;
};

static const struct csv_case csv_cases[] = {
    {"plain", "plain"},
    {"", ""},
    {"a,b", "\"a,b\""},
    {"say \"hi\"", "\"say \"\"hi\"\"\""},
    {"two\nlines", "\"two\nlines\""},
    {"=1+1", "\"'=1+1\""},
    {"+1", "\"'+1\""},
    {"-1", "\"'-1\""},
    {"@SUM(A1)", "\"'@SUM(A1)\""},
    {"\tx", "\"'\tx\""},
    {"\n=1", "\"'\n=1\""},
    {"\r=1", "\"'\r=1\""},
    {"＝1+1", "\"'＝1+1\""},
    {"＋1", "\"'＋1\""},
    {"a\033[2J\xc2\x9b\xe2\x80\xae\xff", "a?[2J???"},
    {"a=b", "a=b"},
    {"한국어", "한국어"},
};

START_TEST(a_csv_text_is_quoted_and_never_a_formula)
{
    static const struct output_column one[] = {{"Text", "text", OUTPUT_TEXT}};
    CLEANUP(output_cleanup) struct output *output = output_new(one, COUNT_OF(one));
    output_text(output, csv_cases[_i].value);
    char expected[64];
    ck_assert(text_format(expected, sizeof(expected), "text\r\n%s\r\n", csv_cases[_i].field));
    assert_prints(output, output_print_csv, expected);
}
END_TEST

START_TEST(negative_numbers_in_csv_stay_numbers)
{
    static const struct output_column two[] = {{"Count", "count", OUTPUT_COUNT},
                                               {"Took", "took", OUTPUT_DURATION}};
    CLEANUP(output_cleanup) struct output *output = output_new(two, COUNT_OF(two));
    output_i64(output, -1234);
    output_i64(output, 1500000);
    output_nothing(output);
    output_nothing(output);
    assert_prints(output, output_print_csv, "count,took_s\r\n-1234,1.500000\r\n,\r\n");
}
END_TEST

START_TEST(json_has_units_in_its_names)
{
    CLEANUP(output_cleanup) struct output *output = output_new(columns, COUNT_OF(columns));
    add_row(output, 5, "a \"title\"", 42);
    json_t *row = output_json_record(output);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "id")), 5);
    ck_assert_str_eq(json_string_value(json_object_get(row, "title")), "a \"title\"");
    ck_assert_int_eq(json_integer_value(json_object_get(row, "views")), 42);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "revenue_micros")), 42);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "watch_time_s")), 42);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "took_us")), 42);
    ck_assert_str_eq(json_string_value(json_object_get(row, "at")), "2026-07-02T00:10:03Z");
    ck_assert(json_is_true(json_object_get(row, "late")));
    json_decref(row);
}
END_TEST

START_TEST(control_characters_do_not_reach_a_terminal)
{
    static const struct output_column one[] = {{"T", "t", OUTPUT_TEXT}};
    CLEANUP(output_cleanup) struct output *output = output_new(one, COUNT_OF(one));
    output_text(output,
                "a\033[2Jb\nc\xc2\x9b"
                "d");
    CLEANUP(free_pointer) char *text = printed(output, output_print_table);
    ck_assert_ptr_nonnull(strstr(text, "a?[2Jb c?d\n"));
}
END_TEST

/* Programs get every character back, and terminals none that they would obey. */
START_TEST(json_has_what_a_terminal_would_obey_as_escapes)
{
    static const char text[] = "a\033[2J\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81 한 \"\n";
    char *buffer = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&buffer, &size);
    ck_assert_ptr_nonnull(file);
    json_t *document = json_pack("{s:o, s:o}", "text", output_json_text(text), "broken",
                                 output_json_text("x\xff\xed\xa0\x80y"));
    ck_assert_int_eq(output_print_json(document, file), OK);
    ck_assert_int_eq(fclose(file), 0);
    for (const char *at = buffer; *at != '\0'; at++)
        ck_assert_msg((unsigned char)*at >= 0x20 || *at == '\n', "%s", buffer);
    ck_assert_ptr_null(strstr(buffer, "\xc2\x9b"));
    ck_assert_ptr_null(strstr(buffer, "\xe2\x80\xae"));
    ck_assert_ptr_null(strchr(buffer, '\x7f'));
    ck_assert_ptr_nonnull(strstr(buffer, "\\udb40\\udc41 한"));
    document = json_loads(buffer, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(document, "text")), text);
    ck_assert_str_eq(json_string_value(json_object_get(document, "broken")), "x????y");
    json_decref(document);
    free(buffer);
}
END_TEST

START_TEST(a_record_has_a_line_for_each_column)
{
    static const struct output_column three[] = {{"Execution", "execution", OUTPUT_KEY},
                                                 {"Job", "job", OUTPUT_TEXT},
                                                 {"Message", "message", OUTPUT_TEXT}};
    CLEANUP(output_cleanup) struct output *output = output_new(three, COUNT_OF(three));
    output_i64(output, 12);
    output_text(output, "daily-settlement");
    output_text(output, "");
    assert_prints(output, output_print_record,
                  "Execution  12\n"
                  "Job        daily-settlement\n"
                  "Message    -\n");
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
    static const struct output_column one[] = {{"T", "t", OUTPUT_KEY}};
    CLEANUP(output_cleanup) struct output *output = output_new(one, COUNT_OF(one));
    output_i64(output, 1);
    CLEANUP(close_file) FILE *full = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full);
    ck_assert_int_eq(output_print_table(output, full), ERR_IO);
    ck_assert_int_eq(output_print_csv(output, full), ERR_IO);
    ck_assert_int_eq(output_print_json(output_json_rows(output), full), ERR_IO);
}
END_TEST

START_TEST(no_memory_is_told_by_whoever_prints)
{
    output_i64(NULL, 1);
    output_text(NULL, "x");
    output_total(NULL);
    ck_assert_int_eq(output_rows(NULL), 0);
    ck_assert_int_eq(output_print_table(NULL, stderr), ERR_MEMORY);
    ck_assert_int_eq(output_print_csv(NULL, stderr), ERR_MEMORY);
    ck_assert_ptr_null(output_json_rows(NULL));
    ck_assert_int_eq(output_print_json(NULL, stderr), ERR_MEMORY);
}
END_TEST

Suite *test_output_suite(void)
{
    const TTest *const tests[] = {
        a_table_is_aligned_with_numbers_to_the_right,
        a_total_is_set_off_and_only_for_eyes_and_json,
        amounts_are_exact_and_signed,
        negative_numbers_in_csv_stay_numbers,
        json_has_units_in_its_names,
        control_characters_do_not_reach_a_terminal,
        json_has_what_a_terminal_would_obey_as_escapes,
        a_record_has_a_line_for_each_column,
        a_full_disk_is_an_error,
        no_memory_is_told_by_whoever_prints,
    };
    Suite *suite = suite_create("output");
    TCase *cases = tcase_create("output");
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(cases, tests[i]);
    tcase_add_loop_test(cases, a_csv_text_is_quoted_and_never_a_formula, 0,
                        (int)COUNT_OF(csv_cases));
    suite_add_tcase(suite, cases);
    return suite;
}
