/* Tables of rates: which tiers are taken, what views are worth, and what a day earns. */
#include <string.h>

#include "common/domain/accrual.h"
#include "tests/fuzz/targets.h"

static const int64_t UNTOUCHED = 4711;

static void add_tier(struct tier_table *table, struct tier tier)
{
    const struct tier_table before = *table;
    int64_t above = before.count == 0 ? 0 : before.tiers[before.count - 1].min_views;
    bool fits = before.count < TIER_LIMIT && tier.price_micros >= 0 &&
                (before.count == 0 ? tier.min_views == 0 : tier.min_views > above);
    struct detail detail = {""};
    enum err err = tier_table_add(table, tier, &detail);
    ASSERT(err == (fits ? OK : ERR_INVALID));
    if (err == OK) {
        ASSERT(table->count == before.count + 1 && detail.text[0] == '\0');
        ASSERT(memcmp(&table->tiers[before.count], &tier, sizeof(tier)) == 0);
        return;
    }
    ASSERT(memcmp(table, &before, sizeof(before)) == 0);
    expect_words(detail.text);
}

/* Each tier's price is what it adds to the price of the one before: T(V) as the sum of all views
 * from a tier's bound on, times the difference. No sum on the way leaves 128 bits, since each is
 * what V views would be worth if the table ended there. */
static __int128 worth(const struct tier_table *table, int64_t views)
{
    __int128 total = 0;
    int64_t price_before = 0;
    for (int i = 0; i < table->count; i++) {
        const struct tier *tier = &table->tiers[i];
        __int128 above = (__int128)views - tier->min_views;
        if (above > 0) total += above * ((__int128)tier->price_micros - price_before);
        price_before = tier->price_micros;
    }
    return total;
}

static enum err expected_total(const struct tier_table *table, int64_t views)
{
    if (views < 0) return ERR_INVALID;
    return worth(table, views) <= INT64_MAX ? OK : ERR_OVERFLOW;
}

static void try_total(const struct tier_table *table, int64_t views)
{
    int64_t micros = UNTOUCHED;
    enum err expected = expected_total(table, views);
    ASSERT(tier_total(table, views, &micros) == expected);
    ASSERT(micros == (expected == OK ? (int64_t)worth(table, views) : UNTOUCHED));
    int64_t sum = 0;
    for (int i = 0; i < table->count; i++) {
        int64_t of_tier = tier_views(table, i, views);
        ASSERT(of_tier >= 0 && of_tier <= INT64_MAX - sum);
        sum += of_tier;
    }
    ASSERT(sum == max_i64(views, 0));
}

/* What a day earns is the difference of two totals, exactly, or an error that changes nothing. */
static void try_day(const struct tier_table *table, int64_t before, int64_t now, int64_t paid)
{
    struct accrual accrual = {UNTOUCHED, UNTOUCHED};
    enum err err = accrual_of_day(table, before, now, paid, &accrual);
    enum err expected = expected_total(table, before);
    if (expected == OK) expected = expected_total(table, now);
    if (expected == OK) {
        __int128 amount = worth(table, now) - worth(table, before), total = paid + amount;
        if (total < INT64_MIN || total > INT64_MAX) expected = ERR_OVERFLOW;
        ASSERT(err != OK || (accrual.amount_micros == amount && accrual.total_micros == total));
    }
    ASSERT(err == expected);
    ASSERT(err == OK || (accrual.amount_micros == UNTOUCHED && accrual.total_micros == UNTOUCHED));
}

/* How many tiers, these, and three numbers: views before, views now, and what was paid. */
void fuzz_rates(struct input *input)
{
    struct tier_table table;
    memset(&table, 0, sizeof(table));
    bool steps = input_u8(input) % 2 != 0; /* bounds as distances, so that more of them fit */
    for (int64_t left = input_between(input, 0, TIER_LIMIT + 4); left > 0; left--) {
        int64_t bound = input_number(input), last = 0, sum;
        if (table.count > 0) last = table.tiers[table.count - 1].min_views;
        if (steps && add_i64(last, bound, &sum)) bound = sum;
        add_tier(&table, (struct tier){bound, input_number(input)});
    }
    if (table.count == 0) return;
    int64_t before = input_number(input), now = input_number(input);
    try_total(&table, before);
    try_total(&table, now);
    try_day(&table, before, now, input_number(input));
}
