/* The rows of an import: each is taken or refused as the table wants it, and what is taken is what
 * stands in the file. */
#include <stdlib.h>
#include <string.h>

#include "cli/import_batch.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/targets.h"

static bool is_utf8_of(const struct csv_field *field, int64_t most)
{
    int64_t count = 0;
    for (size_t at = 0; at < field->length; count++) {
        size_t length = naive_utf8((const unsigned char *)field->text + at, field->length - at);
        if (length == 0) return false;
        at += length;
    }
    return count <= most;
}

static bool is_integer_of(const char *text, int64_t least, int64_t most, int64_t *ret_value)
{
    struct naive_decimal decimal;
    __int128 value = 0;
    if (strchr(text, '.') != NULL || !naive_read_decimal(text, &decimal)) return false;
    if (!naive_scale(&decimal, 0, &value) || value < least || value > most) return false;
    *ret_value = (int64_t)value;
    return true;
}

/* DECIMAL(18,6), not negative. */
static bool is_price(const char *text)
{
    struct naive_decimal decimal;
    return naive_read_decimal(text, &decimal) && !decimal.negative && decimal.whole_length <= 12 &&
           decimal.decimal_length <= 6;
}

static bool is_word_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0) return true;
    return false;
}

static bool accepts(const struct import_column *column, const struct csv_field *field,
                    int64_t *ret_number)
{
    if (field->length == 0) return column->is_nullable;
    if (strlen(field->text) != field->length) return false;
    switch (column->type) {
    case IMPORT_INTEGER:
        return is_integer_of(field->text, column->least, column->most, ret_number);
    case IMPORT_TEXT:
        return is_utf8_of(field, column->most);
    case IMPORT_WORD:
        return is_word_of(field->text, column->words);
    case IMPORT_DATE:
        return naive_is_date(field->text);
    case IMPORT_TIME:
        return naive_is_time(field->text);
    case IMPORT_DECIMAL:
        return is_price(field->text);
    }
    return false;
}

static bool accepts_all(const struct import_layout *layout, const struct csv_record *record)
{
    int64_t number;
    if (record->fault != NULL || record->field_count != layout->field_count) return false;
    for (int i = 0; i < layout->field_count; i++)
        if (!accepts(layout->columns[i], &record->fields[i], &number)) return false;
    return true;
}

static void expect_row(const struct import_batch *batch, int64_t row,
                       const struct csv_record *record)
{
    for (int i = 0; i < batch->layout->field_count; i++) {
        const struct import_column *column = batch->layout->columns[i];
        const struct csv_field *field = &record->fields[i];
        int64_t number = 0;
        ASSERT((batch->i64[i] != NULL) == (column->type == IMPORT_INTEGER));
        ASSERT(accepts(column, field, &number));
        if (column->type == IMPORT_INTEGER)
            ASSERT(batch->i64[i][row] == number);
        else if (field->length == 0)
            ASSERT(batch->text[i][row] == NULL);
        else
            ASSERT(strcmp(batch->text[i][row], field->text) == 0);
    }
}

static bool stands_at(const struct import_place *place, const struct csv_record *record)
{
    return place->line == record->line && place->offset == record->offset &&
           place->length == record->length;
}

/* Every record is a row or a reject of the batch, in their order. */
static void expect_batch(const struct import_batch *batch, struct csv_reader *reader)
{
    int64_t rows = 0, rejects = 0;
    while (rows + rejects < batch->rows + batch->reject_count) {
        struct csv_record record;
        bool more = false;
        ASSERT(csv_reader_next(reader, &record, &more) == OK && more);
        if (accepts_all(batch->layout, &record)) {
            ASSERT(rows < batch->rows && stands_at(&batch->places[rows], &record));
            expect_row(batch, rows++, &record);
        } else {
            const struct import_bad_row *bad = &batch->rejects[rejects++];
            ASSERT(rejects <= batch->reject_count && stands_at(&bad->place, &record));
            expect_words(bad->reason.text);
        }
    }
}

static int times_named(const struct csv_record *header, const char *name)
{
    int count = 0;
    for (int i = 0; i < header->field_count && i < CSV_FIELDS; i++)
        count +=
            strcmp(header->fields[i].text, name) == 0 && strlen(name) == header->fields[i].length;
    return count;
}

/* Every field of the header is a column, none is named twice, and none that is needed is absent. */
static bool header_fits(const struct import_kind *kind, const struct csv_record *header)
{
    int named = 0;
    if (header->fault != NULL) return false;
    for (int i = 0; i < kind->column_count; i++) {
        const struct import_column *column = &kind->columns[i];
        int times = times_named(header, column->name);
        if (times > 1 || (times == 0 && !column->has_default && !column->is_nullable)) return false;
        named += times;
    }
    return named == header->field_count;
}

static bool read_header(const struct import_kind *kind, struct csv_reader *reader,
                        struct import_layout *ret_layout)
{
    struct csv_record header;
    struct detail detail = {""};
    bool more = false;
    ASSERT(csv_reader_next(reader, &header, &more) == OK);
    if (!more) return false;
    memset(ret_layout, 0x5A, sizeof(*ret_layout));
    const struct import_layout before = *ret_layout;
    enum err err = import_layout_read(kind, &header, ret_layout, &detail);
    ASSERT(err == (header_fits(kind, &header) ? OK : ERR_INVALID));
    if (err != OK) {
        ASSERT(memcmp(ret_layout, &before, sizeof(before)) == 0);
        expect_words(detail.text);
        return false;
    }
    ASSERT(ret_layout->kind == kind && ret_layout->field_count == header.field_count);
    for (int i = 0; i < header.field_count; i++)
        ASSERT(strcmp(ret_layout->columns[i]->name, header.fields[i].text) == 0);
    return true;
}

static void expect_sql(const struct import_layout *layout)
{
    char sql[IMPORT_SQL];
    int marks = 0;
    import_layout_sql(layout, sql);
    expect_words(sql);
    for (const char *at = sql; *at != '\0'; at++)
        marks += *at == '?';
    ASSERT(marks == layout->field_count);
}

/* Which kind, and the file. */
void fuzz_import(struct input *input)
{
    static const char *const names[] = {"member", "content", "advertisement", "watch-log",
                                        "ad-log"};
    const struct import_kind *kind = import_kind_find(names[input_u8(input) % COUNT_OF(names)]);
    struct memory memory = {(const char *)input->at, input->left, 0, SIZE_MAX}, again = memory;
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    CLEANUP(csv_reader_cleanup) struct csv_reader *second = NULL;
    ASSERT(csv_reader_new(memory_read, &memory, &reader) == OK);
    struct import_layout layout;
    if (!read_header(kind, reader, &layout)) return;
    expect_sql(&layout);

    CLEANUP(import_batch_cleanup) struct import_batch *batch = NULL;
    ASSERT(import_batch_new(&layout, &batch) == OK);
    ASSERT(import_batch_fill(batch, reader) == OK);
    struct csv_record header;
    bool more;
    ASSERT(csv_reader_new(memory_read, &again, &second) == OK);
    ASSERT(csv_reader_next(second, &header, &more) == OK);
    expect_batch(batch, second);
    ASSERT(!batch->last || (csv_reader_next(second, &header, &more) == OK && !more));
}
