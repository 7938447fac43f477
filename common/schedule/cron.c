#include "common/schedule/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"

enum {
    FIELDS = 5,
    DAYS_PER_WEEK = 7,
    WEEKS_PER_MONTH = 5,
    SECONDS_PER_MINUTE = 60,
    SECONDS_PER_DAY = 86400,
    MINUTES_PER_HOUR = 60,
    HOURS_PER_DAY = 24,
    SHOWN_LIMIT = 40
};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const weekday_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

/* What a field takes. `min` to `max` is one turn: a weekday may also be written 7. */
struct field {
    const char *name;
    int min, max, highest;
    const char *const *names; /* of min, min + 1, …; NULL: there are none */
    const char *wanted;
};

static const struct field fields[FIELDS] = {
    [MINUTE] = {"minute", 0, 59, 59, NULL,
                "numbers from 0 to 59, ranges (0-29), steps (*/15) or lists of them (0,30)"},
    [HOUR] = {"hour", 0, 23, 23, NULL,
              "numbers from 0 to 23, ranges (9-17), steps (*/6) or lists of them (1,13)"},
    [DAY] = {"day of the month", 1, 31, 31, NULL,
             "numbers from 1 to 31, ranges (1-7), steps (*/2), L for the last day, L-3 for three "
             "days before it, 15W for the nearest Monday to Friday, LW for the last one, or lists "
             "of them (1,15)"},
    [MONTH] = {"month", 1, 12, 12, month_names,
               "numbers from 1 to 12, names (JAN), ranges (4-9, NOV-FEB), steps (*/3) or lists of "
               "them (JAN,JUL)"},
    [WEEKDAY] = {"weekday", 0, 6, 7, weekday_names,
                 "numbers from 0 to 7 (0 and 7 are Sunday), names (MON), ranges (MON-FRI), MON#2 "
                 "for the second Monday of the month, FRIL for its last Friday, or lists of them"},
};

struct word {
    const char *name, *expression;
};

