/* Whether an execution that ended is started again without a person, and when. Pure. */
#ifndef DAEMON_ENGINE_RESTART_H
#define DAEMON_ENGINE_RESTART_H

#include "daemon/engine/status.h"

/* retry.restart_limit, restart_backoff_s and restart_backoff_max_s of the configuration. */
struct restart_policy {
    int limit, backoff_s, backoff_max_s;
};

/* When an execution is started again: `after_ms` from its end on, by the database's clock. */
struct restart {
    bool due;
    int64_t after_ms;
};

/* What a shutdown interrupted goes on at once and costs nothing. A transient error and a crash cost
 * one of `limit` attempts, of which `restarts` are used up; the pause doubles with each and is
 * spread over its second half by `random`. The first crash is made up for at once: only a day that
 * brings its process down again and again has to wait. Everything else waits for a person. */
struct restart restart_decide(const struct restart_policy *policy, enum end_cause cause,
                              int64_t restarts, uint32_t random);

#endif
