/* Step reconciliation: proves the day. Each check compares two figures for every content of a
 * range; the parts that the partitions find are summed up into `reconciliation`, and one content
 * that differs fails the job, also where the sums agree. A restart measures everything again.
 *
 * Rows of the day that are stored after the run began are late: their contents may be counted in
 * part, so the checks against the logs leave them out. They are looked for when the step begins,
 * and once more when such a check fails, until no new ones turn up: a row that a check saw and the
 * statistics did not is visible to that search. */
#include <stdlib.h>
#include <string.h>

#include "common/domain/period.h"
#include "daemon/engine/partition.h"
#include "daemon/jobs/daily_settlement.h"
#include "daemon/jobs/key_sources.h"
#include "daemon/jobs/reconciliation_checks.h"

static const char FIND_LATE_SQL[] =
    "INSERT INTO late_content (target_date, content_post_id)"
    " SELECT watched_date, content_post_id FROM ("
    "  SELECT watched_date, content_post_id FROM member_content_watch_log"
    "  WHERE updated_at >= ? AND watched_date = ? AND content_post_id > ? AND content_post_id <= ?"
    "  UNION SELECT watched_date, content_post_id FROM member_ad_watch_log"
    "  WHERE updated_at >= ? AND watched_date = ? AND content_post_id > ? AND content_post_id <= ?)"
    " found"
    " WHERE NOT EXISTS (SELECT 1 FROM late_content late WHERE late.target_date = found.watched_date"
    " AND late.content_post_id = found.content_post_id)"
    " ORDER BY content_post_id"
    " ON DUPLICATE KEY UPDATE content_post_id = VALUES(content_post_id)";
static const char WRITE_PART_SQL[] =
    "INSERT INTO reconciliation_part (partition_id, check_name, expected, actual, differences,"
    " example_content_post_id) VALUES (?, ?, ?, ?, ?, ?)"
    " ON DUPLICATE KEY UPDATE expected = VALUES(expected), actual = VALUES(actual),"
    " differences = VALUES(differences), example_content_post_id = VALUES(example_content_post_id)";
static const char SUM_UP_SQL[] =
    "INSERT INTO reconciliation (job_execution_id, check_name, target_date, expected, actual, "
    "passed)"
    " SELECT ?, r.check_name, ?, SUM(r.expected), SUM(r.actual),"
    " SUM(r.differences) = 0 AND SUM(r.expected) = SUM(r.actual)"
    " FROM step_partition p JOIN reconciliation_part r ON r.partition_id = p.partition_id"
    " WHERE p.job_instance_id = ? AND p.step_name = ? GROUP BY r.check_name"
    " ON DUPLICATE KEY UPDATE expected = VALUES(expected), actual = VALUES(actual),"
    " passed = VALUES(passed)";
static const char FAILED_SQL[] =
    "SELECT c.check_name, CAST(c.expected AS CHAR), CAST(c.actual AS CHAR),"
    " CAST(SUM(r.differences) AS CHAR), CAST(MIN(r.example_content_post_id) AS CHAR)"
    " FROM reconciliation c"
    " JOIN step_partition p ON p.job_instance_id = ? AND p.step_name = ?"
    " JOIN reconciliation_part r ON r.partition_id = p.partition_id AND r.check_name = c.check_name"
    " WHERE c.job_execution_id = ? AND NOT c.passed GROUP BY c.check_name ORDER BY c.check_name";
static const char STEP_NAME[] = "reconciliation";

enum {
    COLUMNS_OF_CHECK = 4,
    LATE_ROUNDS = 5,
    GROUP_LIMIT = 16,
    FINDING_LIMIT = 40,
    RANGE_FACTOR = 8,
    FIGURE_TEXT = 48
};

struct auditor {
    struct statement *groups[GROUP_LIMIT];
    struct statement *write_part;
};

/* What a check measured over a range. */
struct measure {
    char expected[FIGURE_TEXT], actual[FIGURE_TEXT];
    int64_t differences, example;
};

static void auditor_close(void *state)
{
    struct auditor *auditor = state;
    for (int i = 0; i < GROUP_LIMIT; i++)
        statement_free(auditor->groups[i]);
    statement_free(auditor->write_part);
    free(auditor);
}

static enum err auditor_prepare(struct db *db, struct auditor *auditor)
{
    ASSERT(reconciliation_group_count <= GROUP_LIMIT);
    for (int i = 0; i < reconciliation_group_count; i++)
        TRY(statement_new(db, reconciliation_groups[i].sql, &auditor->groups[i]));
    return statement_new(db, WRITE_PART_SQL, &auditor->write_part);
}

