/* What the service manager hears of the daemon: datagrams to the socket that $NOTIFY_SOCKET names,
 * as sd_notify(3) describes them. Never blocks: libsystemd's own sd_notify waits while the
 * manager's queue is full, which would stop the loop, and with it the watchdog. Without
 * $NOTIFY_SOCKET nothing is sent. One thread. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include "common/base.h"

enum notify_state { NOTIFY_NOTHING, NOTIFY_READY, NOTIFY_RELOADING, NOTIFY_STOPPING };

/* What one datagram says; zero and NULL: nothing. */
struct notify_message {
    enum notify_state state;
    int64_t monotonic_us; /* CLOCK_MONOTONIC, goes with NOTIFY_RELOADING */
    const char *status;   /* one line; control characters and what is no UTF-8 are replaced */
    int64_t extend_us;    /* the manager's patience, from now */
    bool watchdog;
};

struct notify {
    int socket; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t length;
};

/* Reads $NOTIFY_SOCKET: a path, or with '@' an abstract name. It stays in the environment. */
void notify_open(struct notify *ret_notify);
void notify_close(struct notify *notify);
bool notify_wanted(const struct notify *notify);

/* One datagram for all of the message; false when it could not be handed over now and should be
 * tried again. */
bool notify_send(const struct notify *notify, const struct notify_message *message);

/* How often the manager wants a sign of life, in microseconds ($WATCHDOG_USEC, when $WATCHDOG_PID
 * is this process); 0: never. */
int64_t notify_watchdog_us(void);

/* The lines of a datagram; the length, 0 when the message says nothing. */
size_t notify_format(const struct notify_message *message, char *buffer, size_t size);

#endif
