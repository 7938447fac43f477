/* A service manager's end of $NOTIFY_SOCKET, for tests. */
#ifndef TESTS_UNIT_LISTENER_H
#define TESTS_UNIT_LISTENER_H

#include <stdbool.h>

enum listener_kind { LISTENER_PATH, LISTENER_ABSTRACT };

struct listener {
    int socket;
    char name[100]; /* as in $NOTIFY_SOCKET */
    char text[4096];
};

/* Binds a socket of this test's own and names it in $NOTIFY_SOCKET. */
void listener_open(struct listener *listener, enum listener_kind kind);
/* Closes it and removes the variable. */
void listener_close(struct listener *listener);

/* The next datagram; waits for it, but not for ever. Valid until the next call. */
const char *listener_next(struct listener *listener);
/* NULL when nothing has come. */
const char *listener_peek(struct listener *listener);
/* Takes datagrams until one holds the line, and returns that one. */
const char *listener_until(struct listener *listener, const char *line);

/* Whether a datagram holds the line. */
bool holds_line(const char *datagram, const char *line);

#endif
