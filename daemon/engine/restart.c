#include "daemon/engine/restart.h"

/* Attempt n waits min(max, base × 2^(n − 1)), of which the first half is certain. */
static int64_t pause_ms(const struct restart_policy *policy, int64_t attempt, uint32_t random)
{
    int64_t seconds = policy->backoff_s;
    for (int64_t i = 1; i < attempt && seconds < policy->backoff_max_s; i++)
        seconds *= 2;
    int64_t half_ms = min_i64(seconds, policy->backoff_max_s) * 1000 / 2;
    return half_ms + half_ms * random / UINT32_MAX;
}

struct restart restart_decide(const struct restart_policy *policy, enum end_cause cause,
                              int64_t restarts, uint32_t random)
{
    static const struct restart never = {false, 0}, at_once = {true, 0};
    if (cause == CAUSE_SHUTDOWN) return at_once;
    if (cause != CAUSE_TRANSIENT && cause != CAUSE_CRASH) return never;
    if (restarts >= policy->limit) return never;
    if (cause == CAUSE_CRASH && restarts == 0) return at_once;
    int64_t attempt = cause == CAUSE_CRASH ? restarts : restarts + 1;
    return (struct restart){true, pause_ms(policy, attempt, random)};
}