static enum err auditor_open(struct db *db, const struct run *run, void **ret_state)
{
    (void)run;
    struct auditor *auditor = calloc(1, sizeof(*auditor));
    if (auditor == NULL) return ERR_MEMORY;
    enum err err = auditor_prepare(db, auditor);
    if (err != OK) {
        auditor_close(auditor);
        return err;
    }
    *ret_state = auditor;
    return OK;
}

/* The texts that a statement's parameters point to until it was executed. */
struct dates {
    char texts[31][CIVIL_TEXT];
    int used;
};

static void bind_dates(struct statement *statement, int *parameter, struct dates *dates,
                       struct civil first, struct civil last)
{
    int slots = civil_to_days(last) - civil_to_days(first) > 7 ? 31 : 7;
    struct civil day = first;
    for (int i = 0; i < slots; i++) {
        char *text = dates->texts[dates->used++];
        civil_format(day, text);
        statement_bind_text(statement, (*parameter)++, text);
        if (civil_compare(day, last) < 0) day = civil_add_days(day, 1);
    }
}

static void bind_months(struct statement *statement, int *parameter, struct dates *dates,
                        struct civil day)
{
    for (int month = 1; month <= 12; month++) {
        char *text = dates->texts[dates->used++];
        civil_format((struct civil){day.year, month, 1}, text);
        statement_bind_text(statement, (*parameter)++, text);
    }
}

static void bind_period(struct statement *statement, int *parameter, struct dates *dates,
                        struct civil day, enum period period)
{
    bind_dates(statement, parameter, dates, period_first(period, day), period_last(period, day));
}

static enum err bind_group(struct statement *statement, const struct check_group *group,
                           const struct chunk *chunk, struct dates *dates)
{
    const struct daily_facts *facts = daily_facts_of(chunk->run);
    struct civil day;
    int parameter = 0;
    TRY(civil_parse(chunk->run->date, &day));
    for (const char *letter = group->parameters; *letter != '\0'; letter++) {
        switch (*letter) {
        case 'd':
            statement_bind_text(statement, parameter++, chunk->run->date);
            break;
        case 'a':
            statement_bind_i64(statement, parameter++, chunk->after_key);
            break;
        case 'b':
            statement_bind_i64(statement, parameter++, chunk->after_key + 1);
            break;
        case 'u':
            statement_bind_i64(statement, parameter++, chunk->upper_key);
            break;
        case 'w':
            statement_bind_text(statement, parameter++, facts->week);
            break;
        case 'm':
            statement_bind_text(statement, parameter++, facts->month);
            break;
        case 'y':
            statement_bind_text(statement, parameter++, facts->year);
            break;
        case 'W':
            bind_period(statement, &parameter, dates, day, PERIOD_WEEKLY);
            break;
        case 'M':
            bind_period(statement, &parameter, dates, day, PERIOD_MONTHLY);
            break;
        case 'Y':
            bind_months(statement, &parameter, dates, day);
            break;
        default:
            ASSERT(!"a letter that the table does not explain");
        }
    }
    return OK;
}

static int64_t measure_group(struct statement *row, const struct check_group *group,
                             struct measure *measures)
{
    int64_t differences = 0;
    for (int i = 0; i < CHECKS_IN_GROUP && group->names[i] != NULL; i++) {
        int column = i * COLUMNS_OF_CHECK;
        struct measure *measure = &measures[i];
        (void)text_format(measure->expected, FIGURE_TEXT, "%s", statement_text(row, column));
        (void)text_format(measure->actual, FIGURE_TEXT, "%s", statement_text(row, column + 1));
        measure->differences = statement_i64(row, column + 2);
        measure->example = statement_i64(row, column + 3);
        differences += measure->differences;
    }
    return differences;
}

/* Notes the contents of a range that have late rows; *ret_found counts those that were not known
 * yet. In the order of the keys, and no further than the range, so that two workers cannot wait for
 * each other. */
static enum err find_late(struct db *db, const struct run *run, const struct key_range *range,
                          int64_t *ret_found)
{
    return db_run(db, ret_found, FIND_LATE_SQL, "ssiissii", run->began_at, run->date, range->lower,
                  range->upper, run->began_at, run->date, range->lower, range->upper);
}

