#include "common/timetable.h"

#include <stdlib.h>
#include <string.h>

#include "common/schedule/slot.h"
#include "common/tzif.h"
#include "common/utf8.h"

enum { SECONDS_PER_DAY = 86400, SECONDS_PER_HOUR = 3600, SECONDS_PER_MINUTE = 60 };
enum { SHOWN_LIMIT = 127 };

struct timetable {
    struct cron cron;
    struct zone *zone, *business_zone;
};

void timetable_free(struct timetable *timetable)
{
    if (timetable == NULL) return;
    zone_free(timetable->zone);
    zone_free(timetable->business_zone);
    free(timetable);
}

void timetable_cleanup(struct timetable **timetable)
{
    timetable_free(*timetable);
    *timetable = NULL;
}

enum err timetable_new_from(const char *folder, const struct timetable_options *options,
                            struct timetable **ret_timetable, struct detail *detail)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = calloc(1, sizeof(*timetable));
    if (timetable == NULL) return detail_set(detail, ERR_MEMORY, "out of memory");
    struct detail problem = {""};
    if (cron_parse(options->cron, &timetable->cron, &problem) != OK) {
        char shown[UTF8_SHOWN(SHOWN_LIMIT)];
        return detail_set(detail, ERR_INVALID, "cron \"%s\": %s",
                          utf8_show(options->cron, strlen(options->cron), SHOWN_LIMIT, shown),
                          problem.text);
    }
    TRY(tzif_load(folder, options->zone, &timetable->zone, detail));
    TRY(tzif_load(folder, options->business_zone, &timetable->business_zone, detail));
    *ret_timetable = timetable;
    timetable = NULL;
    return OK;
}

enum err timetable_new(const struct timetable_options *options, struct timetable **ret_timetable,
                       struct detail *detail)
{
    return timetable_new_from(ZONE_FOLDER, options, ret_timetable, detail);
}

bool timetable_next(const struct timetable *timetable, int64_t after_s, int64_t *ret_slot_s)
{
    return slot_next(&timetable->cron, timetable->zone, after_s, ret_slot_s);
}

bool timetable_both_days(const struct timetable *timetable)
{
    return cron_both_days(&timetable->cron);
}

/* A local time as a date and the seconds since its midnight. */
static struct civil split_local(int64_t local_s, int *ret_second_of_day)
{
    int64_t days = local_s / SECONDS_PER_DAY - (local_s % SECONDS_PER_DAY < 0 ? 1 : 0);
    *ret_second_of_day = (int)(local_s - days * SECONDS_PER_DAY);
    return civil_from_days((int32_t)days);
}

struct civil timetable_day_before(const struct timetable *timetable, int64_t instant_s)
{
    int second_of_day;
    int32_t offset_s = zone_at(timetable->business_zone, instant_s).offset_s;
    return civil_add_days(split_local(instant_s + offset_s, &second_of_day), -1);
}

void timetable_format(const struct timetable *timetable, int64_t instant_s,
                      char ret_text[TIMETABLE_TEXT])
{
    static const char *const weekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int32_t offset_s = zone_at(timetable->zone, instant_s).offset_s;
    int32_t distance_s = offset_s < 0 ? -offset_s : offset_s;
    int second;
    struct civil date = split_local(instant_s + offset_s, &second);
    char day[CIVIL_TEXT];
    civil_format(date, day);
    bool fitted =
        text_format(ret_text, TIMETABLE_TEXT, "%s %s %02d:%02d:%02d %c%02d:%02d",
                    weekdays[civil_weekday(date) - 1], day, second / SECONDS_PER_HOUR,
                    second / SECONDS_PER_MINUTE % 60, second % 60, offset_s < 0 ? '-' : '+',
                    distance_s / SECONDS_PER_HOUR, distance_s / SECONDS_PER_MINUTE % 60);
    ASSERT(fitted);
}
