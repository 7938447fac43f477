#include "tests/db/slot_stage.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/db/statement.h"

static const char NODE[] = "11111111-1111-4111-8111-111111111111";

enum { TURNS = 10000 }; /* more than any test needs: a tick that never ends fails */

int64_t stage_time(const char *text)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%d %H:%M:%S", &parts);
    ck_assert_msg(rest != NULL && *rest == '\0', "not a time: %s", text);
    return (int64_t)timegm(&parts) * STAGE_US;
}

struct slots_job stage_job(const char *cron, const char *zone, enum misfire_policy misfire)
{
    struct slots_job job = {.name = "job", .misfire = misfire, .catchup_max = 31, .enabled = true};
    ck_assert(text_format(job.cron, sizeof(job.cron), "%s", cron));
    ck_assert(text_format(job.zone, sizeof(job.zone), "%s", zone));
    return job;
}

struct slot_stage *slot_stage_new(const char *now)
{
    struct slot_stage *stage = calloc(1, sizeof(*stage));
    ck_assert_ptr_nonnull(stage);
    stage->harness = harness_new();
    stage->db = harness_db(stage->harness);
    stage->now_us = stage_time(now);
    return stage;
}

void slot_stage_cleanup(struct slot_stage **stage)
{
    slots_free((*stage)->slots);
    harness_free((*stage)->harness);
    free(*stage);
    *stage = NULL;
}

void stage_configure(struct slots *slots, const struct slots_job *job)
{
    struct detail detail = {{0}};
    enum err err = slots_configure(slots, job->zone, job, 1, &detail);
    ck_assert_msg(err == OK, "%s: %s", err_name(err), detail.text);
}

struct slots *stage_slots(const struct slots_job *job)
{
    struct slots *slots = NULL;
    ck_assert_int_eq(slots_new(NODE, &slots), OK);
    stage_configure(slots, job);
    return slots;
}

void stage_tick(struct slot_stage *stage)
{
    struct detail detail = {{0}};
    bool more = true;
    for (int i = 0; i < TURNS && more; i++) {
        enum err err = slots_tick(stage->slots, stage->db, stage->now_us, &more, &detail);
        ck_assert_msg(err == OK, "%s: %s", err_name(err), detail.text);
    }
    ck_assert(!more);
}

void stage_tick_at(struct slot_stage *stage, const char *now)
{
    stage->now_us = stage_time(now);
    stage_tick(stage);
}

const char *stage_text(struct slot_stage *stage, const char *sql)
{
    static char text[64 * 1024];
    CLEANUP(statement_cleanup) struct statement *query = NULL;
    bool row = false;
    enum err err = db_query(stage->db, &query, sql, "");
    if (err == OK) err = statement_fetch(query, &row);
    ck_assert_msg(err == OK, "%s: %s", sql, db_message(stage->db));
    ck_assert(text_format(text, sizeof(text), "%s", row ? statement_text(query, 0) : ""));
    return text;
}

const char *stage_column(struct slot_stage *stage, const char *column)
{
    char sql[STAGE_TEXT];
    ck_assert(text_format(sql, sizeof(sql),
                          "SELECT GROUP_CONCAT(%s ORDER BY slot_at SEPARATOR '; ')"
                          " FROM schedule_slot WHERE job_name = 'job'",
                          column));
    return stage_text(stage, sql);
}

const char *stage_slots_text(struct slot_stage *stage)
{
    return stage_column(stage, "CONCAT(DATE_FORMAT(slot_at, '%Y-%m-%d %H:%i '), status)");
}
