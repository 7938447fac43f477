/* The rules of time zones for later years. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/domain/civil.h"
#include "common/schedule/zone.h"
#include "tests/fuzz/targets.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

/* --- written down and read again --- */

static void write_time(FILE *file, int32_t time_s)
{
    int32_t size_s = time_s < 0 ? -time_s : time_s;
    fprintf(file, "%s%d:%02d:%02d", time_s < 0 ? "-" : "", size_s / HOUR_S, size_s / 60 % 60,
            size_s % 60);
}

static void write_change(FILE *file, const struct zone_change *change)
{
    if (change->kind == ZONE_DAY_WEEK)
        fprintf(file, ",M%d.%d.%d/", change->month, change->week, change->day);
    else
        fprintf(file, change->kind == ZONE_DAY_JULIAN ? ",J%d/" : ",%d/", change->day);
    write_time(file, change->time_s);
}

static bool same_change(const struct zone_change *a, const struct zone_change *b)
{
    return a->kind == b->kind && a->month == b->month && a->week == b->week && a->day == b->day &&
           a->time_s == b->time_s;
}

static void expect_reads_back(const struct zone_rule *rule)
{
    char text[128] = "";
    FILE *file = fmemopen(text, sizeof(text), "w");
    ASSERT(file != NULL);
    fputs("<+0a>", file);
    write_time(file, -rule->standard_s);
    if (rule->has_daylight) {
        fputs("DST", file);
        write_time(file, -rule->daylight_s);
        write_change(file, &rule->begins);
        write_change(file, &rule->ends);
    }
    ASSERT(fclose(file) == 0);
    struct zone_rule again;
    bool wide = rule->daylight_s > 25 * HOUR_S - 1; /* an hour more than can be written */
    if (wide) return;
    ASSERT(zone_rule_parse(text, &again) == OK);
    ASSERT(again.standard_s == rule->standard_s && again.has_daylight == rule->has_daylight);
    if (!rule->has_daylight) return;
    ASSERT(again.daylight_s == rule->daylight_s);
    ASSERT(same_change(&again.begins, &rule->begins) && same_change(&again.ends, &rule->ends));
}

static void expect_sound(const struct zone_rule *rule)
{
    ASSERT(rule->standard_s > -ZONE_OFFSET_LIMIT_S && rule->standard_s < ZONE_OFFSET_LIMIT_S);
    ASSERT(rule->daylight_s > -ZONE_OFFSET_LIMIT_S && rule->daylight_s < ZONE_OFFSET_LIMIT_S);
}

/* --- the same rule, read day by day --- */

/* Whether a rule's day is this one, which is the number-th of its year (from 0). */
static bool is_day(const struct zone_change *change, struct civil date, int number)
{
    bool leap_day = date.month == 2 && date.day == 29, leap = civil_is_leap_year(date.year);
    int last = civil_days_in_month(date.year, date.month);
    switch (change->kind) {
    case ZONE_DAY_WEEK:
        if (date.month != change->month || civil_weekday(date) % 7 != change->day) return false;
        if (change->week == 5) return date.day + 7 > last;
        return (date.day - 1) / 7 + 1 == change->week;
    case ZONE_DAY_JULIAN:
        return !leap_day && number + 1 - (leap && date.month > 2 ? 1 : 0) == change->day;
    case ZONE_DAY_NUMBER:
        return number == change->day;
    }
    return false;
}

/* The instant of a change in a year; a 366th day of a year that has none is the next year's first.
 */
static int64_t instant_in(const struct zone_change *change, int year, int32_t offset_s)
{
    int32_t first = civil_to_days((struct civil){year, 1, 1});
    int number = 0;
    while (number < 365 && !is_day(change, civil_from_days(first + number), number))
        number++;
    return (int64_t)(first + number) * DAY_S + change->time_s - offset_s;
}

/* The latest change up to the instant says the offset. When a begin and an end fall together the
 * begin counts; *ret_sure is false where two of different years do. */
static int32_t offset_at(const struct zone_rule *rule, int64_t at_s, int year, bool *ret_sure)
{
    int64_t latest_s = INT64_MIN;
    int32_t offset_s = rule->standard_s;
    *ret_sure = true;
    for (int y = year - 3; y <= year + 3; y++) {
        int64_t ends_s = instant_in(&rule->ends, y, rule->daylight_s);
        int64_t begins_s = instant_in(&rule->begins, y, rule->standard_s);
        if (latest_s != INT64_MIN && (ends_s == latest_s || begins_s == latest_s))
            *ret_sure = false;
        if (ends_s <= at_s && ends_s > latest_s) {
            latest_s = ends_s;
            offset_s = rule->standard_s;
        }
        if (begins_s <= at_s && begins_s >= latest_s) {
            latest_s = begins_s;
            offset_s = rule->daylight_s;
        }
    }
    return offset_s;
}

static int year_of(int64_t at_s)
{
    int64_t days = at_s / DAY_S - (at_s % DAY_S < 0 ? 1 : 0);
    return civil_from_days((int32_t)days).year;
}

/* The stretches around an instant follow one another, and each has the offset that its rule says.
 */
static void try_instant(const struct zone_rule *rule, int64_t at_s)
{
    for (int i = 0; i < 4; i++) {
        struct zone_span span = zone_rule_at(rule, at_s), next;
        ASSERT(span.begin_s <= at_s && at_s < span.end_s);
        ASSERT(span.offset_s == rule->standard_s || span.offset_s == rule->daylight_s);
        if (!rule->has_daylight) {
            ASSERT(span.begin_s == ZONE_BEGIN_S && span.end_s == ZONE_END_S);
            return;
        }
        bool sure = false;
        int32_t offset_s = offset_at(rule, at_s, year_of(at_s), &sure);
        ASSERT(!sure || span.offset_s == offset_s);
        ASSERT(span.end_s < ZONE_END_S && span.begin_s > ZONE_BEGIN_S);
        next = zone_rule_at(rule, span.end_s);
        ASSERT(next.begin_s == span.end_s);
        next = zone_rule_at(rule, span.begin_s);
        ASSERT(next.begin_s == span.begin_s && next.end_s == span.end_s);
        ASSERT(zone_rule_at(rule, span.begin_s - 1).end_s == span.begin_s);
        at_s = span.end_s;
    }
}

/* A text, and behind its NUL an instant of the years 1 to 9999. */
void fuzz_zone_rule(struct input *input)
{
    CLEANUP(free_pointer) char *text = input_text(input);
    struct zone_rule rule, before;
    memset(&rule, 0x5A, sizeof(rule));
    memcpy(&before, &rule, sizeof(before));
    if (zone_rule_parse(text, &rule) != OK) {
        ASSERT(memcmp(&rule, &before, sizeof(rule)) == 0);
        return;
    }
    expect_sound(&rule);
    expect_reads_back(&rule);
    try_instant(&rule, input_between(input, INT64_C(-62135596800), INT64_C(253402300799)));
}
