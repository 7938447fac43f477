/* Checks one field against its column before the database sees it, and says precisely what is
 * wrong: strict integers in range, dates and times that exist, UTF-8 without NUL, lengths in
 * characters, the exact words. Pure. */
#ifndef CLI_IMPORT_ROW_H
#define CLI_IMPORT_ROW_H

#include "cli/import_kind.h"

enum { IMPORT_SHOWN = 280, IMPORT_REASON = 400 };

/* Integers have `i64`; everything else is a text, NULL for SQL's NULL. It points into the field or
 * to a constant. */
struct import_value {
    int64_t i64;
    const char *text;
};

struct import_reason {
    char text[IMPORT_REASON];
};

/* ERR_INVALID with "column: what is wrong with 'value'" in `reason`; ret_value is untouched
 * then. */
enum err import_field_check(const struct import_column *column, const struct csv_field *field,
                            struct import_value *ret_value,
                            struct import_reason *reason) MUST_CHECK;

/* ERR_INVALID unless the record could be read and has as many fields as the header. */
enum err import_record_check(const struct import_layout *layout, const struct csv_record *record,
                             struct import_reason *reason) MUST_CHECK;

/* A field for a message, cut where it is long: control characters and bytes that are no UTF-8
 * become \xNN, so that no value can forge a line or send a terminal elsewhere. Gives the buffer
 * back. */
const char *import_show(const struct csv_field *field, char ret_text[IMPORT_SHOWN]);

#endif
