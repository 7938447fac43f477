/* settlectl next: when the jobs are due, what holds them up, and what was decided last about
 * them. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/schedule.h"
#include "common/purge.h"
#include "common/request.h"
#include "common/utf8.h"

enum { NEXT_DEFAULT = 5, NEXT_MAXIMUM = 1000, OPEN_SLOTS = 100, NOTE = 1200 };

static const struct output_column coming_columns[] = {
    {"Due", "local", OUTPUT_TEXT},
    {"UTC", "at", OUTPUT_TIME},
    {"Settles up to", "settles_up_to", OUTPUT_TEXT},
};

static const struct output_column open_columns[] = {
    {"Due (UTC)", "at", OUTPUT_TIME},
    {"Status", "status", OUTPUT_TEXT},
    {"From", "from", OUTPUT_TEXT},
    {"To", "to", OUTPUT_TEXT},
    {"Settled", "days_settled", OUTPUT_COUNT},
    {"Decided (UTC)", "decided_at", OUTPUT_TIME},
    {"Waits for", "reason", OUTPUT_TEXT},
};

/* All about one job. */
struct entry {
    const struct schedule *schedule;
    char note[NOTE]; /* what is odd about it; empty: nothing */
    struct output *coming, *open;
};

static void entry_done(struct entry *entry)
{
    output_free(entry->coming);
    output_free(entry->open);
}

/* What the command was asked, and what holds for all jobs. */
struct page {
    struct cli *cli;
    struct db *db;
    const char *job_name; /* NULL: all */
    int64_t count, now_s;
    bool daemon_alive;
    struct schedule *schedules;
    int schedule_count;
    json_t *jobs; /* for --json */
};

static void page_done(struct page *page)
{
    json_decref(page->jobs);
    free(page->schedules);
    db_free(page->db);
}

static void add_note(struct entry *entry, const char *text)
{
    size_t used = strlen(entry->note);
    (void)text_format(entry->note + used, sizeof(entry->note) - used, "%s%s", used > 0 ? "; " : "",
                      text);
}

static void describe_oddities(const struct page *page, struct entry *entry)
{
    const struct schedule *schedule = entry->schedule;
    if (strcmp(schedule->job_name, PURGE_SCHEDULE) == 0) {
        add_note(entry, "housekeeping: old job metadata goes (settlectl purge does the same)");
    } else if (!schedule->recorded) {
        add_note(entry, "no daemon has recorded this job yet: this is what the configuration says");
    } else if (!schedule->configured) {
        add_note(entry,
                 "the configuration read here does not name this job: this is what the "
                 "daemons have recorded");
    } else if (schedule->differs) {
        add_note(entry,
                 "the configuration read here says something else: the daemon follows it "
                 "once it is told to read it again (systemctl reload settlementd)");
    }
    if (!schedule->enabled) add_note(entry, "not enabled: it runs only when it is asked for");
    if (!page->daemon_alive) add_note(entry, "no daemon is alive: nothing starts until one does");
}

static void add_coming(struct entry *entry, const struct timetable *timetable, int64_t at_s)
{
    struct output *output = entry->coming;
    bool settles = strcmp(entry->schedule->job_name, PURGE_SCHEDULE) != 0;
    char local[TIMETABLE_TEXT], utc[SCHEDULE_TIME], day[CIVIL_TEXT];
    timetable_format(timetable, at_s, local);
    schedule_format_utc(at_s, utc);
    civil_format(timetable_day_before(timetable, at_s), day);
    output_text(output, local);
    output_text(output, utc);
    if (settles)
        output_text(output, day);
    else
        output_nothing(output);
}

/* A schedule that this system cannot read (a zone that it lacks) is a note, not the end of the
 * list. */
static enum err fill_coming(const struct page *page, struct entry *entry)
{
    CLEANUP(timetable_cleanup) struct timetable *timetable = NULL;
    struct detail detail = {{0}};
    const struct schedule *schedule = entry->schedule;
    enum err err = schedule_timetable(schedule, &page->cli->config, &timetable, &detail);
    if (err == ERR_MEMORY) return err;
    if (err != OK) {
        add_note(entry, detail.text);
        return OK;
    }
    if (!schedule->enabled) return OK;
    int64_t at_s = max_i64(page->now_s, schedule->decided_until_s);
    for (int64_t i = 0; i < page->count && timetable_next(timetable, at_s, &at_s); i++)
        add_coming(entry, timetable, at_s);
    return OK;
}

static enum err fill_open(const struct page *page, struct entry *entry)
{
    CLEANUP(free_pointer) struct schedule_slot *slots = calloc(OPEN_SLOTS, sizeof(*slots));
    if (slots == NULL) return ERR_MEMORY;
    int count = 0;
    TRY(schedule_open_slots(page->db, entry->schedule->job_name, slots, OPEN_SLOTS, &count));
    for (int i = 0; i < count; i++) {
        char utc[SCHEDULE_TIME];
        schedule_format_utc(slots[i].at_s, utc);
        output_text(entry->open, utc);
        output_text(entry->open, slots[i].status);
        output_text(entry->open, slots[i].from);
        output_text(entry->open, slots[i].to);
        output_i64(entry->open, slots[i].days_settled);
        output_text(entry->open, slots[i].decided_at);
        output_text(entry->open, slots[i].reason);
    }
    return OK;
}

static void print_line(const char *title, const char *text)
{
    printf("  %-14s ", title);
    utf8_print(stdout, text);
    printf("\n");
}

