#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import_row.h"
#include "tests/unit/suites.h"

static struct csv_field field_of(const char *text)
{
    return (struct csv_field){text, strlen(text)};
}

static const struct import_column *column_of(const char *kind_name, const char *column_name)
{
    const struct import_kind *kind = import_kind_find(kind_name);
    ck_assert_ptr_nonnull(kind);
    for (int i = 0; i < kind->column_count; i++)
        if (strcmp(kind->columns[i].name, column_name) == 0) return &kind->columns[i];
    ck_abort_msg("%s has no column %s", kind_name, column_name);
}

/* A field that is checked; `reason` NULL: it is good, and its text or number goes to the table as
 * it is. */
struct field_case {
    const char *kind, *column, *text, *reason;
};

static const struct field_case field_cases[] = {
    {"member", "member_id", "1", NULL},
    {"member", "member_id", "0", "member_id: 0 is out of range, which is 1 to 9223372036854775807"},
    {"member", "member_id", "-1", "out of range"},
    {"member", "member_id", "", "member_id: is empty (for the default, leave the column out)"},
    {"watch-log", "member_id", "0", NULL},
    {"watch-log", "member_id", "-9223372036854775807", NULL},
    {"watch-log", "member_id", "-9223372036854775808", "out of range"},
    {"watch-log", "member_id", "-9223372036854775809", "out of range"},
    {"watch-log", "member_id", "9223372036854775807", NULL},
    {"watch-log", "member_id", "9223372036854775808", "out of range"},
    {"watch-log", "member_id", "99999999999999999999999999", "out of range"},
    {"watch-log", "member_id", "12x", "member_id: '12x' is not a whole number"},
    {"watch-log", "member_id", "+12", "is not a whole number"},
    {"watch-log", "member_id", " 12", "is not a whole number"},
    {"watch-log", "member_id", "12 ", "is not a whole number"},
    {"watch-log", "member_id", "-", "is not a whole number"},
    {"watch-log", "member_id", "1.0", "is not a whole number"},
    {"watch-log", "member_id", "1e3", "is not a whole number"},
    {"watch-log", "member_id", "0x10", "is not a whole number"},
    {"watch-log", "member_id", "1,000", "is not a whole number"},
    {"watch-log", "member_id", "007", NULL},
    {"watch-log", "member_id", "", "member_id: is empty"},
    {"watch-log", "total_playback_time", "2147483647", NULL},
    {"watch-log", "total_playback_time", "2147483648", "out of range, which is 0 to 2147483647"},
    {"watch-log", "total_playback_time", "-1", "out of range"},
    {"ad-log", "playback_position", "-1", "out of range"},
    {"content", "duration", "-1", "out of range"},
    {"watch-log", "watched_date", "2024-02-29", NULL},
    {"watch-log", "watched_date", "2023-02-29", "'2023-02-29' is not a date that exists"},
    {"watch-log", "watched_date", "2026-13-01", "is not a date that exists"},
    {"watch-log", "watched_date", "2026-1-1", "is not a date that exists"},
    {"watch-log", "watched_date", "01/02/2026", "is not a date that exists"},
    {"watch-log", "watched_date", "2026-01-01 00:00:00", "is not a date that exists"},
    {"watch-log", "watched_date", "0000-00-00", "is not a date that exists"},
    {"watch-log", "watched_date", "", "watched_date: is empty"},
    {"watch-log", "streaming_status", "COMPLETED", NULL},
    {"watch-log", "streaming_status", "completed",
     "is none of IN_PROGRESS, PAUSED, STOPPED, COMPLETED"},
    {"watch-log", "streaming_status", "COMPLETED ", "is none of"},
    {"watch-log", "streaming_status", "REWINDING", "'REWINDING' is none of"},
    {"watch-log", "streaming_status", "", "streaming_status: is empty"},
    {"member", "role", "ADMIN", "is none of ANONYMOUS, MEMBER, CREATOR"},
    {"watch-log", "created_at", "2026-07-01 23:59:59", NULL},
    {"watch-log", "created_at", "2026-07-01 23:59:59.1", NULL},
    {"watch-log", "created_at", "2026-07-01 23:59:59.123456", NULL},
    {"watch-log", "created_at", "2026-07-01 23:59:59.1234567", "is not a time that exists"},
    {"watch-log", "created_at", "2026-07-01 23:59:59.", "is not a time that exists"},
    {"watch-log", "created_at", "2026-07-01 24:00:00", "is not a time that exists"},
    {"watch-log", "created_at", "2026-07-01 23:60:00", "is not a time that exists"},
    {"watch-log", "created_at", "2026-07-01 23:59:60", "is not a time that exists"},
    {"watch-log", "created_at", "2026-06-31 00:00:00", "is not a time that exists"},
    {"watch-log", "created_at", "2026-07-01T00:00:00", "is not a time that exists"},
    {"watch-log", "created_at", "2026-07-01 00:00:00Z", "is not a time that exists"},
    {"watch-log", "created_at", "2026-07-01", "is not a time that exists"},
    {"watch-log", "created_at", "", "created_at: is empty (for the default, leave the column out)"},
    {"watch-log", "client_ip", "2001:db8::1", NULL},
    {"watch-log", "client_ip", "0123456789012345678901234567890123456789012345",
     "46 characters are more than 45"},
    {"content", "title", "a title, \"quoted\"\nover two lines", NULL},
    {"content", "title", "\xEC\x9E\xA5\xEB\xA7\x88", NULL},
    {"content", "title", "", "title: is empty"},
    {"content", "title", "\xFF\xFE", "title: '\\xFF\\xFE' is not valid UTF-8"},
    {"content", "title", "\xC0\xAF", "is not valid UTF-8"},
    {"content", "title", "\xED\xA0\x80", "is not valid UTF-8"},
    {"content", "title", "\xF4\x90\x80\x80", "is not valid UTF-8"},
    {"content", "title", "\xE2\x82", "is not valid UTF-8"},
    {"content", "title", "\x80", "is not valid UTF-8"},
    {"content", "title", "\xF0\x9F\x8E\xAC", NULL},
    {"content", "status", "0123456789012345678901", "22 characters are more than 20"},
    {"advertisement", "price_per_view", "0", NULL},
    {"advertisement", "price_per_view", "12.345678", NULL},
    {"advertisement", "price_per_view", "999999999999.999999", NULL},
    {"advertisement", "price_per_view", "000999999999999", NULL},
    {"advertisement", "price_per_view", "1000000000000", "more than 12 digits before the point"},
    {"advertisement", "price_per_view", "0.1234567", "or 6 behind it"},
    {"advertisement", "price_per_view", "-1", "is not a decimal number"},
    {"advertisement", "price_per_view", "1e3", "is not a decimal number"},
    {"advertisement", "price_per_view", ".5", "is not a decimal number"},
    {"advertisement", "price_per_view", "5.", "is not a decimal number"},
    {"advertisement", "price_per_view", "1.5 EUR", "is not a decimal number"},
    {"advertisement", "price_per_view", "NaN", "is not a decimal number"},
};

