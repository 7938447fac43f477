/* Tables of results, printed in three ways from one description of their columns: for eyes
 * (aligned, thousands separators), as CSV (RFC 4180, for spreadsheets), as JSON (for programs).
 * Cells are added row by row, in the order of the columns; running out of memory is remembered and
 * reported by the call that prints, so that filling a table needs no checks. One thread.
 *
 *   kind            for eyes                     CSV                          JSON
 *   OUTPUT_TEXT     left-aligned                 quoted where needed          string
 *   OUTPUT_KEY      digits as they are           digits                       integer
 *   OUTPUT_COUNT    1,234,567                    1234567                      integer
 *   OUTPUT_MONEY    1,234.50 currency units      1234.50                      integer, NAME_micros
 *   OUTPUT_SECONDS  343:01:07                    1234867                      integer, NAME_s
 *   OUTPUT_DURATION 6.7 s, given in µs           6.700000 (seconds)           integer, NAME_us
 *   OUTPUT_TIME     2026-07-02 00:10:03          2026-07-02T00:10:03Z         string
 *   OUTPUT_FLAG     yes, no                      true, false                  true, false
 * A cell without value is "-", empty, and null. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"

enum output_kind {
    OUTPUT_TEXT,
    OUTPUT_KEY,
    OUTPUT_COUNT,
    OUTPUT_MONEY,
    OUTPUT_SECONDS,
    OUTPUT_DURATION,
    OUTPUT_TIME,
    OUTPUT_FLAG
};

struct output_column {
    const char *title; /* for eyes */
    const char *name;  /* in CSV and JSON */
    enum output_kind kind;
};

enum { OUTPUT_COLUMNS = 24 };

struct output;

/* `columns` must outlive it. NULL when memory is short; every call accepts that. Free with
 * output_free (accepts NULL). */
struct output *output_new(const struct output_column *columns, int column_count);
void output_free(struct output *output);
void output_cleanup(struct output **output);

/* The next cell; after the last column the next row begins. */
void output_text(struct output *output, const char *value);
void output_i64(struct output *output, int64_t value);
void output_flag(struct output *output, bool value);
void output_nothing(struct output *output);

/* The row that is begun next is a total: set off by a line for eyes, absent from CSV (a sum over
 * the column would count everything twice) and from output_json_rows. At most one, the last. */
void output_total(struct output *output);

int64_t output_rows(const struct output *output); /* the total not counted */

/* The text of a cell that got one; belongs to the output. */
const char *output_text_at(const struct output *output, int64_t row, int column);

/* Prints for eyes: as a table, or each column on a line of its own ("Title  value", for a single
 * row). */
enum err output_print_table(const struct output *output, FILE *file) MUST_CHECK;
enum err output_print_record(const struct output *output, FILE *file) MUST_CHECK;
enum err output_print_csv(const struct output *output, FILE *file) MUST_CHECK;

/* The rows as an array of objects; the first row, or the total, as an object. New references; NULL
 * when memory is short, which json_object_set_new and output_print_json take as a failure. */
json_t *output_json_rows(const struct output *output);
json_t *output_json_record(const struct output *output);
json_t *output_json_total(const struct output *output);

/* A string of any text: JSON takes no invalid UTF-8, so that such a text is cleaned first. NULL
 * when memory is short. */
json_t *output_json_text(const char *text);

/* Prints and releases a document: indented, a newline at its end; what must not reach a terminal as
 * it is stands there as an escape. ERR_MEMORY for NULL, ERR_IO. */
enum err output_print_json(json_t *document, FILE *file) MUST_CHECK;

/* Prints one table in the format that was asked for. As JSON it is `head` (an object whose
 * reference is taken over; its members come first) with the rows under `name` and the total, if
 * there is one, under "total". Nothing is printed for eyes when there are no rows: the caller has
 * said why. */
enum err output_print_list(const struct output *output, enum cli_format format, json_t *head,
                           const char *name) MUST_CHECK;

#endif
