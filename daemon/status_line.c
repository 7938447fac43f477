#include "daemon/status_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct line {
    char *text;
    size_t size, used;
};

static void add(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct line *line, const char *format, ...)
{
    if (line->used + 1 >= line->size) return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->used, line->size - line->used, format, arguments);
    va_end(arguments);
    if (length > 0) line->used += (size_t)min_i64(length, (int64_t)(line->size - line->used - 1));
}

static const char *separator(const struct line *line)
{
    return line->used == 0 ? "" : "; ";
}

static void add_running(struct line *line, const struct work *work, bool draining)
{
    const struct conductor_order *order = conductor_order(work->conductor);
    struct board_view view = conductor_view(work->conductor);
    int64_t execution = conductor_execution(work->conductor);
    add(line, "%s%s %s %s", separator(line),
        draining ? "daemon finishing chunks of" : "daemon running", work->job->name, order->date);
    if (execution != 0) add(line, " (execution %lld)", (long long)execution);
    if (view.step_count == 0) return;
    const struct board_step *step = &view.steps[view.step_count - 1];
    add(line, ": %s", step->name);
    if (step->total > 0)
        add(line, " %lld %%", (long long)min_i64(100, step->done * 100 / step->total));
}

static void add_work(struct line *line, const struct work *work, bool draining)
{
    const struct assistant *assistant = work->helping.assistant;
    if (assistant != NULL && assistant_execution(assistant) != 0)
        add(line, "%shelping with execution %lld of %s", separator(line),
            (long long)assistant_execution(assistant), work->job->name);
    if (work->conductor != NULL) add_running(line, work, draining);
    if (work->conductor == NULL && work->state[0] != '\0')
        add(line, "%s%s waits: %.160s", separator(line), work->job->name, work->state);
    if (work->last_error[0] != '\0' && strcmp(work->last_error, work->state) != 0)
        add(line, "%slast error of %s: %.160s", separator(line), work->job->name, work->last_error);
}

static bool any_running(const struct status_line *status)
{
    for (int i = 0; i < status->work_count; i++)
        if (status->works[i].conductor != NULL) return true;
    return false;
}

static bool any_waiting(const struct status_line *status)
{
    for (int i = 0; i < status->work_count; i++)
        if (status->works[i].state[0] != '\0') return true;
    return false;
}

/* What somebody has to do something about comes first: the line may be cut. */
void status_line_write(const struct status_line *status, char *ret_line, size_t size)
{
    const struct mailbox_report *report = status->report;
    struct line line = {.text = ret_line, .size = size};
    bool draining = report->state == MAILBOX_DRAINING;
    ret_line[0] = '\0';
    if (report->reload_failed)
        add(&line, "the configuration was not taken over: %.200s", report->reload_error);
    if (status->halted)
        add(&line, "%s%.400s", separator(&line), status->away);
    else if (status->away[0] != '\0')
        add(&line, "%sdaemon waiting for the database: %.300s", separator(&line), status->away);
    else if (draining && !any_running(status))
        add(&line, "%sdaemon stopping", separator(&line));
    else if (status->drained)
        add(&line, "%sdaemon drained: takes on nothing more", separator(&line));
    else if (!draining && !any_running(status))
        add(&line, "%sdaemon %s", separator(&line), any_waiting(status) ? "waiting" : "idle");
    for (int i = 0; i < status->work_count; i++)
        add_work(&line, &status->works[i], draining);
}
