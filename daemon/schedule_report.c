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

static void print_slots(const struct timetable *timetable, int64_t now_s, FILE *out)
{
    int64_t slot_s = now_s;
    for (int i = 0; i < SLOTS_SHOWN && timetable_next(timetable, slot_s, &slot_s); i++) {
        char local[TIMETABLE_TEXT], utc[UTC_TEXT], day[CIVIL_TEXT];
        timetable_format(timetable, slot_s, local);
        format_utc(slot_s, utc);
        civil_format(timetable_day_before(timetable, slot_s), day);
        fprintf(out, "  %s = %s UTC: days up to %s\n", local, utc, day);
    }
}

static void print_job(const struct config_job *job, const char *zone,
                      const struct timetable *timetable, int64_t now_s, FILE *out)
{
    if (!job->enabled) {
        fprintf(out, "%s: not started by the clock (enabled = false)\n", job->name);
        return;
    }
    fprintf(out, "%s: \"%s\" in %s; next:\n", job->name, job->cron, zone);
    print_slots(timetable, now_s, out);
}

enum err schedule_report(const struct config *config, int64_t now_s, FILE *out, FILE *err,
                         struct detail *detail)
{
    for (int i = 0; i < config->job_count; i++) {
        const struct config_job *job = &config->jobs[i];
        const char *zone = job->timezone[0] != '\0' ? job->timezone : config->timezone;
        const struct timetable_options options = {job->cron, zone, config->timezone};
        CLEANUP(timetable_cleanup) struct timetable *timetable = NULL;
        TRY(timetable_new(&options, &timetable, detail));
        if (timetable_both_days(timetable)) {
            fprintf(err,
                    "warning: job %s: cron \"%s\" names days of the month and weekdays; it is due "
                    "on all days that are one or the other, as with cron\n",
                    job->name, job->cron);
        }
        print_job(job, zone, timetable, now_s, out);
    }
    return OK;
}
