#include "daemon/engine/control.h"

#include <stdatomic.h>

void control_init(struct control *control)
{
    *control = (struct control){0};
    int failed = pthread_mutex_init(&control->lock, NULL);
    ASSERT(failed == 0);
}

void control_done(struct control *control)
{
    (void)pthread_mutex_destroy(&control->lock);
}

void control_stop(struct control *control, enum stop stop)
{
    int now = atomic_load(&control->stop);
    while (now < (int)stop && !atomic_compare_exchange_weak(&control->stop, &now, (int)stop))
        continue;
}

enum stop control_stopping(const struct control *control)
{
    return (enum stop)atomic_load(&control->stop);
}

void control_request_stop(struct control *control)
{
    atomic_store(&control->stop_requested, true);
    control_stop(control, STOP_DRAIN);
}

bool control_stop_requested(const struct control *control)
{
    return atomic_load(&control->stop_requested);
}

void control_begin_step(struct control *control, const char *step, const char *unit, int64_t total,
                        int64_t inherited)
{
    pthread_mutex_lock(&control->lock);
    struct board_view *view = &control->view;
    ASSERT((size_t)view->step_count < COUNT_OF(view->steps));
    struct board_step *begun = &view->steps[view->step_count++];
    (void)text_format(begun->name, sizeof(begun->name), "%s", step);
    (void)text_format(begun->unit, sizeof(begun->unit), "%s", unit);
    begun->total = max_i64(total, inherited);
    begun->done = begun->inherited = inherited;
    pthread_mutex_unlock(&control->lock);
}

static struct board_step *current_step(struct control *control)
{
    ASSERT(control->view.step_count > 0);
    return &control->view.steps[control->view.step_count - 1];
}

void control_add(struct control *control, int64_t items)
{
    pthread_mutex_lock(&control->lock);
    struct board_step *step = current_step(control);
    step->own += items;
    step->done = max_i64(step->done, step->inherited + step->own);
    pthread_mutex_unlock(&control->lock);
}

void control_set_done(struct control *control, int64_t items)
{
    pthread_mutex_lock(&control->lock);
    struct board_step *step = current_step(control);
    step->done = max_i64(step->done, items);
    pthread_mutex_unlock(&control->lock);
}

void control_forget_steps(struct control *control)
{
    pthread_mutex_lock(&control->lock);
    control->view.step_count = 0;
    pthread_mutex_unlock(&control->lock);
}

void control_end_step(struct control *control, bool failed)
{
    pthread_mutex_lock(&control->lock);
    if (control->view.step_count > 0 && !current_step(control)->ended) {
        current_step(control)->ended = true;
        current_step(control)->failed = failed;
    }
    pthread_mutex_unlock(&control->lock);
}

void control_wait_for(struct control *control, const char *what)
{
    pthread_mutex_lock(&control->lock);
    (void)text_format(control->view.waiting_for, sizeof(control->view.waiting_for), "%s", what);
    pthread_mutex_unlock(&control->lock);
}

struct board_view control_view(struct control *control)
{
    pthread_mutex_lock(&control->lock);
    struct board_view view = control->view;
    pthread_mutex_unlock(&control->lock);
    return view;
}
