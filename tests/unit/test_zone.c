#include <stdlib.h>
#include <string.h>

#include "common/domain/civil.h"
#include "common/schedule/zone.h"
#include "common/tzif.h"
#include "tests/unit/random.h"
#include "tests/unit/suites.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

static int64_t seconds_of(const char *day, int hour, int minute)
{
    struct civil date;
    ck_assert_int_eq(civil_parse(day, &date), OK);
    return (int64_t)civil_to_days(date) * DAY_S + hour * HOUR_S + minute * 60;
}

/* ---- rules ---- */

struct rule_case {
    const char *text;
    const char *day; /* with the time: the instant, UTC, at which an offset begins */
    int hour, minute;
    int32_t offset_s, before_s;
};

/* The expected figures are those of Python's zoneinfo. */
static const struct rule_case rule_cases[] = {
    {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08", 7, 0, -4 * HOUR_S, -5 * HOUR_S},
    {"EST5EDT,M3.2.0,M11.1.0", "2026-11-01", 6, 0, -5 * HOUR_S, -4 * HOUR_S},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-03-27", 1, 0, 2 * HOUR_S, HOUR_S},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2050-10-30", 1, 0, HOUR_S, 2 * HOUR_S},
    {"NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-04-04", 14, 0, 12 * HOUR_S, 13 * HOUR_S},
    {"NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-09-26", 14, 0, 13 * HOUR_S, 12 * HOUR_S},
    {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-04-04", 15, 0, 10 * HOUR_S + 1800, 11 * HOUR_S},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-10-25", 1, 0, 0, HOUR_S},
    {"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-03-29", 1, 0, HOUR_S, 0},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29", 1, 0, -HOUR_S, -2 * HOUR_S},
    {"IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27", 0, 0, 3 * HOUR_S, 2 * HOUR_S},
    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28", 0, 0, 3 * HOUR_S, 2 * HOUR_S},
    {"AAA3BBB,J60/2,J300/2", "2028-03-01", 5, 0, -2 * HOUR_S, -3 * HOUR_S}, /* a leap year */
    {"AAA3BBB,J60/2,J300/2", "2027-03-01", 5, 0, -2 * HOUR_S, -3 * HOUR_S},
    {"AAA3BBB,59/2,300/2", "2028-02-29", 5, 0, -2 * HOUR_S, -3 * HOUR_S},
    {"AAA3BBB,59/2,300/2", "2027-03-01", 5, 0, -2 * HOUR_S, -3 * HOUR_S},
    {"AAA-3:15:30BBB-4:0:30,J1/0,J100/0:30:30", "2027-04-09", 20, 30, 11730, 4 * HOUR_S + 30},
    /* daylight time that ends after that of the next year has begun: the end holds for a year */
    {"AAA3BBB8,0/0,J365/23", "2027-01-01", 3, 0, -8 * HOUR_S, -3 * HOUR_S},
    {"AAA3BBB8,0/0,J365/23", "2027-01-01", 7, 0, -3 * HOUR_S, -8 * HOUR_S},
};

START_TEST(a_rule_says_when_offsets_begin)
{
    const struct rule_case *c = &rule_cases[_i];
    struct zone_rule rule;
    ck_assert_int_eq(zone_rule_parse(c->text, &rule), OK);
    int64_t at = seconds_of(c->day, c->hour, c->minute);
    struct zone_span span = zone_rule_at(&rule, at), before = zone_rule_at(&rule, at - 1);
    ck_assert_int_eq(span.begin_s, at);
    ck_assert_int_eq(span.offset_s, c->offset_s);
    ck_assert_int_eq(before.end_s, at);
    ck_assert_int_eq(before.offset_s, c->before_s);
}
END_TEST

