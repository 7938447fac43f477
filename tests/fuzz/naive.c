#include "tests/fuzz/naive.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char DIGITS[] = "0123456789";

bool naive_has_form(const char *text, const char *mask)
{
    if (strlen(text) != strlen(mask)) return false;
    for (size_t i = 0; mask[i] != '\0'; i++) {
        bool good = mask[i] == '9' ? strchr(DIGITS, text[i]) != NULL : text[i] == mask[i];
        if (!good) return false;
    }
    return true;
}

bool naive_date_exists(int year, int month, int day)
{
    if (year < 1000 || year > 9999) return false;
    struct tm given = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day}, shown;
    time_t instant = timegm(&given);
    return gmtime_r(&instant, &shown) != NULL && shown.tm_year == year - 1900 &&
           shown.tm_mon == month - 1 && shown.tm_mday == day;
}

bool naive_is_date(const char *text)
{
    if (!naive_has_form(text, "9999-99-99")) return false;
    return naive_date_exists((int)strtol(text, NULL, 10), (int)strtol(text + 5, NULL, 10),
                             (int)strtol(text + 8, NULL, 10));
}

bool naive_is_time(const char *text)
{
    char copy[32] = "";
    if (strlen(text) >= sizeof(copy)) return false;
    memcpy(copy, text, strlen(text));
    char *point = strchr(copy, '.');
    if (point != NULL) {
        size_t decimals = strspn(point + 1, DIGITS);
        if (decimals < 1 || decimals > 6 || point[1 + decimals] != '\0') return false;
        *point = '\0';
    }
    if (!naive_has_form(copy, "9999-99-99 99:99:99")) return false;
    copy[10] = '\0';
    return naive_is_date(copy) && strtol(copy + 11, NULL, 10) < 24 &&
           strtol(copy + 14, NULL, 10) < 60 && strtol(copy + 17, NULL, 10) < 60;
}

bool naive_read_decimal(const char *text, struct naive_decimal *ret_decimal)
{
    struct naive_decimal decimal = {.negative = text[0] == '-'};
    if (decimal.negative) text++;
    size_t length = strspn(text, DIGITS), zeros = strspn(text, "0");
    if (length == 0) return false;
    if (zeros > length) zeros = length;
    decimal.whole = text + zeros;
    decimal.whole_length = length - zeros;
    text += length;
    if (*text == '.') {
        decimal.decimals = text + 1;
        decimal.decimal_length = strspn(text + 1, DIGITS);
        if (decimal.decimal_length == 0) return false;
        text += 1 + decimal.decimal_length;
    }
    if (*text != '\0') return false;
    *ret_decimal = decimal;
    return true;
}

bool naive_scale(const struct naive_decimal *decimal, int scale, __int128 *ret_value)
{
    char digits[40] = "";
    if (decimal->whole_length + (size_t)scale > 30) return false;
    if (decimal->decimal_length > (size_t)scale) return false;
    memset(digits, '0', decimal->whole_length + (size_t)scale);
    memcpy(digits, decimal->whole, decimal->whole_length);
    if (decimal->decimal_length > 0)
        memcpy(digits + decimal->whole_length, decimal->decimals, decimal->decimal_length);
    __int128 value = 0;
    for (const char *digit = digits; *digit != '\0'; digit++)
        value = value * 10 + (*digit - '0');
    *ret_value = decimal->negative ? -value : value;
    return true;
}

size_t naive_utf8(const unsigned char *bytes, size_t size)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } rows[] = {
        {0x00, 0x7F, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t i = 0; size > 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (bytes[0] < rows[i].first_low || bytes[0] > rows[i].first_high) continue;
        if (rows[i].length > size) return 0;
        if (rows[i].length == 1) return 1;
        if (bytes[1] < rows[i].second_low || bytes[1] > rows[i].second_high) return 0;
        for (size_t at = 2; at < rows[i].length; at++)
            if (bytes[at] < 0x80 || bytes[at] > 0xBF) return 0;
        return rows[i].length;
    }
    return 0;
}
