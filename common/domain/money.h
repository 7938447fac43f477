/* Amounts of money: integers in micros, one millionth of the currency unit. Whatever does not fit
 * 64 bits is ERR_OVERFLOW, never wrapped, clamped or rounded. No floating point. Outputs stay
 * untouched on failure. Pure. */
#ifndef COMMON_DOMAIN_MONEY_H
#define COMMON_DOMAIN_MONEY_H

#include "common/base.h"

#define MICROS_PER_UNIT INT64_C(1000000)

enum { MONEY_DECIMALS = 6 };
enum { MONEY_TEXT = 32 };

enum err money_add(int64_t a_micros, int64_t b_micros, int64_t *ret_micros) MUST_CHECK;
enum err money_subtract(int64_t a_micros, int64_t b_micros, int64_t *ret_micros) MUST_CHECK;

/* "540005", "-1.5", "0.000001": digits on both sides of a point, at most six decimals, no plus
 * sign, no exponent, no blanks, no separators; ERR_INVALID or, for a well-formed amount that does
 * not fit, ERR_OVERFLOW. */
enum err money_parse(const char *text, int64_t *ret_micros) MUST_CHECK;

/* In currency units with as many decimals as needed, at least `decimals` (0 to 6): 540005000000
 * with 0 → "540005", with 2 → "540005.00"; 1500000 with 0 → "1.5". */
void money_format(int64_t micros, int decimals, char ret_text[MONEY_TEXT]);

#endif
