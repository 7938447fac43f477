#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/utf8.h"

enum { MESSAGE_SIZE = 2048, STATUS_SIZE = 1024 };

static const char *const states[] = {
    [NOTIFY_NOTHING] = "",
    [NOTIFY_READY] = "READY=1\n",
    [NOTIFY_RELOADING] = "RELOADING=1\n",
    [NOTIFY_STOPPING] = "STOPPING=1\n",
};

/* The manager drops a status that is not UTF-8 as a whole, and takes what follows a newline for a
 * message of its own. What does not fit is cut between two characters. */
static void clean(const char *text, char *ret_clean, size_t size)
{
    size_t used = 0;
    while (*text != '\0') {
        size_t length = utf8_printable(text);
        size_t taken = length > 0 ? length : utf8_unprintable(text);
        if (used + taken >= size) break;
        memcpy(ret_clean + used, text, taken);
        used += taken;
        text += taken;
    }
    ret_clean[used] = '\0';
    utf8_clean(ret_clean);
}

size_t notify_format(const struct notify_message *message, char *buffer, size_t size)
{
    char status[STATUS_SIZE] = "", stamp[64] = "", extend[64] = "";
    if (message->status != NULL) clean(message->status, status, sizeof(status));
    if (message->state == NOTIFY_RELOADING)
        (void)text_format(stamp, sizeof(stamp), "MONOTONIC_USEC=%" PRId64 "\n",
                          message->monotonic_us);
    if (message->extend_us > 0)
        (void)text_format(extend, sizeof(extend), "EXTEND_TIMEOUT_USEC=%" PRId64 "\n",
                          message->extend_us);
    bool fits = text_format(buffer, size, "%s%s%s%s%s%s%s", states[message->state], stamp, extend,
                            message->watchdog ? "WATCHDOG=1\n" : "",
                            message->status != NULL ? "STATUS=" : "", status,
                            message->status != NULL ? "\n" : "");
    ASSERT(fits);
    return strlen(buffer);
}

void notify_open(struct notify *ret_notify)
{
    *ret_notify = (struct notify){.socket = -1, .address.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    size_t length = name != NULL ? strlen(name) : 0;
    /* Other kinds of address (vsock:…) are for virtual machines. */
    if (length < 2 || (name[0] != '/' && name[0] != '@')) return;
    if (length >= sizeof(ret_notify->address.sun_path)) return;
    memcpy(ret_notify->address.sun_path, name, length);
    if (name[0] == '@') ret_notify->address.sun_path[0] = '\0';
    ret_notify->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ret_notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void notify_close(struct notify *notify)
{
    if (notify->socket >= 0) (void)close(notify->socket);
    notify->socket = -1;
}

bool notify_wanted(const struct notify *notify)
{
    return notify->socket >= 0;
}

bool notify_send(const struct notify *notify, const struct notify_message *message)
{
    char text[MESSAGE_SIZE];
    size_t length = notify_format(message, text, sizeof(text));
    if (notify->socket < 0 || length == 0) return true;
    const struct sockaddr *to = (const struct sockaddr *)&notify->address;
    for (;;) {
        if (sendto(notify->socket, text, length, MSG_NOSIGNAL, to, notify->length) >= 0)
            return true;
        if (errno != EINTR) break;
    }
    /* Any other failure (nobody is bound to the address) will not pass by itself. */
    return errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM;
}

int64_t notify_watchdog_us(void)
{
    uint64_t usec = 0;
    return sd_watchdog_enabled(0, &usec) > 0 && usec <= INT64_MAX ? (int64_t)usec : 0;
}
