/* The database's side of an import: one transaction that holds the rows and the record of the file,
 * so that a killed import leaves nothing and a file is loaded once. Rows go in by batches; where
 * the server refuses a batch because of a key that is there already, the rows that are to blame are
 * found and rejected, and the others loaded. One thread. */
#ifndef CLI_IMPORT_LOAD_H
#define CLI_IMPORT_LOAD_H

#include "cli/import_batch.h"
#include "common/db/statement.h"

struct import_load {
    struct db *db;
    const struct import_layout *layout;
    struct statement *insert;
    struct import_reject *reject;
    const char *path, *hash;
    int idle_s; /* after so long without a statement the server ends the session; 0: never */
    int64_t rows_loaded;
    int64_t spoke_us; /* monotonic: when the latest statement that succeeded was sent */
};

/* ERR_REFUSED, naming when, if a file with this content was imported as this kind before. */
enum err import_load_refuse_known(struct db *db, const struct import_kind *kind, const char *hash,
                                  const char *path, struct detail *detail) MUST_CHECK;

/* Begins the transaction and puts the file's record into it, on which a second import of the same
 * file waits. The fields of `load` but insert, rows_loaded and spoke_us are the caller's to set. */
enum err import_load_begin(struct import_load *load, struct detail *detail) MUST_CHECK;

/* Inserts the batch's rows and hands its bad rows to the reject files, in the order of the file. */
enum err import_load_batch(struct import_load *load, const struct import_batch *batch,
                           struct detail *detail) MUST_CHECK;

/* To be called now and then while the file is read, since a long stretch of it may give nothing to
 * insert: the session idles only when the import stands still. Sends something from time to time,
 * and nothing before import_load_begin. */
enum err import_load_keep(struct import_load *load, struct detail *detail) MUST_CHECK;

/* Completes the record and commits. When the answer to the commit is lost, the record says how it
 * went. */
enum err import_load_commit(struct import_load *load, struct detail *detail) MUST_CHECK;

/* Rolls back what was not committed, and frees the statement. */
void import_load_end(struct import_load *load);

#endif