START_TEST(a_field_is_good_or_the_reason_says_why_not)
{
    const struct field_case *given = &field_cases[_i];
    const struct import_column *column = column_of(given->kind, given->column);
    struct csv_field field = field_of(given->text);
    struct import_value value = {0};
    struct import_reason reason = {""};
    enum err err = import_field_check(column, &field, &value, &reason);
    if (given->reason != NULL) {
        ck_assert_int_eq(err, ERR_INVALID);
        ck_assert_msg(strstr(reason.text, given->reason) != NULL, "'%s' does not say '%s'",
                      reason.text, given->reason);
        ck_assert_int_eq(strncmp(reason.text, given->column, strlen(given->column)), 0);
        return;
    }
    ck_assert_msg(err == OK, "%s", reason.text);
    if (column->type == IMPORT_INTEGER)
        ck_assert_int_eq(value.i64, strtoll(given->text, NULL, 10));
    else
        ck_assert_str_eq(value.text, given->text);
}
END_TEST

START_TEST(an_empty_field_is_null_where_the_column_may_be)
{
    struct csv_field field = field_of("");
    struct import_value value = {.text = "x"};
    struct import_reason reason;
    ck_assert_int_eq(import_field_check(column_of("ad-log", "client_ip"), &field, &value, &reason),
                     OK);
    ck_assert_ptr_null(value.text);
}
END_TEST