static const struct word words[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static const char BLANK[] = " \t";

/* A piece of the text. */
struct piece {
    const char *at;
    size_t length;
};

/* One element of a field's list, and where to say what is wrong with it. */
struct item {
    const struct field *field;
    struct piece text;
    struct detail *detail;
};

static enum err refuse(const struct item *item, const char *problem)
{
    char shown[UTF8_SHOWN(SHOWN_LIMIT)];
    return detail_set(item->detail, ERR_INVALID, "%s \"%s\" %s; write %s", item->field->name,
                      utf8_show(item->text.at, item->text.length, SHOWN_LIMIT, shown), problem,
                      item->field->wanted);
}

static enum err not_understood(const struct item *item)
{
    return refuse(item, item->text.length == 0 ? "is missing" : "is not understood");
}

static bool same_text(struct piece piece, const char *text)
{
    return piece.length == strlen(text) && strncasecmp(piece.at, text, piece.length) == 0;
}

static struct piece piece_from(struct piece piece, size_t skipped)
{
    ASSERT(skipped <= piece.length);
    return (struct piece){piece.at + skipped, piece.length - skipped};
}

/* A decimal number of one or two digits, which is all that a field knows. */
static bool read_number(struct piece piece, int *ret_number)
{
    if (piece.length < 1 || piece.length > 2) return false;
    int number = 0;
    for (size_t i = 0; i < piece.length; i++) {
        if (!isdigit((unsigned char)piece.at[i])) return false;
        number = number * 10 + (piece.at[i] - '0');
    }
    *ret_number = number;
    return true;
}

static bool is_number(struct piece piece)
{
    for (size_t i = 0; i < piece.length; i++) {
        if (!isdigit((unsigned char)piece.at[i])) return false;
    }
    return piece.length > 0;
}

static bool read_name(const struct field *field, struct piece piece, int *ret_value)
{
    if (field->names == NULL) return false;
    for (int i = 0; i <= field->max - field->min; i++) {
        if (!same_text(piece, field->names[i])) continue;
        *ret_value = field->min + i;
        return true;
    }
    return false;
}

static enum err read_value(const struct item *item, struct piece piece, int *ret_value)
{
    const struct field *field = item->field;
    if (read_name(field, piece, ret_value)) return OK;
    if (!is_number(piece)) return not_understood(item);
    int value;
    if (!read_number(piece, &value) || value < field->min || value > field->highest)
        return refuse(item, "is out of range");
    *ret_value = value;
    return OK;
}

/* "/15" at the end of an item; a step of the whole turn or more would match once and is not what
 * its author thinks. */
static enum err read_step(const struct item *item, struct piece *piece, int *ret_step)
{
    const struct field *field = item->field;
    *ret_step = 1;
    const char *slash = memchr(piece->at, '/', piece->length);
    if (slash == NULL) return OK;
    struct piece digits = piece_from(*piece, (size_t)(slash - piece->at) + 1);
    if (!is_number(digits)) return not_understood(item);
    if (!read_number(digits, ret_step) || *ret_step < 1 || *ret_step > field->max - field->min) {
        char problem[64];
        (void)text_format(problem, sizeof(problem), "has a step that is not from 1 to %d",
                          field->max - field->min);
        return refuse(item, problem);
    }
    piece->length = (size_t)(slash - piece->at);
    return OK;
}

/* Ranges of names may run over the end of the year or week, because they read well (FRI-MON). Among
 * numbers such a range is more likely a mistake. */
static enum err read_range(const struct item *item, struct piece piece, int *ret_first,
                           int *ret_last)
{
    const struct field *field = item->field;
    const char *hyphen = memchr(piece.at, '-', piece.length);
    struct piece first = {piece.at, (size_t)(hyphen - piece.at)};
    struct piece last = piece_from(piece, first.length + 1);
    TRY(read_value(item, first, ret_first));
    TRY(read_value(item, last, ret_last));
    if (*ret_last >= *ret_first) return OK;
    if (!is_number(first) && !is_number(last)) {
        *ret_last += field->max - field->min + 1;
        return OK;
    }
    return detail_set(item->detail, ERR_INVALID, "%s \"%.*s\" runs backwards; write %d-%d,%d-%d",
                      field->name, (int)item->text.length, item->text.at, *ret_first, field->max,
                      field->min, *ret_last);
}

/* '*', a value or a range, with or without a step. */
static enum err read_plain(const struct item *item, uint64_t *set)
{
    const struct field *field = item->field;
    struct piece piece = item->text;
    int step, first = field->min, last = field->max;
    TRY(read_step(item, &piece, &step));
    if (memchr(piece.at, '-', piece.length) != NULL) {
        TRY(read_range(item, piece, &first, &last));
    } else if (!same_text(piece, "*")) {
        TRY(read_value(item, piece, &first));
        last = first;
        if (piece.length != item->text.length)
            return refuse(item, "has a step, but neither * nor a range before it");
    }
    int turn = field->max - field->min + 1;
    for (int value = first; value <= last; value += step)
        *set |= UINT64_C(1) << (field->min + (value - field->min) % turn);
    return OK;
}

/* L, L-3, LW and 15W. */
static enum err read_day(const struct item *item, struct cron *cron)
{
    struct piece piece = item->text;
    uint64_t days = 0;
    int number;
    if (same_text(piece, "LW")) {
        cron->near_last = true;
        return OK;
    }
    if (same_text(piece, "L")) {
        cron->days_before_last |= 1;
        return OK;
    }
    if (piece.length > 2 && strncasecmp(piece.at, "L-", 2) == 0) {
        if (!read_number(piece_from(piece, 2), &number)) return not_understood(item);
        if (number < 1 || number > 30) return refuse(item, "is out of range");
        cron->days_before_last |= UINT32_C(1) << number;
        return OK;
    }
    if (piece.length > 1 && toupper((unsigned char)piece.at[piece.length - 1]) == 'W') {
        piece.length--;
        TRY(read_value(item, piece, &number));
        cron->near_days |= UINT32_C(1) << number;
        return OK;
    }
    TRY(read_plain(item, &days));
    cron->days |= (uint32_t)days;
    return OK;
}

/* MON#2 and FRIL: `count` is what follows the '#', NULL for the last. With a number for the weekday
 * these are refused, because programs disagree about which day it is: some count from Sunday = 1.
 */
static enum err read_nth(const struct item *item, struct piece name, const struct piece *count,
                         struct cron *cron)
{
    int weekday, nth = 0;
    if (is_number(name)) return refuse(item, "needs the name of the weekday");
    if (!read_name(item->field, name, &weekday)) return not_understood(item);
    if (count != NULL && (!read_number(*count, &nth) || nth < 1 || nth > WEEKS_PER_MONTH))
        return refuse(item, "does not count from 1 to 5");
    cron->nth_weekdays[weekday] |= (uint8_t)(1U << nth);
    return OK;
}

static enum err read_weekday(const struct item *item, struct cron *cron)
{
    struct piece name = item->text;
    const char *hash = memchr(name.at, '#', name.length);
    if (hash != NULL) {
        name.length = (size_t)(hash - name.at);
        struct piece count = piece_from(item->text, name.length + 1);
        return read_nth(item, name, &count, cron);
    }
    if (name.length > 1 && toupper((unsigned char)name.at[name.length - 1]) == 'L') {
        name.length--;
        return read_nth(item, name, NULL, cron);
    }
    uint64_t weekdays = 0;
    TRY(read_plain(item, &weekdays));
    cron->weekdays |= (uint8_t)weekdays;
    return OK;
}

static enum err read_item(const struct item *item, int index, struct cron *cron)
{
    uint64_t set = 0;
    switch (index) {
    case DAY:
        return read_day(item, cron);
    case WEEKDAY:
        return read_weekday(item, cron);
    default:
        TRY(read_plain(item, &set));
    }
    if (index == MINUTE) cron->minutes |= set;
    if (index == HOUR) cron->hours |= (uint32_t)set;
    if (index == MONTH) cron->months |= (uint16_t)set;
    return OK;
}

static enum err read_field(struct piece piece, int index, struct cron *cron, struct detail *detail)
{
    for (size_t begin = 0; begin <= piece.length;) {
        struct piece rest = piece_from(piece, begin);
        const char *comma = memchr(rest.at, ',', rest.length);
        size_t length = comma == NULL ? rest.length : (size_t)(comma - rest.at);
        struct item item = {&fields[index], {rest.at, length}, detail};
        TRY(read_item(&item, index, cron));
        begin += length + 1;
    }
    return OK;
}

/* Splits at blanks; counts on when there are more than fit. */
static int split(const char *text, struct piece ret_pieces[FIELDS])
{
    int count = 0;
    for (const char *at = text + strspn(text, BLANK); *at != '\0'; at += strspn(at, BLANK)) {
        size_t length = strcspn(at, BLANK);
        if (count < FIELDS) ret_pieces[count] = (struct piece){at, length};
        count++;
        at += length;
    }
    return count;
}

static enum err read_word(struct piece piece, const char **ret_expression, struct detail *detail)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (piece.length != strlen(words[i].name)) continue;
        if (memcmp(piece.at, words[i].name, piece.length) != 0) continue;
        *ret_expression = words[i].expression;
        return OK;
    }
    return detail_set(detail, ERR_INVALID,
                      "there is no such word; write @yearly, @monthly, @weekly, @daily or @hourly, "
                      "or five fields");
}

