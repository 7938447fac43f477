#include "daemon/mailbox.h"

#include <string.h>
#include <time.h>

void mailbox_init(struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){.hook = NULL};
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_mutex_init(&mailbox->lock, NULL);
    failed |= pthread_cond_init(&mailbox->wake, &attributes);
    ASSERT(failed == 0);
    (void)pthread_condattr_destroy(&attributes);
}

void mailbox_done(struct mailbox *mailbox)
{
    (void)pthread_cond_destroy(&mailbox->wake);
    (void)pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_set_hook(struct mailbox *mailbox, void (*hook)(void *context), void *context)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->hook = hook;
    mailbox->context = context;
    pthread_mutex_unlock(&mailbox->lock);
}

/* Under the lock: the coordinator's wait ends. */
static void call_coordinator(struct mailbox *mailbox)
{
    mailbox->came = true;
    pthread_cond_signal(&mailbox->wake);
}

void mailbox_order_stop(struct mailbox *mailbox, enum mailbox_stop stop)
{
    pthread_mutex_lock(&mailbox->lock);
    if (stop > mailbox->orders.stop) {
        mailbox->orders.stop = stop;
        call_coordinator(mailbox);
    }
    pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_order_reload(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->orders.reloads++;
    call_coordinator(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_nudge(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    call_coordinator(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
}

struct mailbox_report mailbox_report(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct mailbox_report report = mailbox->report;
    pthread_mutex_unlock(&mailbox->lock);
    return report;
}

struct mailbox_orders mailbox_orders(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct mailbox_orders orders = mailbox->orders;
    pthread_mutex_unlock(&mailbox->lock);
    return orders;
}

static struct timespec later_by(int timeout_ms)
{
    struct timespec until;
    int failed = clock_gettime(CLOCK_MONOTONIC, &until);
    ASSERT(failed == 0);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

bool mailbox_wait(struct mailbox *mailbox, int timeout_ms)
{
    ASSERT(timeout_ms >= 0);
    struct timespec until = later_by(timeout_ms);
    pthread_mutex_lock(&mailbox->lock);
    while (!mailbox->came && pthread_cond_timedwait(&mailbox->wake, &mailbox->lock, &until) == 0)
        continue;
    bool came = mailbox->came;
    mailbox->came = false;
    pthread_mutex_unlock(&mailbox->lock);
    return came;
}

static bool says_the_same(const struct mailbox_report *a, const struct mailbox_report *b)
{
    return a->state == b->state && a->was_ready == b->was_ready && a->reloads == b->reloads &&
           a->reload_failed == b->reload_failed && strcmp(a->reload_error, b->reload_error) == 0 &&
           strcmp(a->status, b->status) == 0;
}

void mailbox_tell(struct mailbox *mailbox, const struct mailbox_report *report)
{
    struct mailbox_report told = *report;
    pthread_mutex_lock(&mailbox->lock);
    ASSERT(mailbox->report.state != MAILBOX_DONE);
    ASSERT(told.reloads >= mailbox->report.reloads && told.reloads <= mailbox->orders.reloads);
    told.turns = mailbox->report.turns + 1;
    told.was_ready |= mailbox->report.was_ready || told.state == MAILBOX_READY;
    bool news = !says_the_same(&told, &mailbox->report);
    mailbox->report = told;
    /* Under the lock, so that a hook that was taken away is not called any more. */
    if (news && mailbox->hook != NULL) mailbox->hook(mailbox->context);
    pthread_mutex_unlock(&mailbox->lock);
}

void mailbox_turn(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->report.turns++;
    pthread_mutex_unlock(&mailbox->lock);
}
