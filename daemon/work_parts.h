/* The parts of work.c among themselves: what people ask for is work_requests.c, the days that slots
 * want work_slots.c. */
#ifndef DAEMON_WORK_PARTS_H
#define DAEMON_WORK_PARTS_H

#include "daemon/work.h"

/* When something is looked at again that others may change, or only a person; a sentence's size. */
enum { SOON_MS = 1000, BLOCKED_MS = 5000, ANSWER = 768 };

/* Not before then, unless something happens. */
void work_look_again_in(struct work *work, int64_t ms);

/* The clause for the status line. */
void work_set_state(struct work *work, const char *text);

/* Nothing ran when this turn began: another daemon has launched it since. */
enum err work_wait_for_rival(struct work *work) MUST_CHECK;

/* Launches an execution in a thread of its own. */
enum err work_start(struct work *work, const struct work_context *context,
                    const struct conductor_order *order) MUST_CHECK;

/* Goes on with the first request that waits, when there is one. *ret_more: there were days to pass
 * over, and there are more. */
enum err work_start_request(struct work *work, const struct work_context *context,
                            bool *ret_more) MUST_CHECK;

/* A drained daemon begins nothing, but who waits for what it has finished must be told. */
enum err work_settle_request(struct work *work, const struct work_context *context) MUST_CHECK;

/* Starts the first day that open slots want, or says what it waits for. */
enum err work_start_slot(struct work *work, const struct work_context *context) MUST_CHECK;

/* Whether the job's schedule is paused, or not enabled. */
enum err work_is_paused(const struct work *work, const struct work_context *context,
                        bool *ret_paused) MUST_CHECK;

#endif
