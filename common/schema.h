/* Brings a database to the schema that this program needs: applies migrations/NNNN_name.sql in
 * order, records each with its SHA-256, and refuses when a recorded one is changed. Safe when run
 * twice, when two run at once, and while programs work on the database. A migration that this
 * program does not know is accepted when its author has said that programs like this one can work
 * with it: among its first comments stands "-- works with programs from: NNNN", the number of the
 * latest migration that a program must know. So daemons are upgraded one after the other. */
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

/* The migrations that this program knows, as they were when it looked: an installation that is
 * replaced under a running process teaches it nothing. Free with schema_free (accepts NULL), or
 * CLEANUP(schema_cleanup). Constant: any thread may use it. */
struct schema;
enum err schema_load(const char *directory, struct schema **ret_schema,
                     struct detail *detail) MUST_CHECK;
void schema_free(struct schema *schema);
void schema_cleanup(struct schema **schema);

/* ERR_SCHEMA unless all of them are recorded, unchanged, and none that this program cannot work
 * with. Changes nothing. */
enum err schema_matches(struct db *db, const struct schema *schema,
                        struct detail *detail) MUST_CHECK;

/* Both in one call, for programs that look once. */
enum err schema_check(struct db *db, const char *directory, struct detail *detail) MUST_CHECK;

/* Where the migrations are: next to a build tree that the program was started from, else where they
 * were installed. */
enum err schema_directory(char *ret_path, size_t size, struct detail *detail) MUST_CHECK;

/* What is about to be run with the rights of the owner must not be anybody's to write: the file
 * `name` of the directory, or with an empty name the directory itself. ERR_SCHEMA with words. */
enum err schema_refuse_open_to_all(const char *directory, const char *name,
                                   struct detail *detail) MUST_CHECK;

#endif
