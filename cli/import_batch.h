/* A batch of checked rows, column by column as array binding wants them, and of the bad rows found
 * on the way. Its memory is taken once and does not depend on the file. Reading and checking costs
 * about a tenth of what the server needs for the same rows, so one thread does both in turn. */
#ifndef CLI_IMPORT_BATCH_H
#define CLI_IMPORT_BATCH_H

#include "cli/import_reject.h"
#include "cli/import_row.h"

/* Rows: array binding gains little beyond some thousands. Text: what is bound has to fit the
 * smallest packet that servers are set up with, 1 MiB, together with the integers. */
enum { IMPORT_BATCH_ROWS = 4096, IMPORT_BATCH_TEXT = 512 * 1024, IMPORT_BATCH_REJECTS = 1024 };

struct import_bad_row {
    struct import_place place;
    struct import_reason reason;
};

struct import_batch {
    const struct import_layout *layout;
    int64_t rows;
    int64_t *i64[IMPORT_COLUMNS];      /* by field; NULL for a text column */
    const char **text[IMPORT_COLUMNS]; /* by field; NULL for an integer column */
    struct import_place *places;       /* by row */
    struct import_bad_row *rejects;
    int64_t reject_count;
    char *text_bytes;
    size_t text_used;
    int64_t end_offset; /* how far into the file it reaches */
    bool last;          /* the end of the file was reached */
};

enum err import_batch_new(const struct import_layout *layout,
                          struct import_batch **ret_batch) MUST_CHECK;
void import_batch_free(struct import_batch *batch);
void import_batch_cleanup(struct import_batch **batch);

/* Empties it and reads until it is full or the file ends. Fails only with what the reader failed
 * with. */
enum err import_batch_fill(struct import_batch *batch, struct csv_reader *reader) MUST_CHECK;

#endif
