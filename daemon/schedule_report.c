#include "daemon/schedule_report.h"

#include <time.h>

#include "common/timetable.h"

enum { SLOTS_SHOWN = 3, UTC_TEXT = 32 };

static void format_utc(int64_t instant_s, char ret_text[UTC_TEXT])
{
    time_t seconds = (time_t)instant_s;
    struct tm parts;
    ret_text[0] = '\0';
    if (gmtime_r(&seconds, &parts) != NULL)
        (void)strftime(ret_text, UTC_TEXT, "%Y-%m-%d %H:%M:%S", &parts);
}

/* Where everything is said, and when "next" is. */
struct report {
    const char *business_zone;
    int64_t now_s;
    FILE *out, *err;
};

/* What has a schedule. `settles`: each slot is for the days before it. */
struct entry {
    const char *kind, *name, *cron, *zone;
    bool enabled, settles;
};

static void print_slot(const struct timetable *timetable, int64_t slot_s, bool settles, FILE *out)
{
    char local[TIMETABLE_TEXT], utc[UTC_TEXT], day[CIVIL_TEXT];
    timetable_format(timetable, slot_s, local);
    format_utc(slot_s, utc);
    fprintf(out, "  %s = %s UTC", local, utc);
    civil_format(timetable_day_before(timetable, slot_s), day);
    if (settles) fprintf(out, ": days up to %s", day);
    fputc('\n', out);
}

static void print_entry(const struct entry *entry, const struct timetable *timetable, int64_t now_s,
                        FILE *out)
{
    if (!entry->enabled) {
        fprintf(out, "%s: not started by the clock (enabled = false)\n", entry->name);
        return;
    }
    fprintf(out, "%s: \"%s\" in %s; next:\n", entry->name, entry->cron, entry->zone);
    int64_t slot_s = now_s;
    for (int i = 0; i < SLOTS_SHOWN && timetable_next(timetable, slot_s, &slot_s); i++)
        print_slot(timetable, slot_s, entry->settles, out);
}

static void warn(const struct entry *entry, const struct timetable *timetable, FILE *err)
{
    if (!timetable_both_days(timetable)) return;
    fprintf(err,
            "warning: %s%s: cron \"%s\" names days of the month and weekdays; it is due "
            "on all days that are one or the other, as with cron\n",
            entry->kind, entry->name, entry->cron);
}

static enum err add(const struct report *report, const struct entry *entry, struct detail *detail)
{
    const struct timetable_options options = {entry->cron, entry->zone, report->business_zone};
    CLEANUP(timetable_cleanup) struct timetable *timetable = NULL;
    TRY(timetable_new(&options, &timetable, detail));
    warn(entry, timetable, report->err);
    print_entry(entry, timetable, report->now_s, report->out);
    return OK;
}

enum err schedule_report(const struct config *config, int64_t now_s, FILE *out, FILE *err,
                         struct detail *detail)
{
    const struct report report = {config->timezone, now_s, out, err};
    for (int i = 0; i < config->job_count; i++) {
        const struct config_job *job = &config->jobs[i];
        const char *zone = job->timezone[0] != '\0' ? job->timezone : config->timezone;
        const struct entry entry = {"job ", job->name, job->cron, zone, job->enabled, true};
        TRY(add(&report, &entry, detail));
    }
    const struct config_housekeeping *purge = &config->housekeeping;
    const struct entry entry = {
        "", "purge (housekeeping)", purge->cron, config->timezone, purge->enabled, false,
    };
    return add(&report, &entry, detail);
}