START_TEST(spans_of_a_rule_follow_one_another_without_holes)
{
    static const char *const texts[] = {"EST5EDT,M3.2.0,M11.1.0", "NZST-12NZDT,M9.5.0,M4.1.0/3",
                                        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                        "EET-2EEST,M12.5.0/167,J1/167"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct zone_rule rule;
        ck_assert_int_eq(zone_rule_parse(texts[i], &rule), OK);
        struct zone_span span = zone_rule_at(&rule, 0);
        for (int count = 0; count < 1000; count++) {
            struct zone_span next = zone_rule_at(&rule, span.end_s);
            ck_assert_int_eq(next.begin_s, span.end_s);
            ck_assert_int_gt(next.end_s, next.begin_s);
            ck_assert_int_eq(zone_rule_at(&rule, next.end_s - 1).begin_s, next.begin_s);
            ck_assert_int_ne(next.offset_s, span.offset_s);
            span = next;
        }
    }
}
END_TEST

START_TEST(a_zone_may_have_one_offset_or_daylight_time_all_the_year)
{
    struct zone_rule rule;
    ck_assert_int_eq(zone_rule_parse("<+0545>-5:45", &rule), OK);
    ck_assert_int_eq(zone_rule_at(&rule, 0).offset_s, 20700);
    ck_assert_int_eq(zone_rule_at(&rule, 0).begin_s, ZONE_BEGIN_S);
    ck_assert_int_eq(zone_rule_at(&rule, 0).end_s, ZONE_END_S);
    ck_assert_int_eq(zone_rule_parse("AAA3EDT4,0/0,J365/23", &rule), OK);
    for (int64_t at = seconds_of("2026-12-30", 0, 0); at < seconds_of("2027-01-03", 0, 0); at += 60)
        ck_assert_int_eq(zone_rule_at(&rule, at).offset_s, -4 * HOUR_S);
}
END_TEST

static const char *const bad_rules[] = {
    "",
    "UTC",
    "UT0",
    "0",
    "EST",
    "EST5EDT",
    "EST5EDT4",
    "EST5EDT,M3.2.0",
    "EST5EDT,M3.2.0,",
    "EST5EDT,M3.2.0,M11.1.0,",
    "EST5EDT,M3.2.0,M11.1.0 ",
    "EST5EDT,M13.2.0,M11.1.0",
    "EST5EDT,M0.2.0,M11.1.0",
    "EST5EDT,M3.6.0,M11.1.0",
    "EST5EDT,M3.0.0,M11.1.0",
    "EST5EDT,M3.2.7,M11.1.0",
    "EST5EDT,M3.2,M11.1.0",
    "EST5EDT,J0,J365",
    "EST5EDT,J1,J366",
    "EST5EDT,0,366",
    "EST5EDT,M3.2.0/168,M11.1.0",
    "EST5EDT,M3.2.0/,M11.1.0",
    "EST5EDT,M3.2.0/2:60,M11.1.0",
    "EST25",
    "EST-25",
    "EST5:60",
    "EST5:",
    "EST5:0:60",
    "<EST5",
    "<ES>5",
    "<>5",
    "E5ST5",
    ":EST5",
    "EST5EDT M3.2.0,M11.1.0",
    "EST99999999999",
};

START_TEST(what_is_no_rule_is_refused)
{
    struct zone_rule rule = {.standard_s = 7};
    ck_assert_msg(zone_rule_parse(bad_rules[_i], &rule) == ERR_INVALID, "\"%s\"", bad_rules[_i]);
    ck_assert_int_eq(rule.standard_s, 7);
}
END_TEST

/* ---- zones ---- */

static struct zone *zone_of(int32_t first_offset_s, const struct zone_transition *transitions,
                            size_t count, const char *rule)
{
    const struct zone_table table = {first_offset_s, transitions, count, rule};
    struct zone *zone = NULL;
    struct detail detail = {""};
    ck_assert_msg(zone_new(&table, &zone, &detail) == OK, "%s", detail.text);
    return zone;
}

/* 0 until 100000, then an hour more, then an hour less than at the beginning. */
static const struct zone_transition jumps[] = {{100000, HOUR_S}, {200000, -HOUR_S}};

