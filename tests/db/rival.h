/* Somebody else on the server: a connection with a thread that runs one statement at a time, so
 * that a test can have a lock held, or waited for, while it goes on itself. Every wait is bounded;
 * what goes wrong in here fails the test. */
#ifndef TESTS_DB_RIVAL_H
#define TESTS_DB_RIVAL_H

#include "tests/db/harness.h"

struct rival;

struct rival *rival_new(const struct harness *harness);
/* Waits for the statement that is running, closes the connection. Accepts NULL. */
void rival_free(struct rival *rival);
void rival_cleanup(struct rival **rival);

/* Runs a statement now; it must succeed. */
void rival_execute(struct rival *rival, const char *sql);
/* Starts a statement that will have to wait, and rolls its transaction back once it got through or
 * failed. */
void rival_start(struct rival *rival, const char *sql);
/* Waits for the end of what was started: its error. */
enum err rival_finish(struct rival *rival);

/* Waits until that session waits for a row lock; false after 20 seconds. */
bool rival_wait_for_lock(struct db *observer, uint64_t session_id);
uint64_t rival_session_id(const struct rival *rival);
/* Ends a session, and waits until its transaction is gone. */
void rival_kill(struct rival *rival, uint64_t session_id);

#endif
