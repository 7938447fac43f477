/* What a process remembers of a database on its own disk: which installation it is, and the latest
 * of what was acknowledged there. One JSON file for each database, replaced as a whole and flushed
 * to the disk, so that neither a crash nor a power cut leaves half of one. Several processes of a
 * host may share it: they take turns by a lock. */
#ifndef DAEMON_STATE_FILE_H
#define DAEMON_STATE_FILE_H

#include "common/base.h"

enum { STATE_ENTRIES = 256, STATE_ACCEPTED = 64, STATE_PATH = 4096, STATE_UUID = 37 };

/* A row of table acknowledgement. */
struct state_entry {
    int64_t id;
    char token[STATE_UUID];
    char kind[16];
    int64_t job_execution_id; /* 0: none */
    char job_name[101], target_date[11], step_name[81], status[11];
};

/* Entries in the order of their ids. */
struct state {
    char installation[STATE_UUID]; /* empty: nothing is remembered yet */
    struct state_entry entries[STATE_ENTRIES + STATE_ACCEPTED];
    int count;
};

struct state_file;

/* Prepares `directory` for the database's file, and looks whether files can be written there.
 * ERR_CONFIG with words when not. Free with state_file_free (accepts NULL). */
enum err state_file_new(const char *directory, const char *database, struct state_file **ret_file,
                        struct detail *detail) MUST_CHECK;
void state_file_free(struct state_file *file);

const char *state_file_path(const struct state_file *file);

/* Nobody else writes the file in between, threads included. ERR_IO when somebody has held the lock
 * for a second: he may be frozen, and must not hold up others. */
enum err state_file_lock(struct state_file *file, struct detail *detail) MUST_CHECK;
void state_file_unlock(struct state_file *file);

/* ERR_IO with words when there is a file that cannot be read or is not ours; without a file the
 * state is empty. */
enum err state_file_read(struct state_file *file, struct state *ret_state,
                         struct detail *detail) MUST_CHECK;
enum err state_file_write(struct state_file *file, const struct state *state,
                          struct detail *detail) MUST_CHECK;

#endif
