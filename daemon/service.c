#include "daemon/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/coordinator.h"
#include "daemon/loop.h"
#include "daemon/signals.h"

enum { EXIT_NOT_STARTED = 1 };

static void cut_off(void *coordinator)
{
    coordinator_cut(coordinator);
}

/* The loop runs in the calling thread, as signals want it. */
static enum err run(struct coordinator *coordinator, struct mailbox *mailbox)
{
    const struct loop_options options = {.mailbox = mailbox,
                                         .cut_off = cut_off,
                                         .context = coordinator,
                                         .pace = LOOP_PACE};
    struct loop loop;
    uv_thread_t thread;
    TRY(loop_init(&loop, &options));
    signals_hold();
    int failed = uv_thread_create(&thread, coordinator_main, coordinator);
    signals_let();
    if (failed != 0) return ERR_MEMORY;
    loop_run(&loop);
    (void)uv_thread_join(&thread);
    return OK;
}

int service_run(const struct config *config)
{
    struct mailbox mailbox;
    struct coordinator *coordinator = NULL;
    mailbox_init(&mailbox);
    const struct coordinator_options options = {config, &mailbox};
    enum err err = coordinator_new(&options, &coordinator);
    if (err == OK) err = run(coordinator, &mailbox);
    int code = err == OK ? coordinator_exit_code(coordinator) : EXIT_NOT_STARTED;
    if (err != OK) fprintf(stderr, "settlementd: cannot start: %s\n", err_text(err));
    coordinator_free(coordinator);
    mailbox_done(&mailbox);
    return code;
}
