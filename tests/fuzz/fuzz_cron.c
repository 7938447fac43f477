/* Cron expressions, and the slots that they give in zones of several kinds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schedule/slot.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/targets.h"

enum { MINUTE_S = 60, DAY_S = 86400, WEEK = 7, WINDOW_MINUTES = 200 };

/* 1000-01-02 and 9999-12-31, between which slots lie. */
static const int64_t FIRST_S = INT64_C(-30610137600), END_S = INT64_C(253402214400);

static bool has(uint64_t set, int bit)
{
    return (set >> bit & 1) != 0;
}

static void expect_sound(const struct cron *cron)
{
    ASSERT(cron->minutes != 0 && cron->minutes >> 60 == 0);
    ASSERT(cron->hours != 0 && cron->hours >> 24 == 0);
    ASSERT(cron->months != 0 && (cron->months & 1) == 0 && cron->months >> 13 == 0);
    ASSERT((cron->days & 1) == 0 && cron->days_before_last >> 31 == 0);
    ASSERT((cron->near_days & 1) == 0 && cron->weekdays >> 7 == 0);
    uint8_t nths = 0;
    for (int i = 0; i < WEEK; i++)
        nths |= cron->nth_weekdays[i];
    ASSERT(nths >> 6 == 0 && (cron->weekdays | nths) != 0);
    ASSERT((cron->days | cron->days_before_last | cron->near_days) != 0 || cron->near_last);
}

/* --- written down and read again --- */

/* The largest step of '*' all of whose values are in the set; 0: there is none. */
static int step_within(uint64_t set, int first, int last)
{
    for (int step = last - first; step >= 1; step--) {
        bool within = true;
        for (int value = first; value <= last; value += step)
            within = within && has(set, value);
        if (within) return step;
    }
    return 0;
}

/* A list, which begins with a '*' where one is asked for. */
static void write_set(FILE *file, uint64_t set, int step, int last)
{
    const char *comma = "";
    if (step > 0) {
        fprintf(file, "*/%d", step);
        comma = ",";
    }
    for (int value = 0; value <= last; value++) {
        if (!has(set, value)) continue;
        fprintf(file, "%s%d", comma, value);
        comma = ",";
    }
}

/* 32 to 62 are L to L-30, and 64 to 95 the W of a day. What is left is the comma at the end. */
static void write_days(FILE *file, const struct cron *cron)
{
    write_set(file, cron->days, cron->any_day ? step_within(cron->days, 1, 31) : 0, 31);
    const char *comma = cron->days != 0 ? "," : "";
    for (int n = 0; n <= 31; n++) {
        if (has(cron->days_before_last, n)) {
            fprintf(file, n == 0 ? "%sL" : "%sL-%d", comma, n);
            comma = ",";
        }
        if (has(cron->near_days, n)) {
            fprintf(file, "%s%dW", comma, n);
            comma = ",";
        }
    }
    if (cron->near_last) fprintf(file, "%sLW", comma);
}

static void write_weekdays(FILE *file, const struct cron *cron)
{
    static const char *const names[WEEK] = {"sun", "Mon", "TUE", "wed", "thU", "FRI", "sat"};
    write_set(file, cron->weekdays, cron->any_weekday ? step_within(cron->weekdays, 0, 6) : 0, 6);
    const char *comma = cron->weekdays != 0 ? "," : "";
    for (int i = 0; i < WEEK; i++) {
        for (int nth = 0; nth <= 5; nth++) {
            if (!has(cron->nth_weekdays[i], nth)) continue;
            fprintf(file, "%s%s", comma, names[i]);
            fprintf(file, nth == 0 ? "L" : "#%d", nth);
            comma = ",";
        }
    }
}

static void expect_reads_back(const struct cron *cron)
{
    char text[2048] = "";
    FILE *file = fmemopen(text, sizeof(text), "w");
    ASSERT(file != NULL);
    int minutes = 0, hours = 0;
    if (!cron->fixed_time) {
        minutes = step_within(cron->minutes, 0, 59);
        if (minutes == 0) hours = step_within(cron->hours, 0, 23);
    }
    write_set(file, cron->minutes, minutes, 59);
    fputc(' ', file);
    write_set(file, cron->hours, hours, 23);
    fputc('\t', file);
    write_days(file, cron);
    fputc(' ', file);
    write_set(file, cron->months, 0, 12);
    fputc(' ', file);
    write_weekdays(file, cron);
    ASSERT(fclose(file) == 0);
    struct cron again = {0};
    struct detail detail = {""};
    if (cron_parse(text, &again, &detail) != OK) {
        fprintf(stderr, "\"%s\": %s\n", text, detail.text);
        ASSERT(false);
    }
    ASSERT(again.minutes == cron->minutes && again.hours == cron->hours);
    ASSERT(again.days == cron->days && again.months == cron->months);
    ASSERT(again.days_before_last == cron->days_before_last);
    ASSERT(again.near_days == cron->near_days && again.near_last == cron->near_last);
    ASSERT(again.weekdays == cron->weekdays);
    ASSERT(memcmp(again.nth_weekdays, cron->nth_weekdays, sizeof(again.nth_weekdays)) == 0);
    ASSERT(again.any_day == cron->any_day && again.any_weekday == cron->any_weekday);
    ASSERT(again.fixed_time == cron->fixed_time);
}

