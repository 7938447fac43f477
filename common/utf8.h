/* What may be shown of a text that came from elsewhere: a name, a file, an argument, the words of a
 * server. Pure but for utf8_print. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdio.h>

#include "common/base.h"

/* Bytes of the well-formed UTF-8 character at the start of `text` (RFC 3629: no surrogates, nothing
 * longer than need be, nothing above U+10FFFF); 0 at its end, and when there is none there. */
size_t utf8_length(const char *text);

/* The code point of that character; 0 when there is none. */
unsigned utf8_decode(const char *text);

/* The length, too, but 0 for what must not be shown as it is: control characters (C0, DEL, C1),
 * which terminals obey and lines end with, line and paragraph separators, and the invisible
 * characters that turn the direction of what follows, or hide text. */
size_t utf8_printable(const char *text);

/* Whether all of it is well-formed, control characters among it. */
bool utf8_is_valid(const char *text);

/* Bytes of what utf8_printable refuses at the start of `text`, which one '?' takes the place of: a
 * character, or a byte of what is none. At least 1. */
size_t utf8_unprintable(const char *text);

/* Puts a blank for each line end and tab, and '?' for whatever else is not printable, in place. */
void utf8_clean(char *text);

/* Prints the text as utf8_clean leaves it. */
void utf8_print(FILE *file, const char *text);

/* Room for what utf8_show makes of `most` bytes. */
#define UTF8_SHOWN(most) (4 * (most) + 8)

/* A piece of such a text for a message: of what is not printable each byte becomes \xNN, so that no
 * text can forge a line or send a terminal elsewhere, and after about `most` bytes "..." stands for
 * the rest. ret_text has UTF8_SHOWN(most) bytes, and is given back. */
const char *utf8_show(const char *text, size_t length, size_t most, char *ret_text);

#endif
