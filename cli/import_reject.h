/* What an import leaves behind of bad rows: FILE.rejected.csv, which has the header and the rows
 * byte for byte as they were, to be mended and imported, and FILE.rejected.log, which has a line
 * "line N: reason" for each of them. Both are written under other names and appear complete or not
 * at all; without bad rows neither is made, and those of an earlier import go away. One thread. */
#ifndef CLI_IMPORT_REJECT_H
#define CLI_IMPORT_REJECT_H

#include <limits.h>

#include "cli/import_file.h"

/* Where a record stands in the file. */
struct import_place {
    int64_t line, offset, length;
};

struct import_reject_file {
    char path[PATH_MAX], path_now[PATH_MAX];
    FILE *stream; /* NULL until there is something to write */
};

struct import_reject {
    const struct import_file *source;
    struct import_place header;
    struct import_reject_file rows, reasons;
    int64_t count;
};

/* Only makes the names: "logs.csv" gives "logs.rejected.csv" and "logs.rejected.log". */
enum err import_reject_init(struct import_reject *reject, const struct import_file *source,
                            struct detail *detail) MUST_CHECK;

/* Adds a row; the first one creates the files. */
enum err import_reject_add(struct import_reject *reject, const struct import_place *place,
                           const char *reason, struct detail *detail) MUST_CHECK;

/* Makes both files durable and gives them their names. Nothing to do when nothing was added. */
enum err import_reject_publish(struct import_reject *reject, struct detail *detail) MUST_CHECK;

/* Removes what an earlier import of this file left. */
enum err import_reject_remove_old(const struct import_reject *reject,
                                  struct detail *detail) MUST_CHECK;

/* Drops what was not published. Safe at any time. */
void import_reject_discard(struct import_reject *reject);

#endif