/* --- what matches --- */

/* Minute by minute: cron_next's answer is the first local time that matches, and its silence means
 * that none does. */
static void expect_next(const struct cron *cron, int64_t from_s)
{
    int64_t until_s = from_s + 3 * (int64_t)DAY_S, found_s = INT64_MIN, expected_s = INT64_MIN;
    int64_t minute_s = from_s - ((from_s % MINUTE_S) + MINUTE_S) % MINUTE_S;
    if (minute_s < from_s) minute_s += MINUTE_S;
    for (; minute_s < until_s && expected_s == INT64_MIN; minute_s += MINUTE_S) {
        int64_t into_day_s = ((minute_s % DAY_S) + DAY_S) % DAY_S;
        struct civil date = civil_from_days((int32_t)((minute_s - into_day_s) / DAY_S));
        if (!cron_matches_date(cron, date)) {
            minute_s += DAY_S - into_day_s - MINUTE_S;
            continue;
        }
        int minute = (int)(into_day_s / MINUTE_S);
        if (has(cron->hours, minute / 60) && has(cron->minutes, minute % 60)) expected_s = minute_s;
    }
    bool found = cron_next(cron, from_s, until_s, &found_s);
    ASSERT(found == (expected_s != INT64_MIN) && found_s == expected_s);
}

static bool matches_local(const struct cron *cron, int64_t local_s)
{
    int64_t found_s;
    return cron_next(cron, local_s, local_s + 1, &found_s);
}

static int64_t day_of(int64_t local_s)
{
    return local_s / DAY_S - (local_s % DAY_S < 0 ? 1 : 0);
}

/* Whether the clock shows a matching time at an instant, or, for a fixed time, shows one for the
 * first time or jumps over it, on a day that it has shown something of. The offsets of the zones
 * here are whole minutes. */
static bool is_due(const struct cron *cron, const struct zone *zone, int64_t at_s)
{
    if (!cron->fixed_time) return matches_local(cron, at_s + zone_at(zone, at_s).offset_s);
    int64_t before_s = zone_reached(zone, at_s - 1), reached_s = zone_reached(zone, at_s);
    int64_t local_s = before_s;
    while (cron_next(cron, local_s + 1, reached_s + 1, &local_s)) {
        int64_t day = day_of(local_s);
        if (day == day_of(before_s) || day == day_of(reached_s)) return true;
    }
    return false;
}

/* A slot is due, none is between it and the instant asked about (as far back as is looked), and
 * asking from between gives the same. */
static void try_slot(const struct cron *cron, const struct zone *zone, int64_t after_s)
{
    int64_t slot_s = INT64_MIN, again_s = INT64_MIN;
    bool found = slot_next(cron, zone, after_s, &slot_s);
    if (!found) {
        ASSERT(slot_s == INT64_MIN);
        return;
    }
    ASSERT(slot_s > after_s && slot_s > FIRST_S && slot_s < END_S);
    ASSERT(is_due(cron, zone, slot_s));
    ASSERT(slot_next(cron, zone, slot_s - 1, &again_s) && again_s == slot_s);
    int64_t first_s = max_i64(max_i64(after_s, FIRST_S), slot_s - WINDOW_MINUTES * MINUTE_S);
    for (int64_t at_s = slot_s - MINUTE_S; at_s > first_s; at_s -= MINUTE_S)
        ASSERT(!is_due(cron, zone, at_s));
}

/* UTC, with and without daylight time, half an hour of it, and a day that was skipped. */
static struct zone *make_zone(unsigned choice)
{
    static const char *const rules[] = {"", "EST5EDT,M3.2.0,M11.1.0",
                                        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"};
    static const struct zone_transition date_line = {1325239200, 14 * 3600};
    const struct zone_table skipping = {-10 * 3600, &date_line, 1, ""};
    struct zone *zone = NULL;
    struct zone_table table = skipping;
    if (choice % 5 < COUNT_OF(rules)) table = (struct zone_table){.rule = rules[choice % 5]};
    ASSERT(zone_new(&table, &zone, NULL) == OK);
    return zone;
}

/* An expression, and behind its NUL a zone and an instant. */
void fuzz_cron(struct input *input)
{
    CLEANUP(free_pointer) char *text = input_text(input);
    struct cron cron, before;
    struct detail detail = {""};
    memset(&cron, 0x5A, sizeof(cron));
    memcpy(&before, &cron, sizeof(before));
    enum err err = cron_parse(text, &cron, &detail);
    if (err != OK) {
        ASSERT(err == ERR_INVALID && memcmp(&cron, &before, sizeof(cron)) == 0);
        expect_words(detail.text);
        return;
    }
    expect_sound(&cron);
    expect_reads_back(&cron);
    CLEANUP(zone_cleanup) struct zone *zone = make_zone(input_u8(input));
    int64_t after_s = input_between(input, FIRST_S - DAY_S, END_S + DAY_S);
    expect_next(&cron, after_s);
    try_slot(&cron, zone, after_s);
    try_slot(&cron, zone, 1325239200 - 3600 + after_s % 7200); /* around the day that was skipped */
}
