#include "common/domain/money.h"

#include <inttypes.h>

enum err money_add(int64_t a_micros, int64_t b_micros, int64_t *ret_micros)
{
    return add_i64(a_micros, b_micros, ret_micros) ? OK : ERR_OVERFLOW;
}

enum err money_subtract(int64_t a_micros, int64_t b_micros, int64_t *ret_micros)
{
    int64_t difference;
    if (__builtin_sub_overflow(a_micros, b_micros, &difference)) return ERR_OVERFLOW;
    *ret_micros = difference;
    return OK;
}

/* A non-negative number while its digits arrive. An overflow is remembered and not reported at
 * once, because a later character may show that the text is no amount at all, and that is what a
 * person has to hear then. */
struct magnitude {
    unsigned __int128 value;
    bool overflow;
};

static void push_digit(struct magnitude *magnitude, int digit)
{
    magnitude->value = magnitude->value * 10 + (unsigned)digit;
    if (magnitude->value <= UINT64_MAX) return;
    magnitude->overflow = true;
    magnitude->value = 0;
}

/* Pushes the digits at `text` and returns how many there were. */
static size_t push_digits(struct magnitude *magnitude, const char *text)
{
    size_t count = 0;
    for (; text[count] >= '0' && text[count] <= '9'; count++)
        push_digit(magnitude, text[count] - '0');
    return count;
}

/* INT64_MIN has no positive counterpart, hence the sign is applied in 128 bits. */
static enum err apply_sign(const struct magnitude *magnitude, bool negative, int64_t *ret_micros)
{
    __int128 value = negative ? -(__int128)magnitude->value : (__int128)magnitude->value;
    if (magnitude->overflow || value < INT64_MIN || value > INT64_MAX) return ERR_OVERFLOW;
    *ret_micros = (int64_t)value;
    return OK;
}

enum err money_parse(const char *text, int64_t *ret_micros)
{
    bool negative = *text == '-';
    if (negative) text++;

    struct magnitude magnitude = {0};
    size_t whole = push_digits(&magnitude, text);
    if (whole == 0) return ERR_INVALID;
    text += whole;

    size_t decimals = 0;
    if (*text == '.') {
        decimals = push_digits(&magnitude, text + 1);
        if (decimals == 0 || decimals > MONEY_DECIMALS) return ERR_INVALID;
        text += 1 + decimals;
    }
    if (*text != '\0') return ERR_INVALID;

    for (size_t i = decimals; i < MONEY_DECIMALS; i++)
        push_digit(&magnitude, 0);
    return apply_sign(&magnitude, negative, ret_micros);
}

void money_format(int64_t micros, int decimals, char ret_text[MONEY_TEXT])
{
    ASSERT(decimals >= 0 && decimals <= MONEY_DECIMALS);
    uint64_t magnitude = micros < 0 ? 0 - (uint64_t)micros : (uint64_t)micros;
    uint64_t units = magnitude / (uint64_t)MICROS_PER_UNIT;
    uint64_t fraction = magnitude % (uint64_t)MICROS_PER_UNIT;

    int digits = MONEY_DECIMALS;
    for (; digits > decimals && fraction % 10 == 0; digits--)
        fraction /= 10;

    const char *sign = micros < 0 ? "-" : "";
    bool fitted = digits == 0 ? text_format(ret_text, MONEY_TEXT, "%s%" PRIu64, sign, units)
                              : text_format(ret_text, MONEY_TEXT, "%s%" PRIu64 ".%0*" PRIu64, sign,
                                            units, digits, fraction);
    ASSERT(fitted);
}
