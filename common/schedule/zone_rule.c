#include "common/schedule/zone_rule.h"

#include <ctype.h>

#include "common/domain/civil.h"

enum {
    SECONDS_PER_MINUTE = 60,
    SECONDS_PER_HOUR = 3600,
    SECONDS_PER_DAY = 86400,
    DAYS_PER_WEEK = 7,
    NAME_LENGTH_MIN = 3,
    OFFSET_HOURS_MAX = 24,
    CHANGE_HOURS_MAX = 167, /* a week, as RFC 9636 extends it */
    CHANGE_TIME_DEFAULT = 2 * SECONDS_PER_HOUR
};

/* What is left of the text; each function takes its part off the front, or says that it is not
 * there. */
struct rest {
    const char *at;
};

static bool take(struct rest *rest, char letter)
{
    if (*rest->at != letter) return false;
    rest->at++;
    return true;
}

static bool take_number(struct rest *rest, int min, int max, int *ret_number)
{
    int number = 0, digits = 0;
    for (; isdigit((unsigned char)*rest->at) && digits < 4; digits++)
        number = number * 10 + (*rest->at++ - '0');
    if (digits == 0 || isdigit((unsigned char)*rest->at) || number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}

/* A name of letters, or of letters, digits and signs in angle brackets. Nobody here needs it. */
static bool take_name(struct rest *rest)
{
    bool quoted = take(rest, '<');
    int length = 0;
    for (; isalpha((unsigned char)*rest->at) ||
           (quoted && (isdigit((unsigned char)*rest->at) || *rest->at == '+' || *rest->at == '-'));
         length++)
        rest->at++;
    return length >= NAME_LENGTH_MIN && (!quoted || take(rest, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct rest *rest, int hours_max, int32_t *ret_time_s)
{
    bool negative = take(rest, '-');
    int hours, minutes = 0, seconds = 0;
    if (!negative) (void)take(rest, '+');
    if (!take_number(rest, 0, hours_max, &hours)) return false;
    if (take(rest, ':')) {
        if (!take_number(rest, 0, 59, &minutes)) return false;
        if (take(rest, ':') && !take_number(rest, 0, 59, &seconds)) return false;
    }
    int32_t time_s = hours * SECONDS_PER_HOUR + minutes * SECONDS_PER_MINUTE + seconds;
    *ret_time_s = negative ? -time_s : time_s;
    return true;
}

static bool take_change(struct rest *rest, struct zone_change *ret_change)
{
    struct zone_change change = {.kind = ZONE_DAY_NUMBER, .time_s = CHANGE_TIME_DEFAULT};
    if (!take(rest, ',')) return false;
    if (take(rest, 'M')) {
        change.kind = ZONE_DAY_WEEK;
        if (!take_number(rest, 1, 12, &change.month) || !take(rest, '.')) return false;
        if (!take_number(rest, 1, 5, &change.week) || !take(rest, '.')) return false;
        if (!take_number(rest, 0, 6, &change.day)) return false;
    } else if (take(rest, 'J')) {
        change.kind = ZONE_DAY_JULIAN;
        if (!take_number(rest, 1, 365, &change.day)) return false;
    } else if (!take_number(rest, 0, 365, &change.day)) {
        return false;
    }
    if (take(rest, '/') && !take_time(rest, CHANGE_HOURS_MAX, &change.time_s)) return false;
    *ret_change = change;
    return true;
}

/* Offsets are written the other way round: hours west of Greenwich. */
enum err zone_rule_parse(const char *text, struct zone_rule *ret_rule)
{
    struct zone_rule rule = {0};
    struct rest rest = {text};
    int32_t west_s;
    if (!take_name(&rest) || !take_time(&rest, OFFSET_HOURS_MAX, &west_s)) return ERR_INVALID;
    rule.standard_s = -west_s;
    rule.daylight_s = rule.standard_s + SECONDS_PER_HOUR;
    rule.has_daylight = *rest.at != '\0';
    if (rule.has_daylight) {
        if (!take_name(&rest)) return ERR_INVALID;
        if (*rest.at != ',') {
            if (!take_time(&rest, OFFSET_HOURS_MAX, &west_s)) return ERR_INVALID;
            rule.daylight_s = -west_s;
        }
        if (!take_change(&rest, &rule.begins) || !take_change(&rest, &rule.ends))
            return ERR_INVALID;
    }
    if (*rest.at != '\0') return ERR_INVALID;
    *ret_rule = rule;
    return OK;
}

static int32_t day_of_week_rule(const struct zone_change *change, int year)
{
    int32_t first = civil_to_days((struct civil){year, change->month, 1});
    int weekday = civil_weekday(civil_from_days(first)) % DAYS_PER_WEEK;
    int day = (change->day - weekday + DAYS_PER_WEEK) % DAYS_PER_WEEK;
    day += (change->week - 1) * DAYS_PER_WEEK;
    if (day >= civil_days_in_month(year, change->month)) day -= DAYS_PER_WEEK;
    return first + day;
}

static int32_t day_of(const struct zone_change *change, int year)
{
    enum { MARCH_FIRST = 60 };
    if (change->kind == ZONE_DAY_WEEK) return day_of_week_rule(change, year);
    int32_t first = civil_to_days((struct civil){year, 1, 1});
    if (change->kind == ZONE_DAY_NUMBER) return first + change->day;
    bool leap_day = civil_is_leap_year(year) && change->day >= MARCH_FIRST;
    return first + change->day - 1 + (leap_day ? 1 : 0);
}

/* The instant of a change, which is given in the local time that it ends. */
static int64_t instant_of(const struct zone_change *change, int year, int32_t offset_before_s)
{
    return (int64_t)day_of(change, year) * SECONDS_PER_DAY + change->time_s - offset_before_s;
}

/* A change may lie up to eight days outside of its own year, so that in a year's first days the
 * last change that has passed can be one of the year before the last, and in its last days the next
 * one can be of the year after the next: the changes of five years suffice. When one daylight time
 * ends as the next begins (a zone that has it all the year), the beginning counts. */
struct zone_span zone_rule_at(const struct zone_rule *rule, int64_t instant_s)
{
    struct zone_span span = {ZONE_BEGIN_S, ZONE_END_S, rule->standard_s};
    if (!rule->has_daylight) return span;
    int64_t days = instant_s / SECONDS_PER_DAY;
    ASSERT(days > INT32_MIN / 2 && days < INT32_MAX / 2);
    int year = civil_from_days((int32_t)days).year;
    for (int y = year - 2; y <= year + 2; y++) {
        struct {
            int64_t at_s;
            int32_t offset_s;
        } changes[] = {
            {instant_of(&rule->ends, y, rule->daylight_s), rule->standard_s},
            {instant_of(&rule->begins, y, rule->standard_s), rule->daylight_s},
        };
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            if (changes[i].at_s > instant_s) {
                span.end_s = min_i64(span.end_s, changes[i].at_s);
            } else if (changes[i].at_s >= span.begin_s) {
                span.begin_s = changes[i].at_s;
                span.offset_s = changes[i].offset_s;
            }
        }
    }
    return span;
}