START_TEST(a_nul_byte_is_refused_in_every_type)
{
    static const char *const columns[] = {"member_id", "watched_date", "streaming_status",
                                          "client_ip", "created_at"};
    struct csv_field field = {"1\0002", 3};
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        struct import_value value;
        struct import_reason reason;
        const struct import_column *column = column_of("watch-log", columns[i]);
        ck_assert_int_eq(import_field_check(column, &field, &value, &reason), ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(reason.text, "'1\\x002' contains a NUL byte"));
    }
}
END_TEST

START_TEST(lengths_count_characters)
{
    char title[255 * 3 + 4] = "";
    for (size_t i = 0; i < 255; i++)
        memcpy(title + 3 * i, "\xEA\xB0\x80", 3);
    struct csv_field field = {title, 255 * 3};
    struct import_value value;
    struct import_reason reason;
    const struct import_column *column = column_of("content", "title");
    ck_assert_int_eq(import_field_check(column, &field, &value, &reason), OK);
    memcpy(title + 3 * 255, "x", 2);
    field.length++;
    ck_assert_int_eq(import_field_check(column, &field, &value, &reason), ERR_INVALID);
    ck_assert_str_eq(reason.text, "title: 256 characters are more than 255");
}
END_TEST

START_TEST(nothing_of_a_field_can_reach_a_terminal_or_forge_a_line)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain", "plain"},
        {"a\nline 9: fine", "a\\x0Aline 9: fine"},
        {"\x1B[31m", "\\x1B[31m"},
        {"\x7F", "\\x7F"},
        {"\xC2\x9B"
         "1m",
         "\\xC2\\x9B"
         "1m"},
        {"\xC2\xA0", "\xC2\xA0"},
        {"\xEC\x9E\xA5", "\xEC\x9E\xA5"},
        {"\xEC\x9E", "\\xEC\\x9E"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char shown[IMPORT_SHOWN];
        struct csv_field field = field_of(cases[i].text);
        ck_assert_str_eq(import_show(&field, shown), cases[i].shown);
    }
}
END_TEST

