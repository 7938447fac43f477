/* Graduated tiers: each view is paid at the price of the tier that it falls into. Bounds are lower
 * bounds, the first is zero, the last tier has no end. T(V) = Σ price(i) × max(0, min(V, min(i+1))
 * − min(i)). The sum is exact: products and sum are computed in 128 bits, and what does not fit 64
 * bits in the end is ERR_OVERFLOW. Pure. */
#ifndef COMMON_DOMAIN_TIER_H
#define COMMON_DOMAIN_TIER_H

#include "common/base.h"

enum { TIER_LIMIT = 64 };

struct tier {
    int64_t min_views;
    int64_t price_micros;
};

/* An empty table is all zeros. Prices may rise, fall and be zero. */
struct tier_table {
    struct tier tiers[TIER_LIMIT];
    int count;
};

/* Adds a tier; they have to come in ascending order of min_views. ERR_INVALID with the reason in
 * `detail`, and the table as it was, for a negative price or bound, a bound that is not above the
 * last one (an overlap), a first bound that is not zero, too many. */
enum err tier_table_add(struct tier_table *table, struct tier tier,
                        struct detail *detail) MUST_CHECK;

/* The views of tier `index` out of `views`: max(0, min(V, min(i+1)) − min(i)). */
int64_t tier_views(const struct tier_table *table, int index, int64_t views);

/* T(V) in micros; the table has at least one tier. ERR_INVALID for negative views, which no count
 * of logs can be, and ERR_OVERFLOW. */
enum err tier_total(const struct tier_table *table, int64_t views, int64_t *ret_micros) MUST_CHECK;

#endif
