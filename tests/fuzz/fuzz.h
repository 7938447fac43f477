/* What fuzz targets share. A target takes bytes that nobody chose, makes an input of them, gives it
 * to one of the project's parsers and insists, with ASSERT, on what must hold for any input: what
 * was refused is refused in words and has changed nothing; what was accepted is within its bounds,
 * reads back as the same when it is written, and is what a second, simpler program makes of it.
 *
 * The same targets are run by libFuzzer (script/fuzz) and over the kept inputs (test_fuzz). They
 * keep nothing from one input to the next. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/base.h"

/* What is left of an input. Parts are taken off its front; where nothing is left there are
 * zeros. */
struct input {
    const uint8_t *at;
    size_t left;
};

uint8_t input_u8(struct input *input);

/* A number that is as likely small as large: a byte that says how many bytes follow, and these. */
int64_t input_number(struct input *input);

/* From `low` to `high`, which are less than 2^63 apart. */
int64_t input_between(struct input *input, int64_t low, int64_t high);

/* All up to the next NUL, or to the end, in memory of its own that has not a byte more than the
 * text and its NUL, so that the sanitizer sees who reads further. The caller frees it. */
char *input_text(struct input *input);

/* Insists that a text for a person says something and has no control character and no broken UTF-8:
 * whoever wrote the input cannot forge a line or send the terminal elsewhere. */
void expect_words(const char *text);

struct target {
    const char *name;
    void (*run)(struct input *input);
};

/* In the order of targets.h; NULL after the last. */
const struct target *target_at(size_t index);
/* NULL when there is none of that name. */
const struct target *target_find(const char *name);

#endif
