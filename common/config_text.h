/* The text of a configuration file on its way to the parser. libconfig 1.5 reads a number of more
 * than 32 bits modulo 2^32, takes an open comment for the end of the file, stops at a NUL byte and
 * follows @include; a policy file must not be misread in silence, so this file mends the first and
 * refuses the others. Any thread may call. */
#ifndef COMMON_CONFIG_TEXT_H
#define COMMON_CONFIG_TEXT_H

#include "common/base.h"

/* Reads a whole file of at most `size` - 1 bytes and ends it with NUL. ERR_CONFIG with "PATH: what;
 * what to do" when that is not possible; ret_buffer may then hold a part. Only regular files and
 * devices are read, so that no call waits for a writer. */
enum err config_text_read(const char *path, char *ret_buffer, size_t size, size_t *ret_length,
                          struct detail *detail) MUST_CHECK;

/* Makes the copy that the parser is given; the caller frees it. Lines keep their numbers.
 * ERR_CONFIG with "NAME:LINE: what; what to do". `text` ends with NUL after `length` bytes. */
enum err config_text_prepare(const char *name, const char *text, size_t length, char **ret_copy,
                             struct detail *detail) MUST_CHECK;

#endif
