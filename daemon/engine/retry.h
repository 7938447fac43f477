/* How long to wait before something is done again, and how a lost connection is made anew. */
#ifndef DAEMON_ENGINE_RETRY_H
#define DAEMON_ENGINE_RETRY_H

#include "daemon/engine/job.h"

/* The pause before attempt `attempt` + 1 (from 1): full jitter, a random part of min(limit, base ×
 * 2^(attempt − 1)), in milliseconds. `random` is uniform over its 32 bits. */
int64_t retry_pause_ms(int attempt, int64_t base_ms, int64_t limit_ms, uint32_t random);

/* Thirty-two random bits; good enough to keep two workers from colliding twice. */
uint32_t retry_random(void);

/* Waits so long, or until *stop is set: it is looked at every few milliseconds. */
void retry_wait(int64_t ms, const _Atomic int *stop);

/* Connects again, trying for at most `seconds`, with pauses; gives up with ERR_STOPPED when it does
 * not work at once and *stop (an enum stop) is set, and does not even try when it is STOP_CUT.
 * Other errors are those of db_reconnect. */
enum err retry_reconnect(struct db *db, int seconds, const _Atomic int *stop) MUST_CHECK;

#endif
