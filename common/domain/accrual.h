/* What a content earns on a day: T(views so far) − T(views at its last settled date), with the
 * rates of the day; signed, never clamped, so that the amounts of all days add up to T as long as
 * the rates stay. When the rates change, what was settled before stays as it is and only the views
 * since then are paid at the new ones. Pure. */
#ifndef COMMON_DOMAIN_ACCRUAL_H
#define COMMON_DOMAIN_ACCRUAL_H

#include "common/domain/tier.h"

struct accrual {
    int64_t amount_micros; /* of the day */
    int64_t total_micros;  /* of all days up to and including it */
};

/* `views_before` and `total_before_micros` are those of the last settled date, zero when there is
 * none. Fewer views than before take money back. ERR_INVALID for negative views, ERR_OVERFLOW. */
enum err accrual_of_day(const struct tier_table *rates, int64_t views_before, int64_t views_now,
                        int64_t total_before_micros, struct accrual *ret_accrual) MUST_CHECK;

#endif
