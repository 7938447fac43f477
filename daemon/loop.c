#include "daemon/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

enum { DRAW_MS = 100, CUT_AFTER_MS = 3000 };

static void on_cut(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop->cut_off(loop->context);
}

/* The first signal lets the running chunks finish, the second rolls them back. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;
    loop->signals++;
    loop->stop(loop->context, loop->signals == 1 ? STOP_DRAIN : STOP_ABORT);
    progress_clear(&loop->progress);
    fprintf(stderr, "settlementd: %s: %s\n", strsignal(number),
            loop->signals == 1 ? "finishing the chunks that are running; once more rolls them back"
                               : "rolling back the chunks that are running");
    if (loop->signals == 2) uv_timer_start(&loop->cut, on_cut, CUT_AFTER_MS, CUT_AFTER_MS);
}

static void show_waiting(struct loop *loop, const struct board_view *view)
{
    if (strcmp(loop->shown_waiting, view->waiting_for) == 0) return;
    memcpy(loop->shown_waiting, view->waiting_for, sizeof(loop->shown_waiting));
    if (view->waiting_for[0] != '\0' && !loop->quiet)
        fprintf(stderr, "settlementd: waiting: %s\n", view->waiting_for);
}

static void show_end(struct loop *loop, const struct board_step *step)
{
    if (step->failed)
        progress_break(&loop->progress,
                       control_stopping(loop->control) == STOP_NONE ? "failed" : "stopped");
    else
        progress_end(&loop->progress, step->done);
}

/* Catches up with the board: steps may have begun and ended since the last turn. */
static void show(struct loop *loop)
{
    struct board_view view = control_view(loop->control);
    show_waiting(loop, &view);
    while (loop->shown_steps < view.step_count) {
        const struct board_step *step = &view.steps[loop->shown_steps];
        if (!loop->bar_open) {
            progress_begin(&loop->progress, step->name, step->total, step->unit);
            if (step->inherited > 0) progress_inherit(&loop->progress, step->inherited);
            loop->bar_open = true;
        }
        progress_update(&loop->progress, step->done);
        if (!step->ended) return;
        show_end(loop, step);
        loop->bar_open = false;
        loop->shown_steps++;
    }
}

static void on_draw(uv_timer_t *timer)
{
    show(timer->data);
}

static void on_done(uv_async_t *async)
{
    struct loop *loop = async->data;
    show(loop);
    uv_close((uv_handle_t *)&loop->interrupt, NULL);
    uv_close((uv_handle_t *)&loop->terminate, NULL);
    uv_close((uv_handle_t *)&loop->hangup, NULL);
    uv_close((uv_handle_t *)&loop->draw, NULL);
    uv_close((uv_handle_t *)&loop->cut, NULL);
    uv_close((uv_handle_t *)&loop->done, NULL);
}

static bool init_handles(struct loop *loop)
{
    loop->interrupt.data = loop->terminate.data = loop->hangup.data = loop;
    loop->draw.data = loop->cut.data = loop->done.data = loop;
    return uv_signal_init(&loop->uv, &loop->interrupt) == 0 &&
           uv_signal_init(&loop->uv, &loop->terminate) == 0 &&
           uv_signal_init(&loop->uv, &loop->hangup) == 0 &&
           uv_timer_init(&loop->uv, &loop->draw) == 0 &&
           uv_timer_init(&loop->uv, &loop->cut) == 0 &&
           uv_async_init(&loop->uv, &loop->done, on_done) == 0 &&
           uv_signal_start(&loop->interrupt, on_signal, SIGINT) == 0 &&
           uv_signal_start(&loop->terminate, on_signal, SIGTERM) == 0 &&
           uv_signal_start(&loop->hangup, on_signal, SIGHUP) == 0 &&
           uv_timer_start(&loop->draw, on_draw, DRAW_MS, DRAW_MS) == 0;
}

enum err loop_init(struct loop *loop, const struct loop_options *options)
{
    *loop = (struct loop){
        .control = options->control,
        .quiet = options->quiet,
        .stop = options->stop,
        .cut_off = options->cut_off,
        .context = options->context,
    };
    progress_init(&loop->progress, stderr, &clock_system, options->quiet);
    if (uv_loop_init(&loop->uv) != 0) return ERR_MEMORY;
    return init_handles(loop) ? OK : ERR_MEMORY;
}

void loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    int open = uv_loop_close(&loop->uv);
    ASSERT(open == 0);
}

void loop_finish(struct loop *loop)
{
    int failed = uv_async_send(&loop->done);
    ASSERT(failed == 0);
}
