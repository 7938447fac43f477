#include "common/domain/accrual.h"

#include "common/domain/money.h"

enum err accrual_of_day(const struct tier_table *rates, int64_t views_before, int64_t views_now,
                        int64_t total_before_micros, struct accrual *ret_accrual)
{
    int64_t worth_before, worth_now;
    TRY(tier_total(rates, views_before, &worth_before));
    TRY(tier_total(rates, views_now, &worth_now));

    struct accrual accrual;
    TRY(money_subtract(worth_now, worth_before, &accrual.amount_micros));
    TRY(money_add(total_before_micros, accrual.amount_micros, &accrual.total_micros));
    *ret_accrual = accrual;
    return OK;
}
