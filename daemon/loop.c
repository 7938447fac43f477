#include "daemon/loop.h"

#include <signal.h>
#include <string.h>

#include "daemon/signals.h"

/* Each extension is three times as long as the time to the next: one may get lost. */
enum { EXTEND_FACTOR = 3, WATCHDOG_LOOKS = 16 };

const struct loop_pace LOOP_PACE = {.status_gap_ms = 250,
                                    .reload_gap_ms = 250,
                                    .extend_ms = 10000,
                                    .cut_after_ms = 3000};

static void say(struct loop *loop);

static void on_retry(uv_timer_t *timer)
{
    say(timer->data);
}

static bool status_is_new(const struct loop *loop)
{
    return strcmp(loop->said_status, loop->report.status) != 0;
}

static void remember_said(struct loop *loop, const struct notify_message *message, int64_t now_ms)
{
    loop->to_say = NOTIFY_NOTHING;
    if (message->status == NULL) return;
    memcpy(loop->said_status, loop->report.status, sizeof(loop->said_status));
    loop->said_at_ms = now_ms;
}

/* Tells the manager what it does not know yet. A change of state takes the status line along; a
 * status line alone keeps its distance from the one before, but for the last one. What cannot be
 * said now is said by the timer, in its latest form. */
static void say(struct loop *loop)
{
    int64_t now_ms = (int64_t)uv_now(&loop->uv);
    int64_t wait_ms = loop->said_at_ms + loop->options.pace.status_gap_ms - now_ms;
    struct notify_message message = {.state = loop->to_say, .monotonic_us = loop->stamp_us};
    bool at_once = loop->to_say != NOTIFY_NOTHING || loop->report.state == MAILBOX_DONE;
    if (!notify_wanted(&loop->notify)) return;
    if (status_is_new(loop) && (wait_ms <= 0 || at_once)) message.status = loop->report.status;
    if (notify_send(&loop->notify, &message))
        remember_said(loop, &message, now_ms);
    else
        wait_ms = loop->options.pace.status_gap_ms;
    if (loop->to_say == NOTIFY_NOTHING && !status_is_new(loop)) return;
    if (!uv_is_active((uv_handle_t *)&loop->retry))
        uv_timer_start(&loop->retry, on_retry, (uint64_t)max_i64(1, wait_ms), 0);
}

/* The latest state is the one that counts: one that could not be handed over is replaced. */
static void announce(struct loop *loop, enum notify_state state)
{
    loop->to_say = state;
    loop->stamp_us = (int64_t)(uv_hrtime() / 1000);
}

/* ---- reload: many hangups become few orders, one at a time ---- */

static void order_reload(struct loop *loop);

static void on_reload_gap(uv_timer_t *timer)
{
    order_reload(timer->data);
    say(timer->data);
}

static void order_reload(struct loop *loop)
{
    bool pending = loop->reloads > loop->report.reloads;
    if (!loop->reload_due || pending || uv_is_active((uv_handle_t *)&loop->reload_gap)) return;
    loop->reload_due = false;
    loop->reloads++;
    mailbox_order_reload(loop->options.mailbox);
    uv_timer_start(&loop->reload_gap, on_reload_gap, (uint64_t)loop->options.pace.reload_gap_ms, 0);
    /* A manager that has not heard READY yet would take the one at the end of the reload for it. */
    if (!loop->is_ready) return;
    loop->reloading = true;
    announce(loop, NOTIFY_RELOADING);
}

static void end_reload(struct loop *loop)
{
    if (!loop->reloading || loop->reload_due || loop->reloads > loop->report.reloads) return;
    loop->reloading = false;
    announce(loop, NOTIFY_READY);
}

/* A hangup after a stop signal has nothing to change any more. */
static void on_hangup(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;
    (void)number;
    if (loop->reload_due || loop->stop_signals > 0) return;
    loop->reload_due = true;
    order_reload(loop);
    say(loop);
}

/* ---- the manager's patience ---- */

static void on_extend(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    int64_t turns = mailbox_report(loop->options.mailbox).turns;
    if (turns <= loop->extended_turns) return;
    const struct notify_message message = {.extend_us = (int64_t)loop->options.pace.extend_ms *
                                                        EXTEND_FACTOR * 1000};
    if (notify_send(&loop->notify, &message)) loop->extended_turns = turns;
}

/* Starting and stopping may take as long as they advance: a database that is away, a chunk that is
 * large. The first extension comes at once: the manager's own patience may be short. */
static void begin_extending(struct loop *loop)
{
    uint64_t period_ms = (uint64_t)loop->options.pace.extend_ms;
    loop->extended_turns = -1;
    if (notify_wanted(&loop->notify)) uv_timer_start(&loop->extend, on_extend, 0, period_ms);
}