static enum err run_group(struct auditor *auditor, int index, const struct chunk *chunk,
                          struct measure *measures)
{
    const struct check_group *group = &reconciliation_groups[index];
    struct statement *statement = auditor->groups[index];
    const struct key_range range = {.lower = chunk->after_key, .upper = chunk->upper_key};
    for (int round = 0;; round++) {
        struct dates dates = {.used = 0};
        TRY(bind_group(statement, group, chunk, &dates));
        TRY(statement_execute_row(statement));
        if (measure_group(statement, group, measures) == 0) return OK;
        if (!group->against_logs || round == LATE_ROUNDS) return OK;
        int64_t found = 0;
        TRY(find_late(chunk->db, chunk->run, &range, &found));
        if (found == 0) return OK;
    }
}

/* Collects the figures of all checks, as texts: they have up to 38 digits. */
struct findings {
    int count;
    const char *names[FINDING_LIMIT], *expected[FINDING_LIMIT], *actual[FINDING_LIMIT];
    const char *examples[FINDING_LIMIT];
    int64_t differences[FINDING_LIMIT];
    struct measure measures[GROUP_LIMIT][CHECKS_IN_GROUP];
    char example_texts[FINDING_LIMIT][24];
};

static void collect(struct findings *findings, int index)
{
    const struct check_group *group = &reconciliation_groups[index];
    for (int i = 0; i < CHECKS_IN_GROUP && group->names[i] != NULL; i++) {
        const struct measure *measure = &findings->measures[index][i];
        int place = findings->count++;
        ASSERT(place < FINDING_LIMIT);
        findings->names[place] = group->names[i];
        findings->expected[place] = measure->expected;
        findings->actual[place] = measure->actual;
        findings->differences[place] = measure->differences;
        findings->examples[place] = NULL;
        if (measure->differences == 0) continue;
        (void)text_format(findings->example_texts[place], sizeof(findings->example_texts[place]),
                          "%lld", (long long)measure->example);
        findings->examples[place] = findings->example_texts[place];
    }
}

static enum err write_findings(struct auditor *auditor, const struct chunk *chunk,
                               const struct findings *findings)
{
    const struct column columns[] = {
        {.same_i64 = &chunk->partition_id}, {.text = findings->names},
        {.text = findings->expected},       {.text = findings->actual},
        {.i64 = findings->differences},     {.text = findings->examples},
    };
    return statement_execute_columns(auditor->write_part, columns, COUNT_OF(columns),
                                     findings->count);
}

/* A chunk is the whole partition: the server adds up, so no page of keys is needed. */
static enum err process(struct chunk *chunk, void *state)
{
    struct auditor *auditor = state;
    struct findings findings = {.count = 0};
    for (int i = 0; i < reconciliation_group_count; i++) {
        TRY(run_group(auditor, i, chunk, findings.measures[i]));
        collect(&findings, i);
    }
    TRY(write_findings(auditor, chunk, &findings));
    chunk->read = strtoll(findings.expected[0], NULL, 10); /* the first check counts the logs */
    chunk->written = findings.count;
    chunk->last_key = chunk->upper_key;
    chunk->finished = true;
    return OK;
}

static enum err begin(struct db *db, const struct run *run, struct detail *detail)
{
    int64_t found = 0;
    (void)detail;
    const struct key_range all = {.lower = INT64_MIN, .upper = INT64_MAX};
    return find_late(db, run, &all, &found);
}

/* Names each failed check with its figures, as many as fit. */
static enum err describe_failures(struct statement *failed, struct detail *detail)
{
    size_t used = 0;
    for (bool row = true;;) {
        TRY(statement_fetch(failed, &row));
        if (!row) return used == 0 ? OK : ERR_CHECK_FAILED;
        char *place = detail->text + used;
        if (!text_format(
                place, sizeof(detail->text) - used,
                "%scheck %s failed: expected %s, actual %s (%s contents differ, one is %s)",
                used == 0 ? "" : "; ", statement_text(failed, 0), statement_text(failed, 1),
                statement_text(failed, 2), statement_text(failed, 3), statement_text(failed, 4)))
            return ERR_CHECK_FAILED;
        used += strlen(place);
    }
}

static enum err judge(struct db *db, const struct run *run, struct detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *failed = NULL;
    TRY(db_run(db, NULL, SUM_UP_SQL, "isis", run->job_execution_id, run->date, run->job_instance_id,
               STEP_NAME));
    TRY(db_query(db, &failed, FAILED_SQL, "isi", run->job_instance_id, STEP_NAME,
                 run->job_execution_id));
    return describe_failures(failed, detail);
}

const struct step reconciliation_step = {
    .name = STEP_NAME,
    .unit = "logs",
    .source = {WATCH_LOG_KEYS, REACH_BEYOND_ALWAYS, RANGE_FACTOR},
    .repeated = true,
    .open = auditor_open,
    .process = process,
    .close = auditor_close,
    .begin = begin,
    .judge = judge,
};