START_TEST(a_table_holds_until_its_last_transition_and_the_rule_from_there_on)
{
    CLEANUP(zone_cleanup) struct zone *zone = zone_of(0, jumps, COUNT_OF(jumps), "AAA2");
    static const struct {
        int64_t at_s, begin_s, end_s;
        int32_t offset_s;
    } cases[] = {
        {-5000000000, ZONE_BEGIN_S, 100000, 0}, {99999, ZONE_BEGIN_S, 100000, 0},
        {100000, 100000, 200000, HOUR_S},       {199999, 100000, 200000, HOUR_S},
        {200000, 200000, ZONE_END_S, -7200},    {5000000000, 200000, ZONE_END_S, -7200},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct zone_span span = zone_at(zone, cases[i].at_s);
        ck_assert_int_eq(span.begin_s, cases[i].begin_s);
        ck_assert_int_eq(span.end_s, cases[i].end_s);
        ck_assert_int_eq(span.offset_s, cases[i].offset_s);
    }
}
END_TEST

START_TEST(without_a_rule_the_last_offset_stays)
{
    CLEANUP(zone_cleanup) struct zone *zone = zone_of(0, jumps, COUNT_OF(jumps), "");
    ck_assert_int_eq(zone_at(zone, 5000000000).offset_s, -HOUR_S);
    ck_assert_int_eq(zone_at(zone, 5000000000).end_s, ZONE_END_S);
    CLEANUP(zone_cleanup) struct zone *plain = zone_of(0, NULL, 0, "");
    ck_assert_int_eq(zone_at(plain, 0).offset_s, 0);
    CLEANUP(zone_cleanup) struct zone *ruled = zone_of(0, NULL, 0, "EST5EDT,M3.2.0,M11.1.0");
    ck_assert_int_eq(zone_at(ruled, 0).offset_s, -5 * HOUR_S);
}
END_TEST

START_TEST(the_clock_rests_while_an_hour_is_repeated)
{
    CLEANUP(zone_cleanup) struct zone *zone = zone_of(0, jumps, COUNT_OF(jumps), "");
    ck_assert_int_eq(zone_reached(zone, 50000), 50000);
    ck_assert_int_eq(zone_reached(zone, 99999), 99999);
    ck_assert_int_eq(zone_reached(zone, 100000), 100000 + HOUR_S);
    ck_assert_int_eq(zone_reached(zone, 199999), 199999 + HOUR_S);
    ck_assert_int_eq(zone_reached(zone, 200000), 199999 + HOUR_S);
    ck_assert_int_eq(zone_reached(zone, 207198), 199999 + HOUR_S);
    ck_assert_int_eq(zone_reached(zone, 207200), 207200 - HOUR_S);
}
END_TEST

START_TEST(a_local_time_has_its_first_instant)
{
    CLEANUP(zone_cleanup) struct zone *zone = zone_of(0, jumps, COUNT_OF(jumps), "");
    static const struct {
        int64_t local_s, instant_s;
    } cases[] = {
        {0, 0},           {99999, 99999},   {100000, 100000}, /* in the gap */
        {103599, 100000},                                     /* in the gap */
        {103600, 100000}, {103601, 100001}, {196400, 192800}, /* shown twice */
        {203599, 199999},                                     /* shown twice */
        {203600, 207200},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t instant_s = 0;
        ck_assert(zone_first_instant(zone, cases[i].local_s, &instant_s));
        ck_assert_msg(instant_s == cases[i].instant_s, "%d: %d", (int)i, (int)instant_s);
    }
}
END_TEST

struct skip_case {
    int32_t offset_s;          /* before the jump */
    int jump_hours, last_hour; /* how far; the first hour, local, that is not there */
    const char *exists;        /* for each six hours from day 9 on */
};

/* The transition is at noon UTC of day 10. */
static const struct skip_case skip_cases[] = {
    {-12 * HOUR_S, 24, 0, "xxxx....xxxx"},   /* day 10 as a whole */
    {-12 * HOUR_S, 23, 0, "xxxxxxxxxxxx"},   /* its last hour is there */
    {-11 * HOUR_S, 24, 1, "xxxxxxxxxxxx"},   /* so is its first */
    {-15 * HOUR_S, 30, -3, "xxxx....xxxx"},  /* and three hours of each neighbour */
    {0, 24, 12, "xxxxxxxxxxxx"},             /* from noon to noon */
    {-25 * HOUR_S, 49, -13, "xxxx....xxxx"}, /* day 9 at 11:00 to day 11 at 12:00 */
    {-25 * HOUR_S, 48, -13, "xxxx....xxxx"},
};

