#include "common/schedule/zone.h"

#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

enum { SECONDS_PER_DAY = 86400, SHOWN_LIMIT = 80 };

struct zone {
    int32_t first_offset_s;
    bool has_rule;
    struct zone_rule rule;
    size_t count;
    struct zone_transition transitions[];
};

static bool offset_fits(int32_t offset_s)
{
    return offset_s > -ZONE_OFFSET_LIMIT_S && offset_s < ZONE_OFFSET_LIMIT_S;
}

static bool transitions_fit(const struct zone_table *table)
{
    int64_t before_s = ZONE_BEGIN_S;
    for (size_t i = 0; i < table->count; i++) {
        const struct zone_transition *transition = &table->transitions[i];
        if (transition->at_s <= before_s || transition->at_s >= ZONE_END_S) return false;
        if (!offset_fits(transition->offset_s)) return false;
        before_s = transition->at_s;
    }
    return true;
}

enum err zone_new(const struct zone_table *table, struct zone **ret_zone, struct detail *detail)
{
    struct zone_rule rule = {0};
    bool has_rule = table->rule[0] != '\0';
    if (!offset_fits(table->first_offset_s) || !transitions_fit(table))
        return detail_set(detail, ERR_INVALID, "its table of transitions makes no sense");
    if (has_rule && zone_rule_parse(table->rule, &rule) != OK) {
        char shown[UTF8_SHOWN(SHOWN_LIMIT)];
        return detail_set(detail, ERR_INVALID, "its rule \"%s\" is not understood",
                          utf8_show(table->rule, strlen(table->rule), SHOWN_LIMIT, shown));
    }
    size_t size = table->count * sizeof(table->transitions[0]);
    struct zone *zone = malloc(sizeof(*zone) + size);
    if (zone == NULL) return detail_set(detail, ERR_MEMORY, "out of memory");
    *zone = (struct zone){table->first_offset_s, has_rule, rule, table->count};
    if (size > 0) memcpy(zone->transitions, table->transitions, size);
    *ret_zone = zone;
    return OK;
}

void zone_free(struct zone *zone)
{
    free(zone);
}

void zone_cleanup(struct zone **zone)
{
    zone_free(*zone);
    *zone = NULL;
}

/* How many transitions are not after the instant. */
static size_t count_until(const struct zone *zone, int64_t instant_s)
{
    size_t low = 0, high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle].at_s <= instant_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct zone_span zone_at(const struct zone *zone, int64_t instant_s)
{
    ASSERT(instant_s > ZONE_BEGIN_S && instant_s < ZONE_END_S);
    size_t passed = count_until(zone, instant_s);
    int64_t begin_s = passed > 0 ? zone->transitions[passed - 1].at_s : ZONE_BEGIN_S;
    if (passed == zone->count && zone->has_rule) {
        struct zone_span span = zone_rule_at(&zone->rule, instant_s);
        span.begin_s = max_i64(span.begin_s, begin_s);
        return span;
    }
    return (struct zone_span){
        .begin_s = begin_s,
        .end_s = passed < zone->count ? zone->transitions[passed].at_s : ZONE_END_S,
        .offset_s = passed > 0 ? zone->transitions[passed - 1].offset_s : zone->first_offset_s,
    };
}

/* An offset that ended longer ago than the widest jump back cannot have shown a later time. */
int64_t zone_reached(const struct zone *zone, int64_t instant_s)
{
    struct zone_span span = zone_at(zone, instant_s);
    int64_t reached_s = instant_s + span.offset_s;
    while (span.begin_s > instant_s - INT64_C(2) * ZONE_OFFSET_LIMIT_S) {
        span = zone_at(zone, span.begin_s - 1);
        reached_s = max_i64(reached_s, span.end_s - 1 + span.offset_s);
    }
    return reached_s;
}

/* The gap before the span ends after the day does, and begins no later than the day. */
static bool day_was_skipped(const struct zone *zone, const struct zone_span *span, int64_t local_s)
{
    int64_t into_day_s = local_s % SECONDS_PER_DAY;
    if (into_day_s < 0) into_day_s += SECONDS_PER_DAY;
    int64_t day_s = local_s - into_day_s;
    if (span->begin_s + span->offset_s < day_s + SECONDS_PER_DAY) return false;
    return zone_reached(zone, span->begin_s - 1) < day_s;
}

bool zone_first_instant(const struct zone *zone, int64_t local_s, int64_t *ret_instant_s)
{
    struct zone_span span = zone_at(zone, local_s - ZONE_OFFSET_LIMIT_S);
    while (span.end_s + span.offset_s <= local_s)
        span = zone_at(zone, span.end_s);
    int64_t instant_s = max_i64(span.begin_s, local_s - span.offset_s);
    if (instant_s == span.begin_s && day_was_skipped(zone, &span, local_s)) return false;
    *ret_instant_s = instant_s;
    return true;
}
