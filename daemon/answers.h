/* Requests that nobody has answered yet (job_request, PENDING): each is accepted, refused or
 * carried out at once, in one transaction, so that of several daemons one answers. The
 * coordinator's thread calls. */
#ifndef DAEMON_ANSWERS_H
#define DAEMON_ANSWERS_H

#include "daemon/work.h"

/* Answers the oldest requests, a bounded number. *ret_answered: there was something to do. */
enum err answers_turn(struct work *works, int work_count, const struct work_context *context,
                      bool *ret_answered) MUST_CHECK;

#endif