START_TEST(a_day_that_is_skipped_as_a_whole_has_no_instant)
{
    const struct skip_case *c = &skip_cases[_i];
    int64_t at = 10 * DAY_S + 12 * HOUR_S;
    const struct zone_transition jump = {at, c->offset_s + c->jump_hours * HOUR_S};
    CLEANUP(zone_cleanup) struct zone *zone = zone_of(c->offset_s, &jump, 1, "");
    int64_t gap_begin = at + c->offset_s, gap_end = at + jump.offset_s;
    ck_assert_int_eq(gap_begin, 10 * DAY_S + c->last_hour * HOUR_S);
    for (int i = 0; c->exists[i] != '\0'; i++) {
        int64_t local = 9 * DAY_S + i * 6 * HOUR_S, instant = -1;
        ck_assert_int_eq(zone_first_instant(zone, local, &instant), c->exists[i] == 'x');
        int64_t expected = local < gap_begin ? local - c->offset_s
                           : local < gap_end ? at
                                             : local - jump.offset_s;
        ck_assert_int_eq(instant, c->exists[i] == 'x' ? expected : -1);
    }
}
END_TEST

START_TEST(a_table_that_makes_no_sense_is_refused)
{
    static const struct zone_transition equal[] = {{5, 0}, {5, 60}};
    static const struct zone_transition descending[] = {{5, 0}, {4, 60}};
    static const struct zone_transition far[] = {{5, ZONE_OFFSET_LIMIT_S}};
    static const struct zone_transition early[] = {{ZONE_BEGIN_S, 0}};
    static const struct zone_table tables[] = {
        {0, equal, 2, ""},
        {0, descending, 2, ""},
        {0, far, 1, ""},
        {0, early, 1, ""},
        {-ZONE_OFFSET_LIMIT_S, NULL, 0, ""},
        {0, NULL, 0, "EST"},
    };
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        struct zone *zone = NULL;
        struct detail detail = {""};
        ck_assert_int_eq(zone_new(&tables[i], &zone, &detail), ERR_INVALID);
        ck_assert_ptr_null(zone);
        ck_assert_str_ne(detail.text, "");
    }
}
END_TEST

/* ---- files ---- */

/* A file with one transition: an hour more from 1000000 on. Version 2 holds it twice, with narrow
 * and with wide times, and a rule. */
#define COUNTS                                                                                     \
    "\0\0\0\0"                                                                                     \
    "\0\0\0\0"                                                                                     \
    "\0\0\0\0"                                                                                     \
    "\0\0\0\1"                                                                                     \
    "\0\0\0\2"                                                                                     \
    "\0\0\0\4"
#define UNUSED                                                                                     \
    "\0\0\0\0\0"                                                                                   \
    "\0\0\0\0\0"                                                                                   \
    "\0\0\0\0\0"
#define TYPES                                                                                      \
    "\1"                                                                                           \
    "\0\0\0\0\0\0"                                                                                 \
    "\0\0\x0e\x10\1\0"                                                                             \
    "ABC\0"
static const char NARROW[] = "TZif\0" UNUSED COUNTS "\0\x0f\x42\x40" TYPES;
static const char WIDE[] = "TZif2" UNUSED COUNTS "\0\x0f\x42\x40" TYPES "TZif2" UNUSED COUNTS
                           "\0\0\0\0\0\x0f\x42\x40" TYPES "\nABC-2\n";

static enum err parse(const char *bytes, size_t size, struct zone **ret_zone)
{
    return tzif_parse((const unsigned char *)bytes, size, ret_zone, NULL);
}

START_TEST(files_of_both_versions_are_read)
{
    CLEANUP(zone_cleanup) struct zone *narrow = NULL;
    CLEANUP(zone_cleanup) struct zone *wide = NULL;
    ck_assert_int_eq(parse(NARROW, sizeof(NARROW) - 1, &narrow), OK);
    ck_assert_int_eq(zone_at(narrow, 999999).offset_s, 0);
    ck_assert_int_eq(zone_at(narrow, 1000000).offset_s, HOUR_S);
    ck_assert_int_eq(parse(WIDE, sizeof(WIDE) - 1, &wide), OK);
    ck_assert_int_eq(zone_at(wide, 999999).offset_s, 0);
    ck_assert_int_eq(zone_at(wide, 1000000).offset_s, 2 * HOUR_S);
}
END_TEST