static void print_head(const struct entry *entry)
{
    const struct schedule *schedule = entry->schedule;
    char line[SCHEDULE_SENTENCE + 100];
    utf8_print(stdout, schedule->job_name);
    printf("\n");
    (void)text_format(line, sizeof(line), "%s (%s), misfire %s", schedule->cron, schedule->zone,
                      schedule->misfire);
    print_line("schedule", line);
    if (schedule->paused_at[0] != '\0') {
        (void)text_format(line, sizeof(line), "since %s by %s%s%s", schedule->paused_at,
                          schedule->paused_by, schedule->pause_reason[0] != '\0' ? ": " : "",
                          schedule->pause_reason);
        print_line("PAUSED", line);
    }
    if (schedule->last_decision[0] != '\0') {
        (void)text_format(line, sizeof(line), "%s: %s", schedule->last_decision_at,
                          schedule->last_decision);
        print_line("last decision", line);
    }
    if (entry->note[0] != '\0') print_line("note", entry->note);
}

static enum err print_entry(const struct entry *entry)
{
    print_head(entry);
    if (output_rows(entry->open) > 0) {
        printf("\nSlots that are not done with\n");
        TRY(output_print_table(entry->open, stdout));
    }
    if (output_rows(entry->coming) == 0) {
        printf("\nNo slot is to come.\n");
        return OK;
    }
    printf("\n%s\n", entry->schedule->paused_at[0] != '\0'
                         ? "Coming slots (held as long as the job is paused)"
                         : "Coming slots");
    return output_print_table(entry->coming, stdout);
}

static json_t *json_pause(const struct schedule *schedule)
{
    if (schedule->paused_at[0] == '\0') return json_null();
    return json_pack("{s:s, s:s, s:s}", "at", schedule->paused_at, "by", schedule->paused_by,
                     "reason", schedule->pause_reason);
}

static json_t *json_decision(const struct schedule *schedule)
{
    if (schedule->last_decision[0] == '\0') return json_null();
    return json_pack("{s:s, s:s}", "at", schedule->last_decision_at, "text",
                     schedule->last_decision);
}

static json_t *json_entry(const struct entry *entry)
{
    const struct schedule *schedule = entry->schedule;
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "job",
                     schedule->job_name, "cron", schedule->cron, "timezone", schedule->zone,
                     "misfire", schedule->misfire, "enabled", schedule->enabled ? 1 : 0, "recorded",
                     schedule->recorded ? 1 : 0, "differs", schedule->differs ? 1 : 0, "paused",
                     json_pause(schedule), "last_decision", json_decision(schedule), "note",
                     entry->note[0] == '\0' ? json_null() : json_string(entry->note), "slots",
                     output_json_rows(entry->open), "next", output_json_rows(entry->coming));
}

static enum err show_entry(struct page *page, const struct schedule *schedule, bool first)
{
    CLEANUP(entry_done) struct entry entry = {.schedule = schedule};
    entry.coming = output_new(coming_columns, COUNT_OF(coming_columns));
    entry.open = output_new(open_columns, COUNT_OF(open_columns));
    describe_oddities(page, &entry);
    TRY(fill_coming(page, &entry));
    TRY(fill_open(page, &entry));
    if (page->jobs != NULL)
        return json_array_append_new(page->jobs, json_entry(&entry)) == 0 ? OK : ERR_MEMORY;
    if (!first) printf("\n");
    return print_entry(&entry);
}

static enum err load(struct page *page)
{
    struct request_daemon daemon = {0};
    page->schedules = calloc(SCHEDULE_LIMIT, sizeof(*page->schedules));
    if (page->schedules == NULL) return ERR_MEMORY;
    TRY(schedule_now(page->db, &page->now_s));
    TRY(request_find_daemon(page->db, &daemon));
    page->daemon_alive = daemon.alive > 0;
    return schedule_list(page->db, &page->cli->config, page->schedules, SCHEDULE_LIMIT,
                         &page->schedule_count);
}

static enum err show_all(struct page *page, struct detail *detail)
{
    bool first = true;
    for (int i = 0; i < page->schedule_count; i++) {
        const struct schedule *schedule = &page->schedules[i];
        if (page->job_name != NULL && strcmp(page->job_name, schedule->job_name) != 0) continue;
        TRY(show_entry(page, schedule, first));
        first = false;
    }
    if (first && page->job_name != NULL) {
        return detail_set(detail, ERR_NOT_FOUND,
                          "there is no job %s; `settlectl next` shows all that are scheduled",
                          page->job_name);
    }
    if (first && page->jobs == NULL) printf("The configuration names no job.\n");
    if (page->jobs == NULL) return OK;
    json_t *document =
        json_pack("{s:b, s:O}", "daemon_alive", page->daemon_alive ? 1 : 0, "jobs", page->jobs);
    return output_print_json(document, stdout);
}

static enum err next(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    CLEANUP(page_done) struct page page = {.cli = cli, .count = NEXT_DEFAULT};
    const struct cli_option options[] = {
        {.name = "--count", .number = &page.count, .minimum = 1, .maximum = NEXT_MAXIMUM},
    };
    struct cli_arguments arguments = {.options = options,
                                      .option_count = COUNT_OF(options),
                                      .word_maximum = 1};
    TRY(cli_parse(&arguments, argc, argv, detail));
    page.job_name = arguments.word_count > 0 ? arguments.words[0] : NULL;
    TRY(cli_open_snapshot(cli, &page.db, detail));
    if (cli->json) {
        page.jobs = json_array();
        if (page.jobs == NULL) return ERR_MEMORY;
    }
    enum err err = load(&page);
    if (err == OK) err = show_all(&page, detail);
    bool told = err == OK || detail->text[0] != '\0' || err == ERR_IO;
    return told ? err : cli_db_failed(page.db, err, "reading the schedules", detail);
}

int cli_next(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = next(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
