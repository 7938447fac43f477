#include "tests/unit/listener.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base.h"

enum { PATIENCE_MS = 20000 };

void listener_open(struct listener *listener, enum listener_kind kind)
{
    static int number = 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)text_format(listener->name, sizeof(listener->name), "%ssettlementd-test-%d-%d",
                      kind == LISTENER_ABSTRACT ? "@" : "/tmp/", (int)getpid(), ++number);
    size_t length = strlen(listener->name);
    memcpy(address.sun_path, listener->name, length);
    if (kind == LISTENER_ABSTRACT) address.sun_path[0] = '\0';
    listener->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener->socket, 0);
    ck_assert_int_eq(bind(listener->socket, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    setenv("NOTIFY_SOCKET", listener->name, 1);
}

void listener_close(struct listener *listener)
{
    close(listener->socket);
    if (listener->name[0] == '/') unlink(listener->name);
    unsetenv("NOTIFY_SOCKET");
}

const char *listener_peek(struct listener *listener)
{
    ssize_t length =
        recv(listener->socket, listener->text, sizeof(listener->text) - 1, MSG_DONTWAIT);
    if (length < 0) return NULL;
    listener->text[length] = '\0';
    return listener->text;
}

const char *listener_next(struct listener *listener)
{
    struct pollfd readable = {.fd = listener->socket, .events = POLLIN};
    ck_assert_msg(poll(&readable, 1, PATIENCE_MS) == 1, "no datagram came");
    const char *text = listener_peek(listener);
    ck_assert_ptr_nonnull(text);
    return text;
}

bool holds_line(const char *datagram, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = datagram; at != NULL && *at != '\0';) {
        if (strncmp(at, line, length) == 0 && at[length] == '\n') return true;
        at = strchr(at, '\n');
        if (at != NULL) at++;
    }
    return false;
}

const char *listener_until(struct listener *listener, const char *line)
{
    for (;;) {
        const char *text = listener_next(listener);
        if (holds_line(text, line)) return text;
    }
}
