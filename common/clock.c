#include "common/clock.h"

#include <time.h>

#include "common/fault.h"

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    const struct fault_call call = fault_count(FAULT_CLOCK);
    (void)fault_at(&call, FAULT_BEFORE);
    int failed = clock_gettime(id, &now);
    ASSERT(failed == 0);
    (void)fault_at(&call, FAULT_SENT);
    (void)fault_at(&call, FAULT_AFTER);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_monotonic_us(void *context)
{
    (void)context;
    return read_us(CLOCK_BOOTTIME);
}

static int64_t system_wall_us(void *context)
{
    (void)context;
    return read_us(CLOCK_REALTIME);
}

const struct clock clock_system = {system_monotonic_us, system_wall_us, NULL};
