/* Dates as text and as numbers of days; weeks, months and years. The C library's calendar has the
 * second opinion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/domain/period.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/targets.h"

enum { SECONDS_PER_DAY = 86400, FIRST_SURE_YEAR = 1, LAST_SURE_YEAR = 99999 };

static const struct civil UNTOUCHED = {47, 11, 8};

static struct tm shown_by_library(int32_t days)
{
    struct tm shown;
    time_t instant = (time_t)days * SECONDS_PER_DAY;
    ASSERT(gmtime_r(&instant, &shown) != NULL);
    return shown;
}

static bool same(struct civil date, const struct tm *shown)
{
    return date.year == shown->tm_year + 1900 && date.month == shown->tm_mon + 1 &&
           date.day == shown->tm_mday;
}

static void expect_iso_week(struct civil date, const struct tm *shown)
{
    char text[32];
    int year = 0, week = 0;
    ASSERT(strftime(text, sizeof(text), "%G %V", shown) > 0);
    civil_iso_week(date, &year, &week);
    char *end = NULL;
    ASSERT(year == strtol(text, &end, 10) && week == strtol(end, NULL, 10));
}

static void try_days(int32_t days)
{
    struct civil date = civil_from_days(days);
    const struct tm shown = shown_by_library(days);
    ASSERT(same(date, &shown));
    ASSERT(civil_to_days(date) == days);
    ASSERT(civil_weekday(date) % 7 == shown.tm_wday);
    ASSERT(civil_valid(date) == naive_date_exists(date.year, date.month, date.day));
    if (date.year >= FIRST_SURE_YEAR && date.year <= LAST_SURE_YEAR) expect_iso_week(date, &shown);
}

static void try_distance(struct civil date, int32_t distance)
{
    struct civil other = civil_add_days(date, distance);
    ASSERT(civil_to_days(other) - civil_to_days(date) == distance);
    ASSERT(civil_compare(other, date) == (distance > 0) - (distance < 0));
    ASSERT(civil_compare(date, other) == -civil_compare(other, date));
}

/* Of which period a date is, said by the C library: equal numbers, equal period. */
static long period_number(enum period period, int32_t days)
{
    char week[32];
    const struct tm shown = shown_by_library(days);
    ASSERT(strftime(week, sizeof(week), "%G%V", &shown) > 0);
    switch (period) {
    case PERIOD_WEEKLY:
        return strtol(week, NULL, 10);
    case PERIOD_MONTHLY:
        return shown.tm_year * 12L + shown.tm_mon;
    case PERIOD_YEARLY:
        return shown.tm_year;
    default:
        return shown.tm_year * 366L + shown.tm_yday;
    }
}

/* The first and the last day are of the date's period; the days beside them are not, or are none of
 * the calendar. */
static void try_period(enum period period, struct civil date)
{
    struct civil first = period_first(period, date), last = period_last(period, date);
    ASSERT(civil_valid(first) && civil_valid(last));
    ASSERT(civil_compare(first, date) <= 0 && civil_compare(date, last) <= 0);
    int32_t from = civil_to_days(first), to = civil_to_days(last);
    long number = period_number(period, civil_to_days(date));
    ASSERT(period_number(period, from) == number && period_number(period, to) == number);
    ASSERT(period_number(period, from - 1) != number || !civil_valid(civil_from_days(from - 1)));
    ASSERT(period_number(period, to + 1) != number || !civil_valid(civil_from_days(to + 1)));
}

static void try_date_text(const char *text, int32_t distance)
{
    struct civil date = UNTOUCHED;
    enum err err = civil_parse(text, &date);
    ASSERT(err == (naive_is_date(text) ? OK : ERR_INVALID));
    if (err != OK) {
        ASSERT(civil_compare(date, UNTOUCHED) == 0);
        return;
    }
    char written[CIVIL_TEXT];
    civil_format(date, written);
    ASSERT(strcmp(written, text) == 0);
    try_days(civil_to_days(date));
    try_distance(date, distance);
    for (int i = 0; i < PERIOD_COUNT; i++)
        try_period((enum period)i, date);
}

static void try_period_text(const char *text)
{
    static const char *const words[] = {"daily", "weekly", "monthly", "yearly"};
    enum period period = PERIOD_COUNT, expected = PERIOD_COUNT;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcasecmp(text, words[i]) == 0) expected = (enum period)i;
    ASSERT(period_parse(text, &period) == (expected == PERIOD_COUNT ? ERR_INVALID : OK));
    ASSERT(period == expected);
}

/* A text, and behind its NUL a number of days and a distance. */
void fuzz_dates(struct input *input)
{
    CLEANUP(free_pointer) char *text = input_text(input);
    int32_t days = (int32_t)input_between(input, INT32_MIN, INT32_MAX);
    int32_t distance = (int32_t)input_between(input, -4000000, 4000000);
    try_date_text(text, distance);
    try_period_text(text);
    try_days(days);
    if (civil_valid(civil_from_days(days)))
        for (int i = 0; i < PERIOD_COUNT; i++)
            try_period((enum period)i, civil_from_days(days));
}
