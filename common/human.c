#include "common/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

void human_count(int64_t value, char ret_text[HUMAN_TEXT])
{
    char digits[24];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, magnitude);
    ASSERT(length > 0 && length < (int)sizeof(digits));

    int out = 0;
    if (value < 0) ret_text[out++] = '-';
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) ret_text[out++] = ',';
        ret_text[out++] = digits[i];
    }
    ret_text[out] = '\0';
}

void human_hours(int64_t seconds, char ret_text[HUMAN_TEXT])
{
    char hours[HUMAN_TEXT];
    const char *sign = seconds < 0 && seconds > -3600 ? "-" : "";
    human_count(seconds / 3600, hours);
    int64_t rest = seconds % 3600;
    if (rest < 0) rest = -rest;
    (void)text_format(ret_text, HUMAN_TEXT, "%s%s:%02" PRId64 ":%02" PRId64, sign, hours, rest / 60,
                      rest % 60);
}

void human_duration(int64_t us, char ret_text[HUMAN_TEXT])
{
    int64_t ms = max_i64(us, 0) / 1000;
    if (ms < 1000) {
        (void)text_format(ret_text, HUMAN_TEXT, "0.%03" PRId64 " s", ms);
    } else if (ms < 60000) {
        (void)text_format(ret_text, HUMAN_TEXT, "%" PRId64 ".%" PRId64 " s", ms / 1000,
                          ms % 1000 / 100);
    } else if (ms < 3600000) {
        (void)text_format(ret_text, HUMAN_TEXT, "%" PRId64 ":%02" PRId64, ms / 60000,
                          ms / 1000 % 60);
    } else {
        human_hours(ms / 1000, ret_text);
    }
}

const char *human_count_in(int64_t value, char text[HUMAN_TEXT])
{
    human_count(value, text);
    return text;
}

const char *human_duration_in(int64_t us, char text[HUMAN_TEXT])
{
    human_duration(us, text);
    return text;
}

/* Characters that take no column or two, by code point; all others take one. */
struct width_range {
    uint32_t first, last;
    int width;
};

static const struct width_range width_ranges[] = {
    {0x0300, 0x036f, 0},   {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},   {0x2e80, 0x303e, 2},
    {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},
    {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
    {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
};

static int width_of(uint32_t character)
{
    for (size_t i = 0; i < COUNT_OF(width_ranges); i++) {
        if (character < width_ranges[i].first) break;
        if (character <= width_ranges[i].last) return width_ranges[i].width;
    }
    return 1;
}

/* What is not printable is shown as one '?'. */
int human_width(const char *text)
{
    int width = 0;
    while (*text != '\0') {
        uint32_t character = '?';
        size_t length = utf8_printable(text);
        if (length == 0)
            text += utf8_unprintable(text);
        else
            character = utf8_decode(text);
        width += width_of(character);
        text += length;
    }
    return width;
}
