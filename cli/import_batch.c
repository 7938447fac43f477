#include "cli/import_batch.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(IMPORT_BATCH_TEXT > 4 * CSV_RECORD,
               "a batch has room for more than one long record");

static enum err allocate(struct import_batch *batch)
{
    for (int i = 0; i < batch->layout->field_count; i++) {
        if (batch->layout->columns[i]->type == IMPORT_INTEGER) {
            batch->i64[i] = calloc(IMPORT_BATCH_ROWS, sizeof(*batch->i64[i]));
            if (batch->i64[i] == NULL) return ERR_MEMORY;
        } else {
            batch->text[i] = calloc(IMPORT_BATCH_ROWS, sizeof(*batch->text[i]));
            if (batch->text[i] == NULL) return ERR_MEMORY;
        }
    }
    batch->places = calloc(IMPORT_BATCH_ROWS, sizeof(*batch->places));
    batch->rejects = calloc(IMPORT_BATCH_REJECTS, sizeof(*batch->rejects));
    batch->text_bytes = malloc(IMPORT_BATCH_TEXT);
    bool complete = batch->places != NULL && batch->rejects != NULL && batch->text_bytes != NULL;
    return complete ? OK : ERR_MEMORY;
}

enum err import_batch_new(const struct import_layout *layout, struct import_batch **ret_batch)
{
    struct import_batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL) return ERR_MEMORY;
    batch->layout = layout;
    enum err err = allocate(batch);
    if (err == OK)
        *ret_batch = batch;
    else
        import_batch_free(batch);
    return err;
}

void import_batch_free(struct import_batch *batch)
{
    if (batch == NULL) return;
    for (int i = 0; i < IMPORT_COLUMNS; i++) {
        free(batch->i64[i]);
        free(batch->text[i]);
    }
    free(batch->places);
    free(batch->rejects);
    free(batch->text_bytes);
    free(batch);
}

void import_batch_cleanup(struct import_batch **batch)
{
    import_batch_free(*batch);
    *batch = NULL;
}

/* The reader's text lives until the next record only; words are constants already. */
static const char *keep_text(struct import_batch *batch, const struct csv_field *field)
{
    size_t size = field->length + 1;
    ASSERT(batch->text_used + size <= IMPORT_BATCH_TEXT);
    char *kept = memcpy(batch->text_bytes + batch->text_used, field->text, size);
    batch->text_used += size;
    return kept;
}

static void put(struct import_batch *batch, int index, const struct csv_field *field,
                const struct import_value *value)
{
    int64_t row = batch->rows;
    if (batch->i64[index] != NULL) {
        batch->i64[index][row] = value->i64;
        return;
    }
    bool is_in_field = value->text == field->text;
    batch->text[index][row] = is_in_field ? keep_text(batch, field) : value->text;
}

static enum err take_record(struct import_batch *batch, const struct csv_record *record,
                            struct import_reason *reason)
{
    const struct import_layout *layout = batch->layout;
    TRY(import_record_check(layout, record, reason));
    for (int i = 0; i < layout->field_count; i++) {
        struct import_value value = {0};
        TRY(import_field_check(layout->columns[i], &record->fields[i], &value, reason));
        put(batch, i, &record->fields[i], &value);
    }
    return OK;
}

static bool is_full(const struct import_batch *batch)
{
    return batch->rows == IMPORT_BATCH_ROWS || batch->reject_count == IMPORT_BATCH_REJECTS ||
           batch->text_used + CSV_RECORD + CSV_FIELDS > IMPORT_BATCH_TEXT;
}

/* A good record becomes the next row; of a bad one only its place and the reason are kept. */
static void add_record(struct import_batch *batch, const struct csv_record *record)
{
    struct import_place place = {record->line, record->offset, record->length};
    struct import_bad_row *bad = &batch->rejects[batch->reject_count];
    size_t text_used = batch->text_used;
    if (take_record(batch, record, &bad->reason) == OK) {
        batch->places[batch->rows++] = place;
    } else {
        bad->place = place;
        batch->reject_count++;
        batch->text_used = text_used;
    }
    batch->end_offset = place.offset + place.length;
}

enum err import_batch_fill(struct import_batch *batch, struct csv_reader *reader)
{
    batch->rows = batch->reject_count = 0;
    batch->text_used = 0;
    batch->last = false;
    while (!is_full(batch) && !batch->last) {
        struct csv_record record;
        bool more = false;
        TRY(csv_reader_next(reader, &record, &more));
        if (more)
            add_record(batch, &record);
        else
            batch->last = true;
    }
    return OK;
}