/* At half of the manager's interval. When the coordinator has not advanced by then it is looked at
 * more often, so that it has nearly the whole interval, and not only half of it. */
static void on_watchdog(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    const struct notify_message message = {.watchdog = true};
    int64_t turns = mailbox_report(loop->options.mailbox).turns;
    bool fed = turns > loop->fed_turns && notify_send(&loop->notify, &message);
    if (fed) loop->fed_turns = turns;
    int64_t again_ms = loop->watchdog_ms / (fed ? 2 : WATCHDOG_LOOKS);
    uv_timer_start(timer, on_watchdog, (uint64_t)max_i64(1, again_ms), 0);
}

/* ---- stop ---- */

static void on_cut(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop->options.cut_off(loop->options.context);
}

/* The first signal lets the running chunks finish, the second rolls them back. */
static void on_stop(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;
    uint64_t cut_ms = (uint64_t)loop->options.pace.cut_after_ms;
    (void)number;
    loop->stop_signals++;
    mailbox_order_stop(loop->options.mailbox,
                       loop->stop_signals == 1 ? MAILBOX_DRAIN : MAILBOX_ABORT);
    if (loop->stop_signals == 2) uv_timer_start(&loop->cut, on_cut, cut_ms, cut_ms);
    if (loop->stop_signals > 1) return;
    loop->reload_due = loop->reloading = false;
    announce(loop, NOTIFY_STOPPING);
    say(loop);
    begin_extending(loop);
}

/* ---- begin, look, end ---- */

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* Without the hook first, a coordinator could wake a handle that is closed. */
static void finish(struct loop *loop)
{
    signals_hold();
    mailbox_set_hook(loop->options.mailbox, NULL, NULL);
    uv_walk(&loop->uv, close_handle, NULL);
}

static void on_told(uv_async_t *async)
{
    struct loop *loop = async->data;
    loop->report = mailbox_report(loop->options.mailbox);
    if (loop->report.was_ready && !loop->is_ready && loop->stop_signals == 0) {
        loop->is_ready = true;
        announce(loop, NOTIFY_READY);
        say(loop);
        uv_timer_stop(&loop->extend);
    }
    order_reload(loop);
    end_reload(loop);
    say(loop);
    if (loop->report.state == MAILBOX_DONE) finish(loop);
}

/* In the coordinator's thread. */
static void wake(void *context)
{
    struct loop *loop = context;
    int failed = uv_async_send(&loop->told);
    ASSERT(failed == 0);
}

static bool init_timers(struct loop *loop)
{
    uv_timer_t *timers[] = {&loop->watchdog, &loop->extend, &loop->retry, &loop->reload_gap,
                            &loop->cut};
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        if (uv_timer_init(&loop->uv, timers[i]) != 0) return false;
        timers[i]->data = loop;
    }
    return true;
}

static bool init_signals(struct loop *loop)
{
    uv_signal_t *signals[] = {&loop->interrupt, &loop->terminate, &loop->hangup};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        if (uv_signal_init(&loop->uv, signals[i]) != 0) return false;
        signals[i]->data = loop;
    }
    return uv_signal_start(&loop->interrupt, on_stop, SIGINT) == 0 &&
           uv_signal_start(&loop->terminate, on_stop, SIGTERM) == 0 &&
           uv_signal_start(&loop->hangup, on_hangup, SIGHUP) == 0 &&
           signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGUSR1, SIG_IGN) != SIG_ERR;
}

enum err loop_init(struct loop *loop, const struct loop_options *options)
{
    *loop = (struct loop){.options = *options};
    if (uv_loop_init(&loop->uv) != 0) return ERR_MEMORY;
    if (!init_timers(loop) || !init_signals(loop)) return ERR_MEMORY;
    if (uv_async_init(&loop->uv, &loop->told, on_told) != 0) return ERR_MEMORY;
    loop->told.data = loop;
    notify_open(&loop->notify);
    loop->said_at_ms = (int64_t)uv_now(&loop->uv) - loop->options.pace.status_gap_ms;
    loop->watchdog_ms = notify_wanted(&loop->notify) ? notify_watchdog_us() / 1000 : 0;
    if (loop->watchdog_ms > 0)
        uv_timer_start(&loop->watchdog, on_watchdog, (uint64_t)max_i64(1, loop->watchdog_ms / 2),
                       0);
    begin_extending(loop);
    mailbox_set_hook(options->mailbox, wake, loop);
    wake(loop); /* for what was told before */
    return OK;
}

void loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    int open = uv_loop_close(&loop->uv);
    ASSERT(open == 0);
    notify_close(&loop->notify);
}
