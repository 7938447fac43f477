/* Amounts of money as text and as sums. */
#include <stdlib.h>
#include <string.h>

#include "common/domain/money.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/targets.h"

static const int64_t UNTOUCHED = 4711;

static bool fits(__int128 value)
{
    return value >= INT64_MIN && value <= INT64_MAX;
}

/* Reads back as the same; as many decimals as asked for, and more only where they are not zero. */
static void expect_written_well(int64_t micros, int decimals)
{
    char text[MONEY_TEXT];
    memset(text, 'x', sizeof(text));
    money_format(micros, decimals, text);
    size_t length = strnlen(text, sizeof(text));
    ASSERT(length > 0 && length < sizeof(text));

    int64_t read = UNTOUCHED;
    ASSERT(money_parse(text, &read) == OK && read == micros);
    struct naive_decimal written;
    ASSERT(naive_read_decimal(text, &written) && written.negative == (micros < 0));
    ASSERT(written.decimal_length >= (size_t)decimals && written.decimal_length <= MONEY_DECIMALS);
    ASSERT(written.decimal_length == (size_t)decimals || text[length - 1] != '0');
}

static void try_text(const char *text)
{
    struct naive_decimal decimal;
    __int128 value = 0;
    enum err expected = ERR_INVALID;
    if (naive_read_decimal(text, &decimal) && decimal.decimal_length <= MONEY_DECIMALS)
        expected = naive_scale(&decimal, MONEY_DECIMALS, &value) && fits(value) ? OK : ERR_OVERFLOW;

    int64_t micros = UNTOUCHED;
    ASSERT(money_parse(text, &micros) == expected);
    ASSERT(micros == (expected == OK ? (int64_t)value : UNTOUCHED));
    for (int decimals = 0; expected == OK && decimals <= MONEY_DECIMALS; decimals++)
        expect_written_well(micros, decimals);
}

static void try_sums(int64_t a, int64_t b)
{
    int64_t sum = UNTOUCHED, difference = UNTOUCHED;
    __int128 exact_sum = (__int128)a + b, exact_difference = (__int128)a - b;
    ASSERT(money_add(a, b, &sum) == (fits(exact_sum) ? OK : ERR_OVERFLOW));
    ASSERT(money_subtract(a, b, &difference) == (fits(exact_difference) ? OK : ERR_OVERFLOW));
    ASSERT(sum == (fits(exact_sum) ? (int64_t)exact_sum : UNTOUCHED));
    ASSERT(difference == (fits(exact_difference) ? (int64_t)exact_difference : UNTOUCHED));
}

/* A text, and behind its NUL two numbers. */
void fuzz_amounts(struct input *input)
{
    CLEANUP(free_pointer) char *text = input_text(input);
    try_text(text);
    int64_t a = input_number(input), b = input_number(input);
    try_sums(a, b);
    for (int decimals = 0; decimals <= MONEY_DECIMALS; decimals++)
        expect_written_well(a, decimals);
}
