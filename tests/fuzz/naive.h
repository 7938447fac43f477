/* Second opinions: what texts mean, written down as simply as it can be said and without a line of
 * the project's own code, for targets to compare with. */
#ifndef TESTS_FUZZ_NAIVE_H
#define TESTS_FUZZ_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a text has the form of a mask: 9 stands for a digit, all else for itself. */
bool naive_has_form(const char *text, const char *mask);

/* A date that exists, by the C library's calendar, in the years 1000 to 9999. */
bool naive_date_exists(int year, int month, int day);
bool naive_is_date(const char *text);
/* "YYYY-MM-DD HH:MM:SS" of a time that exists, and up to six decimals. */
bool naive_is_time(const char *text);

/* Digits, perhaps with a point and decimals behind it. */
struct naive_decimal {
    bool negative;
    const char *whole, *decimals;        /* without zeros at the front of the one */
    size_t whole_length, decimal_length; /* 0 decimals: there is no point */
};
bool naive_read_decimal(const char *text, struct naive_decimal *ret_decimal);

/* The number of units of 10^-scale; false when a text of digits is longer than can fit. */
bool naive_scale(const struct naive_decimal *decimal, int scale, __int128 *ret_value);

/* Bytes of the well-formed UTF-8 character at the front of the bytes, 0 when there is none: the
 * table of the Unicode standard (3-7), row by row. */
size_t naive_utf8(const unsigned char *bytes, size_t size);

#endif