/* In memory of exactly that size, so that a sanitizer sees a byte read too far. */
START_TEST(a_file_cut_short_anywhere_is_refused)
{
    for (size_t size = 0; size < sizeof(WIDE) - 1; size++) {
        CLEANUP(free_pointer) char *bytes = malloc(size + 1);
        ck_assert_ptr_nonnull(bytes);
        char *copy = realloc(bytes, size > 0 ? size : 1);
        ck_assert_ptr_nonnull(copy);
        bytes = copy;
        memcpy(bytes, WIDE, size);
        struct zone *zone = NULL;
        ck_assert_msg(parse(bytes, size, &zone) == ERR_INVALID, "%zu bytes", size);
        ck_assert_ptr_null(zone);
    }
}
END_TEST

START_TEST(a_damaged_file_is_refused_or_read_but_never_trusted)
{
    struct random random = {1970};
    int refused = 0;
    for (int round = 0; round < 20000; round++) {
        char bytes[sizeof(WIDE) - 1];
        memcpy(bytes, WIDE, sizeof(bytes));
        for (int64_t changes = random_between(&random, 1, 3); changes > 0; changes--)
            bytes[random_between(&random, 0, sizeof(bytes) - 1)] = (char)random_next(&random);
        CLEANUP(zone_cleanup) struct zone *zone = NULL;
        if (parse(bytes, sizeof(bytes), &zone) != OK) {
            refused++;
            continue;
        }
        for (int64_t at = -5000000000; at < 5000000000; at += 700000000) {
            struct zone_span span = zone_at(zone, at);
            ck_assert(span.begin_s <= at && at < span.end_s);
            ck_assert_int_lt(llabs(span.offset_s), ZONE_OFFSET_LIMIT_S);
        }
    }
    ck_assert_int_gt(refused, 1000);
}
END_TEST

struct damage_case {
    size_t at;
    char byte;
    const char *words;
};

enum { NARROW_SIZE = sizeof(NARROW) - 1, WIDE_BLOCK = NARROW_SIZE };

static const struct damage_case damage_cases[] = {
    {0, 'X', "damaged"},
    {39, 0, "damaged"},                                /* no types */
    {36, 0x7f, "damaged"},                             /* far too many types */
    {WIDE_BLOCK, 'X', "damaged"},                      /* the second header */
    {WIDE_BLOCK + 44 + 8, 2, "damaged"},               /* a type that is not there */
    {WIDE_BLOCK + 44, 0x7f, "makes no sense"},         /* a time too far away */
    {WIDE_BLOCK + 44 + 9 + 6, 0x7f, "makes no sense"}, /* an offset of years */
    {WIDE_BLOCK + NARROW_SIZE + 4, 'X', "damaged"},    /* no newline before the rule */
    {WIDE_BLOCK + NARROW_SIZE + 5 + 3, ',', "rule \"ABC,2\" is not understood"},
    {WIDE_BLOCK + NARROW_SIZE + 5 + 2, 0, "damaged"},
};

START_TEST(damage_is_named)
{
    const struct damage_case *c = &damage_cases[_i];
    char bytes[sizeof(WIDE) - 1];
    memcpy(bytes, WIDE, sizeof(bytes));
    ck_assert_uint_lt(c->at, sizeof(bytes));
    ck_assert_int_ne(bytes[c->at], c->byte);
    bytes[c->at] = c->byte;
    struct zone *zone = NULL;
    struct detail detail = {""};
    enum err err = tzif_parse((const unsigned char *)bytes, sizeof(bytes), &zone, &detail);
    ck_assert_int_eq(err, ERR_INVALID);
    ck_assert_msg(strstr(detail.text, c->words) != NULL, "%s", detail.text);
}
END_TEST

