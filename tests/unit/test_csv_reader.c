#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/csv_reader.h"
#include "tests/unit/suites.h"

/* An input in memory that comes in pieces of `step` bytes, so that no bound of a record depends on
 * those of a read. */
struct memory {
    const char *text;
    size_t size, at, step;
    bool broken;
};

static enum err read_memory(void *context, void *buffer, size_t size, size_t *ret_length)
{
    struct memory *memory = context;
    size_t length = memory->size - memory->at;
    if (memory->broken && length == 0) return ERR_IO;
    if (length > memory->step) length = memory->step;
    if (length > size) length = size;
    memcpy(buffer, memory->text + memory->at, length);
    memory->at += length;
    *ret_length = length;
    return OK;
}

/* A record as text: "line:offset+length[field|field]", or with the first word of its fault:
 * "…!quote". */
static const char *word_of_fault(const char *fault)
{
    static const char *const words[][2] = {{"never closed", "unclosed"},
                                           {"out of place", "quote"},
                                           {"carriage", "return"}};
    if (strstr(fault, "longer than") != NULL) return "long";
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strstr(fault, words[i][0]) != NULL) return words[i][1];
    return "?";
}

static void describe(const struct csv_record *record, FILE *out)
{
    fprintf(out, "%d:%d+%d", (int)record->line, (int)record->offset, (int)record->length);
    if (record->fault != NULL) {
        fprintf(out, "!%s ", word_of_fault(record->fault));
        return;
    }
    fputc('[', out);
    for (int i = 0; i < record->field_count && i < CSV_FIELDS; i++) {
        if (i > 0) fputc('|', out);
        fwrite(record->fields[i].text, 1, record->fields[i].length, out);
        ck_assert_int_eq(record->fields[i].text[record->fields[i].length], '\0');
    }
    fputs("] ", out);
}

static char *parse(const char *text, size_t size, size_t step)
{
    struct memory memory = {.text = text, .size = size, .step = step};
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    ck_assert_int_eq(csv_reader_new(read_memory, &memory, &reader), OK);
    char *result = NULL;
    size_t result_size = 0;
    FILE *out = open_memstream(&result, &result_size);
    int64_t end = 0;
    for (;;) {
        struct csv_record record;
        bool more = false;
        ck_assert_int_eq(csv_reader_next(reader, &record, &more), OK);
        if (!more) break;
        ck_assert_int_ge(record.offset, end);
        end = record.offset + record.length;
        describe(&record, out);
    }
    ck_assert_int_eq(fclose(out), 0);
    return result;
}

struct parse_case {
    const char *text, *expected;
};

static const struct parse_case parse_cases[] = {
    {"", ""},
    {"a,b\n1,2\n", "1:0+4[a|b] 2:4+4[1|2] "},
    {"a,b\r\n1,2\r\n", "1:0+5[a|b] 2:5+5[1|2] "},
    {"a,b\n1,2", "1:0+4[a|b] 2:4+3[1|2] "},
    {"a", "1:0+1[a] "},
    {"a\r", "1:0+2[a] "},
    {"\xEF\xBB\xBF"
     "a,b\n1,2\n",
     "1:0+7[a|b] 2:7+4[1|2] "},
    {"\xEF\xBB\xBF", ""},
    {"\xEF\xBB\xBF"
     "x\"\n1\n",
     "1:0+6!quote 2:6+2[1] "},
    {"a,b\n\n\r\n1,2\n\n", "1:0+4[a|b] 4:7+4[1|2] "},
    {"\n\n", ""},
    {" a , b \n", "1:0+8[ a | b ] "},
    {",\n", "1:0+2[|] "},
    {"\"\",\"\"\n", "1:0+6[|] "},
    {"\"x\"\"y\",\"1,2\"\n", "1:0+13[x\"y|1,2] "},
    {"\"two\nlines\",1\nb,2\n", "1:0+14[two\nlines|1] 3:14+4[b|2] "},
    {"\"two\r\nlines\",1\r\nb,2\r\n", "1:0+16[two\r\nlines|1] 3:16+5[b|2] "},
    {"\"a\n\n\n\"\nb\n", "1:0+7[a\n\n\n] 5:7+2[b] "},
    {"\"\"", "1:0+2[] "},
    {"x\"y\nb\n", "1:0+4!quote 2:4+2[b] "},
    {"\"x\"y\nb\n", "1:0+5!quote 2:5+2[b] "},
    {"\"x\" \nb\n", "1:0+5!quote 2:5+2[b] "},
    {" \"x\"\nb\n", "1:0+5!quote 2:5+2[b] "},
    {"1,\"open\n2,b\n3,c\n", "1:0+8!unclosed 2:8+4[2|b] 3:12+4[3|c] "},
    {"1,\"open\n2,\"b\"\n", "1:0+8!quote 2:8+6[2|b] "},
    {"1,\"open", "1:0+7!unclosed "},
    {"a\rb\nc\n", "1:0+4!return 2:4+2[c] "},
    {"a\r\"b\nc\n", "1:0+5!return 2:5+2[c] "},
    {"\ra\nc\n", "1:0+3!return 2:3+2[c] "},
    {"a\r\r\nc\n", "1:0+4!return 2:4+2[c] "},
    {"\"a\rb\"\nc\n", "1:0+6[a\rb] 2:6+2[c] "},
};

