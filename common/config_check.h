/* What is asked of the texts in a configuration file, apart from their length: small predicates
 * without state. Only the one for time zones looks outside of its argument, at the system's zone
 * files. Any thread may call. */
#ifndef COMMON_CONFIG_CHECK_H
#define COMMON_CONFIG_CHECK_H

#include "common/base.h"

/* The name of a time zone that this system knows. A system without any zone files has only the
 * name's shape to go by. */
bool config_accepts_zone(const char *name);
bool config_accepts_zone_or_nothing(const char *name);

/* A cron expression that is understood and matches some date. When it is not, `reason` says which
 * field is wrong and what to write; it may be NULL. */
bool config_accepts_cron(const char *text, struct detail *reason);

/* Small letters, digits and '-', at least one. */
bool config_accepts_job_name(const char *name);

bool config_accepts_absolute_or_nothing(const char *path);
bool config_accepts_something(const char *text);

#endif
