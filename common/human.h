/* Numbers and times as people read them: the same in tables, progress lines and messages of both
 * programs. Pure. */
#ifndef COMMON_HUMAN_H
#define COMMON_HUMAN_H

#include "common/base.h"

enum { HUMAN_TEXT = 40 };

/* 1234567 → "1,234,567". */
void human_count(int64_t value, char ret_text[HUMAN_TEXT]);

/* How long something took: "0.042 s", "6.7 s", "1:23", "2:03:04". */
void human_duration(int64_t us, char ret_text[HUMAN_TEXT]);

/* Seconds as hours, minutes and seconds: 3723 → "1:02:03", hours with thousands separators. */
void human_hours(int64_t seconds, char ret_text[HUMAN_TEXT]);

/* How many columns of a terminal a UTF-8 text takes: wide characters two, combining ones none. */
int human_width(const char *text);

#define HUMAN_COUNT(value) human_count_in((value), (char[HUMAN_TEXT]){0})
#define HUMAN_DURATION(us) human_duration_in((us), (char[HUMAN_TEXT]){0})

/* The same, giving the buffer back, for the arguments of a printf. */
const char *human_count_in(int64_t value, char text[HUMAN_TEXT]);
const char *human_duration_in(int64_t us, char text[HUMAN_TEXT]);

#endif
