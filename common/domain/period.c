#include "common/domain/period.h"

#include <strings.h>

static const char *const names[PERIOD_COUNT] = {
    [PERIOD_DAILY] = "DAILY",
    [PERIOD_WEEKLY] = "WEEKLY",
    [PERIOD_MONTHLY] = "MONTHLY",
    [PERIOD_YEARLY] = "YEARLY",
};

static const struct civil calendar_first = {.year = CIVIL_FIRST_YEAR, .month = 1, .day = 1};
static const struct civil calendar_last = {.year = CIVIL_LAST_YEAR, .month = 12, .day = 31};

static bool is_period(enum period period)
{
    return (unsigned)period < PERIOD_COUNT;
}

const char *period_name(enum period period)
{
    ASSERT(is_period(period));
    return names[period];
}

enum err period_parse(const char *text, enum period *ret_period)
{
    for (int i = 0; i < PERIOD_COUNT; i++) {
        if (strcasecmp(text, names[i]) != 0) continue;
        *ret_period = (enum period)i;
        return OK;
    }
    return ERR_INVALID;
}

struct civil period_first(enum period period, struct civil date)
{
    ASSERT(is_period(period) && civil_valid(date));
    if (period == PERIOD_WEEKLY) {
        struct civil monday = civil_add_days(date, 1 - civil_weekday(date));
        return civil_valid(monday) ? monday : calendar_first;
    }
    if (period == PERIOD_MONTHLY || period == PERIOD_YEARLY) date.day = 1;
    if (period == PERIOD_YEARLY) date.month = 1;
    return date;
}

struct civil period_last(enum period period, struct civil date)
{
    ASSERT(is_period(period) && civil_valid(date));
    if (period == PERIOD_WEEKLY) {
        struct civil sunday = civil_add_days(date, 7 - civil_weekday(date));
        return civil_valid(sunday) ? sunday : calendar_last;
    }
    if (period == PERIOD_YEARLY) date.month = 12;
    if (period == PERIOD_MONTHLY || period == PERIOD_YEARLY) {
        date.day = civil_days_in_month(date.year, date.month);
    }
    return date;
}
