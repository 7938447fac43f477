#include "daemon/signals.h"

#include <signal.h>

static void mask(int how)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(how, &signals, NULL);
}

void signals_hold(void)
{
    mask(SIG_BLOCK);
}

void signals_let(void)
{
    mask(SIG_UNBLOCK);
}
