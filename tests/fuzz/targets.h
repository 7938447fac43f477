/* The fuzz targets, one a line, sorted. Included plainly it declares them; fuzz.c includes it again
 * with a TARGET of its own to gather them, hence no include guard. */
#include "tests/fuzz/fuzz.h"

#ifndef TARGET
#define TARGET(name) void fuzz_##name(struct input *input);
#endif

TARGET(amounts)
TARGET(config)
TARGET(cron)
TARGET(csv)
TARGET(dates)
TARGET(import)
TARGET(rates)
TARGET(tzif)
TARGET(zone_rule)

#undef TARGET
