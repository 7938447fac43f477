/* Files of time zones: whatever their bytes, the zone that is made of them answers for every
 * instant, in bounded time, as its table says. */
#include <stdlib.h>
#include <string.h>

#include "common/schedule/slot.h"
#include "common/tzif.h"
#include "tests/fuzz/targets.h"

enum { HEADER = 44, SPANS = 40, SLOTS = 5 };

static uint32_t u32(const uint8_t *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value * 256 + at[i];
    return value;
}

static int64_t i64(const uint8_t *at)
{
    return (int64_t)((uint64_t)u32(at) << 32 | u32(at + 4));
}

/* The block of a file that counts: where its counts and its data are, how wide its times. */
struct table {
    const uint8_t *header, *data;
    size_t width;
};

static struct table table_of(const uint8_t *file)
{
    struct table table = {file, file + HEADER, 4};
    if (file[4] < '2') return table;
    size_t skipped = (size_t)u32(file + 32) * 5 + (size_t)u32(file + 36) * 6 + u32(file + 40) +
                     (size_t)u32(file + 28) * 8 + u32(file + 24) + u32(file + 20);
    table.header = file + HEADER + skipped;
    table.data = table.header + HEADER;
    table.width = 8;
    return table;
}

static int64_t time_at(const struct table *table, uint32_t index)
{
    const uint8_t *at = table->data + (size_t)index * table->width;
    return table->width == 4 ? (int32_t)u32(at) : i64(at);
}

/* The offset at an instant before the last transition, by walking through all of them. False: the
 * instant is not before it. */
static bool offset_in(const struct table *table, int64_t at_s, int32_t *ret_offset_s)
{
    uint32_t count = u32(table->header + 32), type = 0;
    const uint8_t *types = table->data + (size_t)count * table->width;
    if (count == 0 || time_at(table, count - 1) <= at_s) return false;
    for (uint32_t i = 0; i < count && time_at(table, i) <= at_s; i++)
        if (time_at(table, i) > ZONE_BEGIN_S) type = types[i];
    *ret_offset_s = (int32_t)u32(types + count + (size_t)type * 6);
    return true;
}

/* What the block says to hold is within the file, and all types that it names are there. */
static void expect_whole(const struct table *table, const uint8_t *end)
{
    const uint8_t *header = table->header;
    uint32_t count = u32(header + 32), types = u32(header + 36);
    size_t size = (size_t)count * (table->width + 1) + (size_t)types * 6 + u32(header + 40) +
                  (size_t)u32(header + 28) * (table->width + 4) + u32(header + 24) +
                  u32(header + 20);
    ASSERT(table->data <= end && size <= (size_t)(end - table->data));
    for (uint32_t i = 0; i < count; i++)
        ASSERT(table->data[(size_t)count * table->width + i] < types);
}

/* Stretches contain what was asked for, follow one another, and have the offsets of the table. */
static void try_spans(const struct zone *zone, const struct table *table, int64_t at_s,
                      int64_t end_s)
{
    for (int i = 0; i < SPANS && at_s < end_s; i++) {
        struct zone_span span = zone_at(zone, at_s);
        int32_t offset_s;
        ASSERT(span.begin_s <= at_s && at_s < span.end_s);
        ASSERT(span.offset_s > -ZONE_OFFSET_LIMIT_S && span.offset_s < ZONE_OFFSET_LIMIT_S);
        if (offset_in(table, at_s, &offset_s)) ASSERT(span.offset_s == offset_s);
        if (span.begin_s > ZONE_BEGIN_S && span.begin_s > -end_s)
            ASSERT(zone_at(zone, span.begin_s - 1).end_s == span.begin_s);
        at_s = span.end_s;
    }
}

/* The clock never goes back, and a local time is first shown when it is first reached. */
static void try_clock(const struct zone *zone, int64_t at_s)
{
    int64_t reached_s = zone_reached(zone, at_s), first_s = INT64_MIN;
    ASSERT(reached_s >= at_s + zone_at(zone, at_s).offset_s);
    ASSERT(zone_reached(zone, at_s + 1) >= reached_s);
    if (!zone_first_instant(zone, reached_s, &first_s)) {
        ASSERT(first_s == INT64_MIN);
        return;
    }
    ASSERT(first_s <= at_s && zone_reached(zone, first_s) >= reached_s);
    ASSERT(zone_reached(zone, first_s - 1) < reached_s);
}

static void try_slots(const struct zone *zone, int64_t at_s)
{
    static const char *const expressions[] = {"10 0 * * *", "*/15 * * * *", "30 2 29 2 *"};
    for (size_t i = 0; i < COUNT_OF(expressions); i++) {
        struct cron cron;
        ASSERT(cron_parse(expressions[i], &cron, NULL) == OK);
        int64_t slot_s = at_s;
        for (int count = 0; count < SLOTS; count++) {
            int64_t before_s = slot_s, again_s;
            if (!slot_next(&cron, zone, before_s, &slot_s)) break;
            ASSERT(slot_s > before_s);
            ASSERT(slot_next(&cron, zone, slot_s - 1, &again_s) && again_s == slot_s);
        }
    }
}

/* Eight bytes of an instant, and the file. */
void fuzz_tzif(struct input *input)
{
    static const int64_t END_S = INT64_C(253402300800); /* of the year 9999 */
    int64_t at_s = 0;
    for (int i = 0; i < 8; i++)
        at_s = (int64_t)((uint64_t)at_s << 8 | input_u8(input));
    at_s %= END_S / 2;
    struct zone *const untouched = (struct zone *)input;
    struct zone *made = untouched;
    struct detail detail = {""};
    enum err err = tzif_parse(input->at, input->left, &made, &detail);
    if (err != OK) {
        ASSERT(err == ERR_INVALID && made == untouched);
        expect_words(detail.text);
        return;
    }
    CLEANUP(zone_cleanup) struct zone *zone = made;
    const struct table table = table_of(input->at);
    expect_whole(&table, input->at + input->left);
    try_spans(zone, &table, at_s, END_S);
    try_spans(zone, &table, -END_S / 2, END_S);
    if (u32(table.header + 32) > 0) {
        int64_t first_s = time_at(&table, 0);
        if (first_s > -END_S / 2 && first_s < END_S) try_clock(zone, first_s);
    }
    try_clock(zone, at_s);
    try_slots(zone, at_s);
}