START_TEST(records_have_fields_and_places)
{
    const struct parse_case *given = &parse_cases[_i];
    static const size_t steps[] = {1, 2, 3, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        CLEANUP(free_pointer) char *result = parse(given->text, strlen(given->text), steps[i]);
        ck_assert_str_eq(result, given->expected);
    }
}
END_TEST

START_TEST(nul_bytes_are_part_of_a_field)
{
    static const char text[] = "a\0b,c\n";
    CLEANUP(free_pointer) char *result = parse(text, sizeof(text) - 1, 1);
    static const char expected[] = "1:0+6[a\0b|c] ";
    ck_assert_int_eq(memcmp(result, expected, sizeof(expected) - 1), 0);
}
END_TEST

/* A text of `size` bytes: the fill between a head and a tail. */
static char *filled(const char *head, char fill, size_t size, const char *tail)
{
    char *text = malloc(size + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, fill, size);
    memcpy(text, head, strlen(head));
    memcpy(text + size - strlen(tail), tail, strlen(tail) + 1);
    return text;
}

START_TEST(a_record_may_be_as_long_as_the_limit_and_no_longer)
{
    static const int sizes[] = {CSV_RECORD, CSV_RECORD + 1, 10 * CSV_RECORD};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t line = (size_t)sizes[i];
        CLEANUP(free_pointer) char *text = filled("a,", 'x', line + 1, "\nb");
        struct memory memory = {.text = text, .size = line + 1, .step = 1000};
        CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
        ck_assert_int_eq(csv_reader_new(read_memory, &memory, &reader), OK);
        struct csv_record record;
        bool more = false;
        ck_assert_int_eq(csv_reader_next(reader, &record, &more), OK);
        bool fits = sizes[i] <= CSV_RECORD;
        ck_assert(more && (record.fault == NULL) == fits);
        ck_assert_int_eq(record.length, (int64_t)line);
        ck_assert_int_eq(csv_reader_next(reader, &record, &more), OK);
        ck_assert(more && record.line == 2 && record.offset == (int64_t)line);
        ck_assert_str_eq(record.fields[0].text, "b");
    }
}
END_TEST

START_TEST(a_quote_left_open_costs_one_line_however_much_follows)
{
    size_t size = 20 * CSV_RECORD;
    CLEANUP(free_pointer) char *text = filled("1,\"open", 'x', size, "\n");
    for (size_t i = 7; i < size; i += 100)
        text[i] = '\n';
    struct memory memory = {.text = text, .size = size, .step = SIZE_MAX};
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    ck_assert_int_eq(csv_reader_new(read_memory, &memory, &reader), OK);
    struct csv_record record;
    bool more = false;
    int64_t good = 0;
    ck_assert_int_eq(csv_reader_next(reader, &record, &more), OK);
    ck_assert(more && record.fault != NULL && record.length == 8);
    while (csv_reader_next(reader, &record, &more) == OK && more) {
        ck_assert_ptr_null(record.fault);
        good++;
    }
    ck_assert_int_eq(good, (int64_t)(size + 92) / 100);
}
END_TEST

START_TEST(more_fields_than_are_kept_are_counted)
{
    char text[200];
    memset(text, ',', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    struct memory memory = {.text = text, .size = sizeof(text), .step = 7};
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    ck_assert_int_eq(csv_reader_new(read_memory, &memory, &reader), OK);
    struct csv_record record;
    bool more = false;
    ck_assert_int_eq(csv_reader_next(reader, &record, &more), OK);
    ck_assert_int_eq(record.field_count, 200);
}
END_TEST

START_TEST(a_source_that_fails_ends_the_reading)
{
    struct memory memory = {.text = "a,b\n", .size = 4, .step = 4, .broken = true};
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    ck_assert_int_eq(csv_reader_new(read_memory, &memory, &reader), OK);
    struct csv_record record;
    bool more = true;
    ck_assert_int_eq(csv_reader_next(reader, &record, &more), ERR_IO);
}
END_TEST

/* Any bytes at all: the records cover the input in order, and reading ends. */
START_TEST(noise_is_divided_into_records_without_gaps)
{
    static const char alphabet[] = "ab,\"\n\r\"\n, ";
    unsigned seed = 12345;
    for (int round = 0; round < 2000; round++) {
        char text[60];
        for (size_t i = 0; i < sizeof(text); i++) {
            seed = seed * 1103515245U + 12345U;
            text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        CLEANUP(free_pointer) char *whole = parse(text, sizeof(text), SIZE_MAX);
        CLEANUP(free_pointer) char *pieces = parse(text, sizeof(text), 1);
        ck_assert_str_eq(whole, pieces);
    }
}
END_TEST

Suite *test_csv_reader_suite(void)
{
    Suite *suite = suite_create("csv_reader");
    TCase *tests = tcase_create("csv_reader");
    tcase_add_loop_test(tests, records_have_fields_and_places, 0, COUNT_OF(parse_cases));
    tcase_add_test(tests, nul_bytes_are_part_of_a_field);
    tcase_add_test(tests, a_record_may_be_as_long_as_the_limit_and_no_longer);
    tcase_add_test(tests, a_quote_left_open_costs_one_line_however_much_follows);
    tcase_add_test(tests, more_fields_than_are_kept_are_counted);
    tcase_add_test(tests, a_source_that_fails_ends_the_reading);
    tcase_add_test(tests, noise_is_divided_into_records_without_gaps);
    suite_add_tcase(suite, tests);
    return suite;
}
