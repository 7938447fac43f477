#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "tests/fuzz/targets.h"

static const struct target targets[] = {
#define TARGET(name) {#name, fuzz_##name},
#include "tests/fuzz/targets.h"
};

const struct target *target_at(size_t index)
{
    return index < COUNT_OF(targets) ? &targets[index] : NULL;
}

const struct target *target_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        if (strcmp(targets[i].name, name) == 0) return &targets[i];
    return NULL;
}

uint8_t input_u8(struct input *input)
{
    if (input->left == 0) return 0;
    input->left--;
    return *input->at++;
}

int64_t input_number(struct input *input)
{
    int bytes = input_u8(input) % 9;
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | input_u8(input);
    /* A short number may be negative, too. */
    bool negative = bytes > 0 && bytes < 8 && (number >> (8 * bytes - 1) & 1) != 0;
    return (int64_t)(negative ? number | UINT64_MAX << (8 * bytes) : number);
}

int64_t input_between(struct input *input, int64_t low, int64_t high)
{
    uint64_t width = (uint64_t)(high - low) + 1;
    return low + (int64_t)((uint64_t)input_number(input) % width);
}

char *input_text(struct input *input)
{
    size_t length = strnlen((const char *)input->at, input->left);
    char *text = malloc(length + 1);
    ASSERT(text != NULL);
    if (length > 0) memcpy(text, input->at, length);
    text[length] = '\0';
    input->at += length;
    input->left -= length;
    (void)input_u8(input);
    return text;
}

void expect_words(const char *text)
{
    ASSERT(text[0] != '\0');
    for (const char *at = text; *at != '\0';) {
        size_t length = utf8_printable(at);
        ASSERT(length > 0);
        at += length;
    }
}
