#include "common/domain/civil.h"

/* The Gregorian calendar repeats every 400 years, which we call an era. Inside of one we count
 * years from March, so that the leap day is the last day of its year and the months before it have
 * the same lengths in every year. */
enum {
    YEARS_PER_ERA = 400,
    DAYS_PER_ERA = 146097,
    DAYS_BEFORE_1970 = 719468, /* from 0000-03-01, the first day of era 0 */
    DAYS_PER_WEEK = 7,
};

/* Division that rounds down, so that eras and weeks go on regularly before their zero. */
static int64_t floor_divide(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return a % b < 0 ? quotient - 1 : quotient;
}

static int64_t floor_modulo(int64_t a, int64_t b)
{
    return a - floor_divide(a, b) * b;
}

bool civil_is_leap_year(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    ASSERT(month >= 1 && month <= 12);
    return month == 2 && civil_is_leap_year(year) ? 29 : days[month - 1];
}

static bool day_exists(struct civil date)
{
    return date.month >= 1 && date.month <= 12 && date.day >= 1 &&
           date.day <= civil_days_in_month(date.year, date.month);
}

bool civil_valid(struct civil date)
{
    return date.year >= CIVIL_FIRST_YEAR && date.year <= CIVIL_LAST_YEAR && day_exists(date);
}

/* The number in exactly `count` digits; it reads no further than the first character that is
 * none. */
static bool parse_digits(const char *text, int count, int *ret_number)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        number = number * 10 + (text[i] - '0');
    }
    *ret_number = number;
    return true;
}

enum err civil_parse(const char *text, struct civil *ret_date)
{
    struct civil date;
    if (!parse_digits(text, 4, &date.year) || text[4] != '-') return ERR_INVALID;
    if (!parse_digits(text + 5, 2, &date.month) || text[7] != '-') return ERR_INVALID;
    if (!parse_digits(text + 8, 2, &date.day) || text[10] != '\0') return ERR_INVALID;
    if (!civil_valid(date)) return ERR_INVALID;
    *ret_date = date;
    return OK;
}

void civil_format(struct civil date, char ret_text[CIVIL_TEXT])
{
    ASSERT(date.year >= 0 && date.year <= CIVIL_LAST_YEAR && day_exists(date));
    bool fitted =
        text_format(ret_text, CIVIL_TEXT, "%04d-%02d-%02d", date.year, date.month, date.day);
    ASSERT(fitted);
}

int32_t civil_to_days(struct civil date)
{
    ASSERT(day_exists(date));
    int64_t year = (int64_t)date.year - (date.month <= 2 ? 1 : 0);
    int64_t era = floor_divide(year, YEARS_PER_ERA);
    int64_t year_of_era = year - era * YEARS_PER_ERA;
    int64_t month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * DAYS_PER_ERA + day_of_era - DAYS_BEFORE_1970;
    ASSERT(days >= INT32_MIN && days <= INT32_MAX);
    return (int32_t)days;
}

/* The inverse of civil_to_days. Dividing by 1460, 36524 and 146096 takes out the leap days that
 * each four years, century and era have more or less, so that the remaining days are a multiple of
 * 365 per year. */
struct civil civil_from_days(int32_t days)
{
    int64_t shifted = (int64_t)days + DAYS_BEFORE_1970;
    int64_t era = floor_divide(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t without_leap_days =
        day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096;
    int64_t year_of_era = without_leap_days / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = era * YEARS_PER_ERA + year_of_era + (month <= 2 ? 1 : 0);
    int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    return (struct civil){.year = (int)year, .month = (int)month, .day = (int)day};
}

struct civil civil_add_days(struct civil date, int32_t days)
{
    int32_t sum;
    bool overflow = __builtin_add_overflow(civil_to_days(date), days, &sum);
    ASSERT(!overflow);
    return civil_from_days(sum);
}

static int compare_int(int a, int b)
{
    return (a > b) - (a < b);
}

int civil_compare(struct civil a, struct civil b)
{
    if (a.year != b.year) return compare_int(a.year, b.year);
    if (a.month != b.month) return compare_int(a.month, b.month);
    return compare_int(a.day, b.day);
}

/* 1970-01-01 was a Thursday, the fourth day of its week. */
int civil_weekday(struct civil date)
{
    return (int)floor_modulo((int64_t)civil_to_days(date) + 3, DAYS_PER_WEEK) + 1;
}

/* A week belongs to the year of its Thursday, and its number says which Thursday of that year it is
 * (ISO 8601). */
void civil_iso_week(struct civil date, int *ret_year, int *ret_week)
{
    struct civil thursday = civil_add_days(date, 4 - civil_weekday(date));
    struct civil new_year = {.year = thursday.year, .month = 1, .day = 1};
    *ret_year = thursday.year;
    *ret_week = (civil_to_days(thursday) - civil_to_days(new_year)) / DAYS_PER_WEEK + 1;
}
