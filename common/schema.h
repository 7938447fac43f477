/* Brings a database to the schema that this program needs: applies migrations/NNNN_name.sql in
 * order, records each with its SHA-256, and refuses when a recorded one is changed or unknown. Safe
 * when run twice, and when two run at once. */
#ifndef COMMON_SCHEMA_H
#define COMMON_SCHEMA_H

#include "common/db/connection.h"

enum { SCHEMA_MIGRATIONS = 256, SCHEMA_NAME = 128 };

struct schema_report {
    int known;   /* migrations in the directory */
    int applied; /* by this call */
    char applied_names[SCHEMA_MIGRATIONS][SCHEMA_NAME];
};

/* Applies what is missing. ERR_SCHEMA with `detail` for a changed, unknown or badly named migration
 * or a gap, before anything was applied; ERR_SQL naming file and statement when the server refuses
 * one. */
enum err schema_migrate(struct db *db, const char *directory, struct schema_report *ret_report,
                        struct detail *detail) MUST_CHECK;

/* ERR_SCHEMA unless exactly the migrations of the directory are recorded, unchanged. Changes
 * nothing. */
enum err schema_check(struct db *db, const char *directory, struct detail *detail) MUST_CHECK;

/* Where the migrations are: next to a build tree that the program was started from, else where they
 * were installed. */
enum err schema_directory(char *ret_path, size_t size, struct detail *detail) MUST_CHECK;

#endif