START_TEST(zones_with_leap_seconds_are_refused)
{
    static const char LEAPS[] = "TZif\0" UNUSED
                                "\0\0\0\0"
                                "\0\0\0\0"
                                "\0\0\0\1"
                                "\0\0\0\0"
                                "\0\0\0\1"
                                "\0\0\0\4"
                                "\0\0\0\0\0\0"
                                "ABC\0"
                                "\0\0\0\1\0\0\0\1";
    struct zone *zone = NULL;
    struct detail detail = {""};
    enum err err = tzif_parse((const unsigned char *)LEAPS, sizeof(LEAPS) - 1, &zone, &detail);
    ck_assert_int_eq(err, ERR_INVALID);
    ck_assert_str_eq(detail.text, "it counts leap seconds, which the database does not");
}
END_TEST

static const struct {
    const char *name;
    enum err err;
    const char *words;
} loads[] = {
    {"UTC", OK, ""},
    {"Etc/UTC", OK, ""},
    {"Asia/Seoul", OK, ""},
    {"Mars/Base", ERR_IO, "time zone Mars/Base: " ZONE_FOLDER "/Mars/Base cannot be read: No such"},
    {"Asia", ERR_IO, "Is a directory"},
    {"", ERR_INVALID, "there is no time zone \"\"; write a name below " ZONE_FOLDER},
    {"../Asia/Seoul", ERR_INVALID, "there is no time zone"},
    {"Asia/../UTC", ERR_INVALID, "there is no time zone"},
    {"/etc/localtime", ERR_INVALID, "there is no time zone"},
    {"posixrules", ERR_INVALID, "there is no time zone"},
};

START_TEST(zones_are_loaded_by_name)
{
    CLEANUP(zone_cleanup) struct zone *zone = NULL;
    struct detail detail = {""};
    enum err err = tzif_load(ZONE_FOLDER, loads[_i].name, &zone, &detail);
    ck_assert_msg(err == loads[_i].err, "%s: %s", loads[_i].name, detail.text);
    ck_assert_msg(strstr(detail.text, loads[_i].words) != NULL, "%s", detail.text);
    ck_assert_int_eq(zone != NULL, err == OK);
}
END_TEST

START_TEST(utc_needs_no_file)
{
    CLEANUP(zone_cleanup) struct zone *zone = NULL;
    ck_assert_int_eq(tzif_load("/nonexistent", "UTC", &zone, NULL), OK);
    ck_assert_int_eq(zone_at(zone, 0).offset_s, 0);
    ck_assert_int_eq(zone_reached(zone, 12345), 12345);
}
END_TEST

Suite *test_zone_suite(void)
{
    Suite *suite = suite_create("zone");
    TCase *rule = tcase_create("rule");
    tcase_add_loop_test(rule, a_rule_says_when_offsets_begin, 0, COUNT_OF(rule_cases));
    tcase_add_test(rule, spans_of_a_rule_follow_one_another_without_holes);
    tcase_add_test(rule, a_zone_may_have_one_offset_or_daylight_time_all_the_year);
    tcase_add_loop_test(rule, what_is_no_rule_is_refused, 0, COUNT_OF(bad_rules));
    suite_add_tcase(suite, rule);

    TCase *table = tcase_create("table");
    tcase_add_test(table, a_table_holds_until_its_last_transition_and_the_rule_from_there_on);
    tcase_add_test(table, without_a_rule_the_last_offset_stays);
    tcase_add_test(table, the_clock_rests_while_an_hour_is_repeated);
    tcase_add_test(table, a_local_time_has_its_first_instant);
    tcase_add_loop_test(table, a_day_that_is_skipped_as_a_whole_has_no_instant, 0,
                        COUNT_OF(skip_cases));
    tcase_add_test(table, a_table_that_makes_no_sense_is_refused);
    suite_add_tcase(suite, table);

    TCase *file = tcase_create("file");
    tcase_add_test(file, files_of_both_versions_are_read);
    tcase_add_test(file, a_file_cut_short_anywhere_is_refused);
    tcase_add_test(file, a_damaged_file_is_refused_or_read_but_never_trusted);
    tcase_add_loop_test(file, damage_is_named, 0, COUNT_OF(damage_cases));
    tcase_add_test(file, zones_with_leap_seconds_are_refused);
    tcase_add_loop_test(file, zones_are_loaded_by_name, 0, COUNT_OF(loads));
    tcase_add_test(file, utc_needs_no_file);
    suite_add_tcase(suite, file);
    return suite;
}
