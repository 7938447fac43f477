/* What may be shown of a text that came from elsewhere. Pure. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include "common/base.h"

/* Bytes of the well-formed UTF-8 character at the start of `text`; 0 at its end, and when there is
 * none there, or a control character (C0, DEL, C1), which terminals obey and lines end with. */
size_t utf8_printable(const char *text);

/* Whether all of it is well-formed UTF-8, control characters among it. */
bool utf8_is_valid(const char *text);

#endif
