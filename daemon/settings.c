#include "daemon/settings.h"

#include <string.h>

#include "common/config_options.h"
#include "common/log.h"
#include "common/purge.h"
#include "daemon/jobs/jobs.h"

static void keep(const char *what, bool changed)
{
    if (changed)
        log_event(LOG_LEVEL_WARN, "restart-needed",
                  "this setting was changed, and is taken over when settlementd is restarted",
                  "setting", what, NULL);
}

/* What the process has built on: its connections, its identity and the zone of its dates. */
static void keep_what_needs_a_restart(const struct config *current, struct config *next)
{
    /* NOLINTNEXTLINE: config_load begins with memset, so what lies between members is zero */
    keep("database", memcmp(&current->database, &next->database, sizeof(next->database)) != 0);
    keep("timezone", strcmp(current->timezone, next->timezone) != 0);
    keep("state_directory", strcmp(current->state_directory, next->state_directory) != 0);
    keep("lease", memcmp(&current->lease, &next->lease, sizeof(next->lease)) != 0);
    next->database = current->database;
    memcpy(next->timezone, current->timezone, sizeof(next->timezone));
    memcpy(next->state_directory, current->state_directory, sizeof(next->state_directory));
    next->lease = current->lease;
}

enum err settings_read_again(const struct config *current, struct config *ret_next,
                             struct detail *detail)
{
    struct config next;
    if (current->path[0] == '\0')
        return detail_set(
            detail, ERR_CONFIG,
            "settlementd runs with built-in defaults: there is no file to read again");
    TRY(config_load(current->path, &next, detail));
    keep_what_needs_a_restart(current, &next);
    *ret_next = next;
    return OK;
}

static struct slots_job slots_job_of(const struct config *config, const struct config_job *job)
{
    struct slots_job slots_job = {.misfire = job->misfire,
                                  .catchup_max = job->catchup_max,
                                  .enabled = job->enabled};
    const char *zone = job->timezone[0] == '\0' ? config->timezone : job->timezone;
    (void)text_format(slots_job.name, sizeof(slots_job.name), "%s", job->name);
    (void)text_format(slots_job.cron, sizeof(slots_job.cron), "%s", job->cron);
    (void)text_format(slots_job.zone, sizeof(slots_job.zone), "%s", zone);
    return slots_job;
}

static struct slots_job purge_schedule(const struct config *config)
{
    struct slots_job purge = {.misfire = MISFIRE_ONCE,
                              .catchup_max = 1,
                              .enabled = config->housekeeping.enabled};
    (void)text_format(purge.name, sizeof(purge.name), "%s", PURGE_SCHEDULE);
    (void)text_format(purge.cron, sizeof(purge.cron), "%s", config->housekeeping.cron);
    (void)text_format(purge.zone, sizeof(purge.zone), "%s", config->timezone);
    return purge;
}

static bool is_configured(const struct config *config, const char *name)
{
    for (int i = 0; i < config->job_count; i++)
        if (strcmp(config->jobs[i].name, name) == 0) return true;
    return false;
}

void settings_warn(const struct config *config, FILE *out)
{
    for (int i = 0; i < config->job_count; i++)
        if (jobs_find(config->jobs[i].name) == NULL)
            fprintf(out,
                    "warning: job %s: this version has no such job, and leaves it alone; there is: "
                    "%s\n",
                    config->jobs[i].name, JOBS_NAMES);
    for (int i = 0; jobs_at(i) != NULL; i++)
        if (!is_configured(config, jobs_at(i)->name))
            fprintf(out, "warning: job %s is not named in jobs: the clock does not start it\n",
                    jobs_at(i)->name);
}

/* A job that the file does not name is not run by the clock: it is as one that is not enabled. */
static int add_unconfigured(const struct config *config, struct slots_job *ret_jobs)
{
    int count = 0;
    for (int i = 0; jobs_at(i) != NULL; i++) {
        struct config_job job;
        if (is_configured(config, jobs_at(i)->name)) continue;
        config_job_defaults(&job);
        (void)text_format(job.name, sizeof(job.name), "%s", jobs_at(i)->name);
        job.enabled = false;
        ret_jobs[count++] = slots_job_of(config, &job);
    }
    return count;
}

enum err settings_schedule(const struct config *config, struct slots *slots, struct detail *detail)
{
    struct slots_job jobs[CONFIG_JOBS + JOBS_LIMIT + 1];
    int count = 0;
    for (int i = 0; i < config->job_count; i++) {
        if (jobs_find(config->jobs[i].name) == NULL) {
            /* A newer version's, perhaps: daemons are upgraded one at a time. */
            log_event(LOG_LEVEL_WARN, "job-unknown",
                      "the configuration names a job that this version does not have; it is left "
                      "alone",
                      "job", config->jobs[i].name, NULL);
            continue;
        }
        jobs[count++] = slots_job_of(config, &config->jobs[i]);
    }
    count += add_unconfigured(config, jobs + count);
    jobs[count++] = purge_schedule(config);
    return slots_configure(slots, config->timezone, jobs, count, detail);
}
