#include "common/domain/tier.h"

#include <inttypes.h>

static enum err check_bound(const struct tier_table *table, int64_t min_views,
                            struct detail *detail)
{
    if (table->count == 0) {
        if (min_views == 0) return OK;
        return detail_set(detail, ERR_INVALID,
                          "the first tier begins at %" PRId64 " views; it must begin at 0",
                          min_views);
    }
    int64_t last = table->tiers[table->count - 1].min_views;
    if (min_views > last) return OK;
    return detail_set(detail, ERR_INVALID,
                      "the tier from %" PRId64 " views overlaps the one from %" PRId64
                      " views; each must begin above the one before",
                      min_views, last);
}

enum err tier_table_add(struct tier_table *table, struct tier tier, struct detail *detail)
{
    ASSERT(table->count >= 0 && table->count <= TIER_LIMIT);
    if (table->count == TIER_LIMIT) {
        return detail_set(detail, ERR_INVALID,
                          "the tier from %" PRId64
                          " views is one too many; at most %d tiers are possible",
                          tier.min_views, TIER_LIMIT);
    }
    if (tier.price_micros < 0) {
        return detail_set(detail, ERR_INVALID,
                          "the tier from %" PRId64 " views has a price of %" PRId64
                          " micros; it must not be negative",
                          tier.min_views, tier.price_micros);
    }
    TRY(check_bound(table, tier.min_views, detail));
    table->tiers[table->count++] = tier;
    return OK;
}

int64_t tier_views(const struct tier_table *table, int index, int64_t views)
{
    ASSERT(index >= 0 && index < table->count);
    int64_t first = table->tiers[index].min_views;
    bool is_last = index + 1 == table->count;
    int64_t end = is_last ? views : min_i64(views, table->tiers[index + 1].min_views);
    return end > first ? end - first : 0;
}

/* The tiers' views add up to `views`, so the sum of the products is at most INT64_MAX × INT64_MAX
 * and fits 128 bits. */
enum err tier_total(const struct tier_table *table, int64_t views, int64_t *ret_micros)
{
    ASSERT(table->count > 0);
    if (views < 0) return ERR_INVALID;
    __int128 total = 0;
    for (int i = 0; i < table->count; i++) {
        total += (__int128)table->tiers[i].price_micros * tier_views(table, i, views);
    }
    if (total > INT64_MAX) return ERR_OVERFLOW;
    *ret_micros = (int64_t)total;
    return OK;
}
