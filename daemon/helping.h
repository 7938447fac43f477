/* Whether this daemon helps with what others run, for each job: it does while there is a step that
 * is open to it, and sees to it that nothing it took stays with it. The coordinator's thread calls.
 */
#ifndef DAEMON_HELPING_H
#define DAEMON_HELPING_H

#include "daemon/assistant.h"

struct work_context;

struct helping {
    struct assistant *assistant; /* NULL: none */
    int64_t not_before_us;       /* monotonic: a pause after a failure */
    bool unfinished;             /* the last one may still hold something */
};

/* One turn: takes the end of help in, starts it when it is wanted, stops it when the daemon is
 * being drained. */
enum err helping_turn(struct helping *helping, const struct job *job,
                      const struct work_context *context) MUST_CHECK;

/* While the daemon stops. *ret_running: it has not ended yet. */
void helping_drain(struct helping *helping, enum stop stop, bool *ret_running);

#endif