START_TEST(a_long_field_is_cut_in_messages)
{
    char text[1001];
    char shown[IMPORT_SHOWN];
    for (int byte = 1; byte < 256; byte++) {
        memset(text, byte, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        struct csv_field field = field_of(text);
        const char *end = import_show(&field, shown);
        ck_assert_str_eq(end + strlen(end) - 3, "...");
    }
}
END_TEST

/* A header or a row without its commas. */
static struct csv_record record_of(const struct csv_field *fields, int count)
{
    return (struct csv_record){.line = 1, .field_count = count, .fields = fields};
}

START_TEST(a_header_may_name_the_columns_in_any_order)
{
    const struct csv_field names[] = {field_of("title"), field_of("member_id"),
                                      field_of("duration")};
    struct csv_record header = record_of(names, COUNT_OF(names));
    struct import_layout layout;
    struct detail detail;
    char sql[IMPORT_SQL];
    ck_assert_int_eq(import_layout_read(import_kind_find("content"), &header, &layout, &detail),
                     OK);
    import_layout_sql(&layout, sql);
    ck_assert_str_eq(sql, "INSERT INTO content_post (title, member_id, duration) VALUES (?, ?, ?)");
}
END_TEST

struct header_case {
    const char *names[5], *reason;
};

static const struct header_case header_cases[] = {
    {{"title", "member_id"}, "does not name the column duration"},
    {{"title", "member_id", "duration", "duration"}, "names the column duration twice"},
    {{"title", "member_id", "duration", "colour"},
     "'colour', which the table content_post does not have"},
    {{"title", "member_id", "Duration"}, "'Duration'"},
    {{"title", "member_id", " duration"}, "' duration'"},
    {{"title", "member_id", "duration", ""}, "''"},
    {{"x) VALUES (1); --"}, "'x) VALUES (1); --'"},
};

START_TEST(a_header_that_does_not_fit_is_refused)
{
    struct csv_field fields[5];
    int count = 0;
    for (const char *const *name = header_cases[_i].names; count < 5 && *name != NULL; name++)
        fields[count++] = field_of(*name);
    struct csv_record header = record_of(fields, count);
    struct import_layout layout;
    struct detail detail;
    ck_assert_int_eq(import_layout_read(import_kind_find("content"), &header, &layout, &detail),
                     ERR_INVALID);
    ck_assert_msg(strstr(detail.text, header_cases[_i].reason) != NULL, "'%s'", detail.text);
}
END_TEST

START_TEST(every_kind_has_an_insert_of_all_its_columns)
{
    static const char *const names[] = {"member", "content", "advertisement", "watch-log",
                                        "ad-log"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct import_layout layout = {.kind = import_kind_find(names[i])};
        ck_assert_ptr_nonnull(layout.kind);
        ck_assert_ptr_nonnull(strstr(import_kind_names(), names[i]));
        for (int j = 0; j < layout.kind->column_count; j++)
            layout.columns[layout.field_count++] = &layout.kind->columns[j];
        char sql[IMPORT_SQL];
        import_layout_sql(&layout, sql);
        ck_assert_ptr_nonnull(strstr(sql, layout.kind->table));
    }
    ck_assert_ptr_null(import_kind_find("settlement"));
}
END_TEST

START_TEST(a_row_has_as_many_fields_as_the_header)
{
    const struct csv_field fields[] = {field_of("a"), field_of("b"), field_of("c")};
    struct import_layout layout = {.kind = import_kind_find("content"), .field_count = 2};
    struct import_reason reason;
    for (int count = 1; count <= 3; count++) {
        struct csv_record record = record_of(fields, count);
        ck_assert_int_eq(import_record_check(&layout, &record, &reason),
                         count == 2 ? OK : ERR_INVALID);
    }
    ck_assert_str_eq(reason.text, "the row has 3 fields, the header has 2");
}
END_TEST

Suite *test_import_row_suite(void)
{
    Suite *suite = suite_create("import_row");
    TCase *tests = tcase_create("import_row");
    tcase_add_loop_test(tests, a_field_is_good_or_the_reason_says_why_not, 0,
                        COUNT_OF(field_cases));
    tcase_add_test(tests, an_empty_field_is_null_where_the_column_may_be);
    tcase_add_test(tests, a_nul_byte_is_refused_in_every_type);
    tcase_add_test(tests, lengths_count_characters);
    tcase_add_test(tests, nothing_of_a_field_can_reach_a_terminal_or_forge_a_line);
    tcase_add_test(tests, a_long_field_is_cut_in_messages);
    tcase_add_test(tests, a_header_may_name_the_columns_in_any_order);
    tcase_add_loop_test(tests, a_header_that_does_not_fit_is_refused, 0, COUNT_OF(header_cases));
    tcase_add_test(tests, every_kind_has_an_insert_of_all_its_columns);
    tcase_add_test(tests, a_row_has_as_many_fields_as_the_header);
    suite_add_tcase(suite, tests);
    return suite;
}