/* The calendar repeats itself, weekdays included, after 400 years. */
static bool matches_some_date(const struct cron *cron)
{
    int64_t first = (int64_t)civil_to_days((struct civil){2000, 1, 1}) * SECONDS_PER_DAY;
    int64_t end = (int64_t)civil_to_days((struct civil){2400, 1, 1}) * SECONDS_PER_DAY, match;
    return cron_next(cron, first, end, &match);
}

enum err cron_parse(const char *text, struct cron *ret_cron, struct detail *detail)
{
    struct piece pieces[FIELDS];
    struct cron cron = {0};
    int count = split(text, pieces);
    if (count == 1 && pieces[0].at[0] == '@') {
        const char *expression = NULL;
        TRY(read_word(pieces[0], &expression, detail));
        count = split(expression, pieces);
    }
    if (count != FIELDS) {
        return detail_set(detail, ERR_INVALID,
                          "write five fields (minute, hour, day of the month, month, weekday) or a "
                          "word such as \"@daily\"; there are %d",
                          count);
    }
    for (int i = 0; i < FIELDS; i++)
        TRY(read_field(pieces[i], i, &cron, detail));
    cron.any_day = pieces[DAY].at[0] == '*';
    cron.any_weekday = pieces[WEEKDAY].at[0] == '*';
    cron.fixed_time = memchr(pieces[MINUTE].at, '*', pieces[MINUTE].length) == NULL &&
                      memchr(pieces[HOUR].at, '*', pieces[HOUR].length) == NULL;
    if (!matches_some_date(&cron)) {
        return detail_set(detail, ERR_INVALID,
                          "no date ever matches; write a day of the month that one of its months "
                          "has, and a weekday that can fall on it");
    }
    *ret_cron = cron;
    return OK;
}

