#include "daemon/run_display.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/utf8.h"
#include "daemon/signals.h"

enum { DRAW_MS = 100, CUT_AFTER_MS = 3000 };

static void on_cut(uv_timer_t *timer)
{
    struct run_display *display = timer->data;
    display->cut_off(display->context);
}

/* The first signal lets the running chunks finish, the second rolls them back. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct run_display *display = handle->data;
    display->signals++;
    display->stop(display->context, display->signals == 1 ? STOP_DRAIN : STOP_ABORT);
    progress_clear(&display->progress);
    fprintf(stderr, "settlementd: %s: %s\n", strsignal(number),
            display->signals == 1
                ? "finishing the chunks that are running; once more rolls them back"
                : "rolling back the chunks that are running");
    if (display->signals == 2) uv_timer_start(&display->cut, on_cut, CUT_AFTER_MS, CUT_AFTER_MS);
}

static void show_waiting(struct run_display *display, const struct board_view *view)
{
    if (strcmp(display->shown_waiting, view->waiting_for) == 0) return;
    memcpy(display->shown_waiting, view->waiting_for, sizeof(display->shown_waiting));
    if (view->waiting_for[0] == '\0' || display->quiet) return;
    fputs("settlementd: waiting: ", stderr);
    utf8_print(stderr, view->waiting_for);
    fputc('\n', stderr);
}

static void show_end(struct run_display *display, const struct board_step *step)
{
    if (step->failed)
        progress_break(&display->progress,
                       control_stopping(display->control) == STOP_NONE ? "failed" : "stopped");
    else
        progress_end(&display->progress, step->done);
}

/* Catches up with the board: steps may have begun and ended since the last turn. */
static void show(struct run_display *display)
{
    struct board_view view = control_view(display->control);
    show_waiting(display, &view);
    while (display->shown_steps < view.step_count) {
        const struct board_step *step = &view.steps[display->shown_steps];
        if (!display->bar_open) {
            progress_begin(&display->progress, step->name, step->total, step->unit);
            if (step->inherited > 0) progress_inherit(&display->progress, step->inherited);
            display->bar_open = true;
        }
        progress_update(&display->progress, step->done);
        if (!step->ended) return;
        show_end(display, step);
        display->bar_open = false;
        display->shown_steps++;
    }
}

static void on_draw(uv_timer_t *timer)
{
    show(timer->data);
}

static void on_done(uv_async_t *async)
{
    struct run_display *display = async->data;
    show(display);
    signals_hold();
    uv_close((uv_handle_t *)&display->interrupt, NULL);
    uv_close((uv_handle_t *)&display->terminate, NULL);
    uv_close((uv_handle_t *)&display->hangup, NULL);
    uv_close((uv_handle_t *)&display->draw, NULL);
    uv_close((uv_handle_t *)&display->cut, NULL);
    uv_close((uv_handle_t *)&display->done, NULL);
}

static bool init_handles(struct run_display *display)
{
    display->interrupt.data = display->terminate.data = display->hangup.data = display;
    display->draw.data = display->cut.data = display->done.data = display;
    return uv_signal_init(&display->uv, &display->interrupt) == 0 &&
           uv_signal_init(&display->uv, &display->terminate) == 0 &&
           uv_signal_init(&display->uv, &display->hangup) == 0 &&
           uv_timer_init(&display->uv, &display->draw) == 0 &&
           uv_timer_init(&display->uv, &display->cut) == 0 &&
           uv_async_init(&display->uv, &display->done, on_done) == 0 &&
           uv_signal_start(&display->interrupt, on_signal, SIGINT) == 0 &&
           uv_signal_start(&display->terminate, on_signal, SIGTERM) == 0 &&
           uv_signal_start(&display->hangup, on_signal, SIGHUP) == 0 &&
           uv_timer_start(&display->draw, on_draw, DRAW_MS, DRAW_MS) == 0;
}

enum err run_display_init(struct run_display *display, const struct run_display_options *options)
{
    *display = (struct run_display){
        .control = options->control,
        .quiet = options->quiet,
        .stop = options->stop,
        .cut_off = options->cut_off,
        .context = options->context,
    };
    progress_init(&display->progress, stderr, &clock_system, options->quiet);
    if (uv_loop_init(&display->uv) != 0) return ERR_MEMORY;
    return init_handles(display) ? OK : ERR_MEMORY;
}

void run_display_run(struct run_display *display)
{
    (void)uv_run(&display->uv, UV_RUN_DEFAULT);
    int open = uv_loop_close(&display->uv);
    ASSERT(open == 0);
}

void run_display_finish(struct run_display *display)
{
    int failed = uv_async_send(&display->done);
    ASSERT(failed == 0);
}
