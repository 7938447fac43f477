/* Time behind one seam: monotonic time for durations, wall time for what people read. Business
 * rules never ask a clock: they take dates as arguments, and leases are timed by the database.
 * Tests replace the functions. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include "common/base.h"

struct clock {
    int64_t (*monotonic_us)(void *context);
    int64_t (*wall_us)(void *context); /* since 1970-01-01 UTC */
    void *context;
};

/* The machine's clock (CLOCK_BOOTTIME and CLOCK_REALTIME). */
extern const struct clock clock_system;

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->context);
}

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock->context);
}

#endif
