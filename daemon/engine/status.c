#include "daemon/engine/status.h"

#include <string.h>

static const char *const names[STATUS_COUNT] = {
    [STATUS_COMPLETED] = "COMPLETED", [STATUS_STARTING] = "STARTING", [STATUS_STARTED] = "STARTED",
    [STATUS_STOPPING] = "STOPPING",   [STATUS_STOPPED] = "STOPPED",   [STATUS_FAILED] = "FAILED",
    [STATUS_ABANDONED] = "ABANDONED", [STATUS_UNKNOWN] = "UNKNOWN",
};

#define MAY(status) (1u << (status))

/* Ends are final but for one move: a stopped or failed execution can be given up. */
static const unsigned moves[STATUS_COUNT] = {
    [STATUS_STARTING] = MAY(STATUS_STARTED) | MAY(STATUS_STOPPING) | MAY(STATUS_STOPPED) |
                        MAY(STATUS_FAILED) | MAY(STATUS_COMPLETED),
    [STATUS_STARTED] =
        MAY(STATUS_STOPPING) | MAY(STATUS_STOPPED) | MAY(STATUS_FAILED) | MAY(STATUS_COMPLETED),
    [STATUS_STOPPING] = MAY(STATUS_STOPPED) | MAY(STATUS_FAILED) | MAY(STATUS_COMPLETED),
    [STATUS_STOPPED] = MAY(STATUS_ABANDONED),
    [STATUS_FAILED] = MAY(STATUS_ABANDONED),
    [STATUS_UNKNOWN] = MAY(STATUS_FAILED) | MAY(STATUS_ABANDONED),
};

const char *status_name(enum batch_status status)
{
    ASSERT(status < STATUS_COUNT);
    return names[status];
}

enum batch_status status_parse(const char *name)
{
    for (int i = 0; i < STATUS_COUNT; i++)
        if (strcmp(names[i], name) == 0) return (enum batch_status)i;
    return STATUS_UNKNOWN;
}

bool status_is_running(enum batch_status status)
{
    return status == STATUS_STARTING || status == STATUS_STARTED || status == STATUS_STOPPING;
}

bool status_may_follow(enum batch_status from, enum batch_status to)
{
    ASSERT(from < STATUS_COUNT && to < STATUS_COUNT);
    return (moves[from] & MAY(to)) != 0;
}

const char *started_for_name(enum started_for reason)
{
    static const char *const words[STARTED_FOR_COUNT] = {
        [FOR_COMMAND] = "COMMAND", [FOR_SLOT] = "SLOT",     [FOR_REQUEST] = "REQUEST",
        [FOR_RESTART] = "RESTART", [FOR_RESUME] = "RESUME",
    };
    ASSERT(reason < STARTED_FOR_COUNT);
    return words[reason];
}

static const char *const causes[END_CAUSE_COUNT] = {
    [CAUSE_NONE] = "NONE",   [CAUSE_TRANSIENT] = "TRANSIENT", [CAUSE_PERMANENT] = "PERMANENT",
    [CAUSE_CRASH] = "CRASH", [CAUSE_SHUTDOWN] = "SHUTDOWN",   [CAUSE_PERSON] = "PERSON",
};

const char *end_cause_name(enum end_cause cause)
{
    ASSERT(cause < END_CAUSE_COUNT);
    return causes[cause];
}

enum end_cause end_cause_parse(const char *name)
{
    for (int i = 0; i < END_CAUSE_COUNT; i++)
        if (strcmp(causes[i], name) == 0) return (enum end_cause)i;
    return CAUSE_NONE;
}
