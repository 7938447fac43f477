#include "daemon/engine/retry.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

#include "common/clock.h"
#include "daemon/engine/control.h"

enum { SLICE_MS = 20, RECONNECT_PAUSE_MS = 250, RECONNECT_PAUSE_MAX_MS = 2000 };

int64_t retry_pause_ms(int attempt, int64_t base_ms, int64_t limit_ms, uint32_t random)
{
    ASSERT(attempt >= 1 && base_ms >= 0 && limit_ms >= 0);
    int64_t ceiling = base_ms;
    for (int i = 1; i < attempt && ceiling < limit_ms; i++)
        ceiling *= 2;
    ceiling = min_i64(ceiling, limit_ms);
    return ceiling * random / UINT32_MAX;
}

uint32_t retry_random(void)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        return UINT32_MAX / 2;
    return random;
}

void retry_wait(int64_t ms, const _Atomic int *stop)
{
    while (ms > 0 && atomic_load(stop) == 0) {
        int64_t slice = min_i64(ms, SLICE_MS);
        struct timespec time = {.tv_sec = slice / 1000, .tv_nsec = slice % 1000 * 1000000};
        (void)nanosleep(&time, NULL);
        ms -= slice;
    }
}

enum err retry_reconnect(struct db *db, int seconds, const _Atomic int *stop)
{
    int64_t deadline_us = clock_monotonic_us(&clock_system) + (int64_t)seconds * 1000000;
    int64_t pause_ms = RECONNECT_PAUSE_MS;
    for (;;) {
        if (atomic_load(stop) >= STOP_CUT) return ERR_STOPPED;
        enum err err = db_reconnect(db);
        if (err_class(err) != CLASS_CONNECTION) return err;
        if (atomic_load(stop) != 0) return ERR_STOPPED;
        if (clock_monotonic_us(&clock_system) >= deadline_us) return err;
        retry_wait(pause_ms, stop);
        pause_ms = min_i64(pause_ms * 2, RECONNECT_PAUSE_MAX_MS);
    }
}
