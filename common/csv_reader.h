/* Reads RFC 4180 CSV record by record in constant memory, with libcsv doing the syntax. What it
 * adds: where each record stands in the input (line, offset, length), so that its bytes can be
 * copied as they were; and an answer for every input, so that one bad record costs no other. Blanks
 * belong to a field; a record ends with LF or CRLF, the last one may end with the input; a blank
 * line is no record; a byte order mark before the first record is skipped.
 *
 * A record that breaks the syntax (a stray quote, a stray carriage return, more than CSV_RECORD
 * bytes, a quote that is never closed) is returned with `fault` set. It is taken to end where its
 * first line ends, and reading goes on after it: a quote that somebody forgot to close must not
 * swallow the good records behind it. One thread at a time. */
#ifndef COMMON_CSV_READER_H
#define COMMON_CSV_READER_H

#include "common/base.h"

enum {
    CSV_RECORD = 64 * 1024, /* the longest record, in bytes */
    CSV_FIELDS = 32         /* fields that are kept; more are only counted */
};

/* Where bytes come from. *ret_length is 0 at the end of the input; it may be shorter than asked
 * for. */
typedef enum err csv_source(void *context, void *buffer, size_t size, size_t *ret_length);

/* A NUL follows the text, and may be within it. */
struct csv_field {
    const char *text;
    size_t length;
};

/* Fields are valid until the next record is read. `offset` counts bytes from the start of the
 * input, `length` includes the line's end; the offset of a record at the very start includes the
 * byte order mark. */
struct csv_record {
    int64_t line; /* the first one, from 1 */
    int64_t offset, length;
    int field_count;
    const struct csv_field *fields; /* the first CSV_FIELDS of them */
    const char *fault;              /* a fixed text, NULL for a good record */
};

struct csv_reader;

enum err csv_reader_new(csv_source *source, void *context,
                        struct csv_reader **ret_reader) MUST_CHECK;
void csv_reader_free(struct csv_reader *reader);
void csv_reader_cleanup(struct csv_reader **reader);

/* *ret_more is false at the end of the input. Fails only with what the source failed with, and with
 * ERR_MEMORY. */
enum err csv_reader_next(struct csv_reader *reader, struct csv_record *ret_record,
                         bool *ret_more) MUST_CHECK;

#endif