static bool has(uint64_t set, int bit)
{
    return (set >> bit & 1) != 0;
}

/* 0 = Sunday, as cron counts. */
static int weekday_of(struct civil date)
{
    return civil_weekday(date) % DAYS_PER_WEEK;
}

/* The day of the month, Monday to Friday, that is nearest to `day` without leaving its month. */
static int nearest_working_day(struct civil date)
{
    int weekday = weekday_of(date);
    int last = civil_days_in_month(date.year, date.month);
    if (weekday == 6) return date.day > 1 ? date.day - 1 : 3;
    if (weekday == 0) return date.day < last ? date.day + 1 : last - 2;
    return date.day;
}

static bool near_matches(const struct cron *cron, struct civil date)
{
    int last = civil_days_in_month(date.year, date.month);
    for (int day = 1; day <= last; day++) {
        bool wanted = has(cron->near_days, day) || (cron->near_last && day == last);
        if (wanted && nearest_working_day((struct civil){date.year, date.month, day}) == date.day)
            return true;
    }
    return false;
}

static bool day_matches(const struct cron *cron, struct civil date)
{
    int last = civil_days_in_month(date.year, date.month);
    if (has(cron->days, date.day) || has(cron->days_before_last, last - date.day)) return true;
    return (cron->near_days != 0 || cron->near_last) && near_matches(cron, date);
}

static bool weekday_matches(const struct cron *cron, struct civil date)
{
    int weekday = weekday_of(date);
    int nth = (date.day - 1) / DAYS_PER_WEEK + 1;
    bool last = date.day + DAYS_PER_WEEK > civil_days_in_month(date.year, date.month);
    uint8_t nths = cron->nth_weekdays[weekday];
    return has(cron->weekdays, weekday) || has(nths, nth) || (last && has(nths, 0));
}

bool cron_both_days(const struct cron *cron)
{
    return !cron->any_day && !cron->any_weekday;
}

bool cron_matches_date(const struct cron *cron, struct civil date)
{
    if (!has(cron->months, date.month)) return false;
    bool day = day_matches(cron, date), weekday = weekday_matches(cron, date);
    return cron_both_days(cron) ? day || weekday : day && weekday;
}

/* The first matching minute of a day from `minute` on; -1: none is left. */
static int next_minute(const struct cron *cron, int minute)
{
    for (int hour = minute / MINUTES_PER_HOUR; hour < HOURS_PER_DAY; hour++) {
        if (!has(cron->hours, hour)) continue;
        int from = hour == minute / MINUTES_PER_HOUR ? minute % MINUTES_PER_HOUR : 0;
        uint64_t rest = cron->minutes >> from;
        if (rest != 0) return hour * MINUTES_PER_HOUR + from + __builtin_ctzll(rest);
    }
    return -1;
}

bool cron_next(const struct cron *cron, int64_t from_s, int64_t until_s, int64_t *ret_local_s)
{
    int64_t minutes = from_s / SECONDS_PER_MINUTE + (from_s % SECONDS_PER_MINUTE > 0 ? 1 : 0);
    int64_t minutes_per_day = SECONDS_PER_DAY / SECONDS_PER_MINUTE;
    int64_t day = minutes / minutes_per_day - (minutes % minutes_per_day < 0 ? 1 : 0);
    int minute = (int)(minutes - day * minutes_per_day);
    for (; day * SECONDS_PER_DAY < until_s; day++, minute = 0) {
        struct civil date = civil_from_days((int32_t)day);
        if (!has(cron->months, date.month)) {
            day += civil_days_in_month(date.year, date.month) - date.day;
            continue;
        }
        if (!cron_matches_date(cron, date)) continue;
        int found = next_minute(cron, minute);
        if (found < 0) continue;
        int64_t local_s = day * SECONDS_PER_DAY + (int64_t)found * SECONDS_PER_MINUTE;
        if (local_s >= until_s) return false;
        *ret_local_s = local_s;
        return true;
    }
    return false;
}
