/* Time zones as the system's files describe them: TZif, versions 1 to 4 (RFC 9636), with the rule
 * for later years that stands at the end. A zone is read once and never looked at again: whoever
 * wants a newer table loads it anew. Zones that count leap seconds are refused, because the
 * database does not count them. Any thread may call. */
#ifndef COMMON_TZIF_H
#define COMMON_TZIF_H

#include "common/base.h"
#include "common/schedule/zone.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"

/* Whether a text has the shape of an IANA name, such as "Asia/Seoul": parts of letters, digits,
 * '_', '+' and '-', divided by single slashes, the first letter a capital. It can lead nowhere but
 * into the folder. */
bool tzif_name_has_shape(const char *name);

/* Loads the zone of that name from a folder like ZONE_FOLDER. "UTC" needs no file. ERR_INVALID for
 * a name without shape and for a file that is none of a zone, ERR_IO when it cannot be read (there
 * is no such zone), ERR_MEMORY; `detail` then says which zone, what and what to do. */
enum err tzif_load(const char *folder, const char *name, struct zone **ret_zone,
                   struct detail *detail) MUST_CHECK;

/* The same from a file's bytes; `detail` continues a sentence about the zone. */
enum err tzif_parse(const unsigned char *bytes, size_t size, struct zone **ret_zone,
                    struct detail *detail) MUST_CHECK;

#endif
