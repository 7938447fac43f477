/* What the service manager hears: the lines of each datagram, at a path and at an abstract address;
 * no text can forge a line; a manager whose queue is full is not waited for. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "tests/unit/listener.h"
#include "tests/unit/suites.h"

START_TEST(a_message_becomes_lines)
{
    static const struct {
        struct notify_message message;
        const char *lines;
    } cases[] = {
        {{.state = NOTIFY_NOTHING}, ""},
        {{.state = NOTIFY_READY}, "READY=1\n"},
        {{.state = NOTIFY_READY, .status = "waiting"}, "READY=1\nSTATUS=waiting\n"},
        {{.state = NOTIFY_RELOADING, .monotonic_us = 12345678901},
         "RELOADING=1\nMONOTONIC_USEC=12345678901\n"},
        {{.state = NOTIFY_READY, .monotonic_us = 1}, "READY=1\n"},
        {{.state = NOTIFY_STOPPING, .extend_us = 30000000},
         "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000\n"},
        {{.watchdog = true}, "WATCHDOG=1\n"},
        {{.status = ""}, "STATUS=\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        size_t length = notify_format(&cases[i].message, text, sizeof(text));
        ck_assert_str_eq(text, cases[i].lines);
        ck_assert_uint_eq(length, strlen(text));
    }
}
END_TEST

START_TEST(no_status_forges_a_line_or_is_dropped)
{
    static const struct {
        const char *status, *line;
    } cases[] = {
        {"line\nREADY=1", "STATUS=line READY=1\n"},
        {"tab\tcr\rbell\a\x7f", "STATUS=tab cr bell??\n"},
        {"\xec\x84\x9c\xec\x9a\xb8 \xf0\x9f\x8e\xac",
         "STATUS=\xec\x84\x9c\xec\x9a\xb8 \xf0\x9f\x8e\xac\n"},
        {"cut \xec\x84", "STATUS=cut ??\n"},
        {"\xc2\x9b\xff", "STATUS=??\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        (void)notify_format(&(struct notify_message){.status = cases[i].status}, text,
                            sizeof(text));
        ck_assert_str_eq(text, cases[i].line);
    }
}
END_TEST

START_TEST(a_status_of_any_length_fits)
{
    static char status[4000], text[2048];
    memset(status, 'x', sizeof(status) - 1);
    size_t length = notify_format(&(struct notify_message){.status = status}, text, sizeof(text));
    ck_assert_uint_gt(length, 1000);
    ck_assert_int_eq(text[length - 1], '\n');
}
END_TEST

START_TEST(a_datagram_reaches_the_address_in_the_environment)
{
    struct listener listener;
    struct notify notify;
    listener_open(&listener, (enum listener_kind)_i);
    notify_open(&notify);
    ck_assert(notify_wanted(&notify));
    const struct notify_message message = {.state = NOTIFY_READY, .status = "ready"};
    ck_assert(notify_send(&notify, &message));
    ck_assert_str_eq(listener_next(&listener), "READY=1\nSTATUS=ready\n");
    ck_assert(notify_send(&notify, &(struct notify_message){.state = NOTIFY_NOTHING}));
    ck_assert_ptr_null(listener_peek(&listener));
    ck_assert_str_eq(getenv("NOTIFY_SOCKET"), listener.name);
    notify_close(&notify);
    listener_close(&listener);
}
END_TEST

START_TEST(nobody_listens_without_an_address)
{
    static const char *const names[] = {NULL, "", "/", "@", "relative", "vsock:2:1234"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct notify notify;
        if (names[i] != NULL) setenv("NOTIFY_SOCKET", names[i], 1);
        notify_open(&notify);
        ck_assert(!notify_wanted(&notify));
        ck_assert(notify_send(&notify, &(struct notify_message){.watchdog = true}));
        notify_close(&notify);
        unsetenv("NOTIFY_SOCKET");
    }
    char longer[200];
    memset(longer, '/', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct notify notify;
    setenv("NOTIFY_SOCKET", longer, 1);
    notify_open(&notify);
    unsetenv("NOTIFY_SOCKET");
    ck_assert(!notify_wanted(&notify));
}
END_TEST

START_TEST(a_manager_that_is_gone_is_not_tried_again)
{
    struct listener listener;
    struct notify notify;
    listener_open(&listener, LISTENER_PATH);
    notify_open(&notify);
    listener_close(&listener);
    ck_assert(notify_send(&notify, &(struct notify_message){.watchdog = true}));
    notify_close(&notify);
}
END_TEST

START_TEST(a_full_queue_is_said_and_not_waited_for)
{
    enum { MANY = 100000 };
    struct listener listener;
    struct notify notify;
    const struct notify_message message = {.watchdog = true};
    int sent = 0, read = 0;
    listener_open(&listener, LISTENER_ABSTRACT);
    notify_open(&notify);
    while (sent < MANY && notify_send(&notify, &message))
        sent++;
    ck_assert_int_lt(sent, MANY);
    while (listener_peek(&listener) != NULL)
        read++;
    ck_assert_int_eq(read, sent);
    ck_assert(notify_send(&notify, &message));
    notify_close(&notify);
    listener_close(&listener);
}
END_TEST

START_TEST(the_watchdog_of_another_process_is_not_ours)
{
    char own[32];
    (void)text_format(own, sizeof(own), "%d", (int)getpid());
    ck_assert_int_eq(notify_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "3000000", 1);
    ck_assert_int_eq(notify_watchdog_us(), 3000000);
    setenv("WATCHDOG_PID", own, 1);
    ck_assert_int_eq(notify_watchdog_us(), 3000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "often", 1);
    ck_assert_int_eq(notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_USEC");
}
END_TEST

/* The tests may run below a service manager of their own. */
static void forget_manager(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

Suite *test_notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *cases = tcase_create("notify");
    tcase_add_checked_fixture(cases, forget_manager, NULL);
    tcase_add_test(cases, a_message_becomes_lines);
    tcase_add_test(cases, no_status_forges_a_line_or_is_dropped);
    tcase_add_test(cases, a_status_of_any_length_fits);
    tcase_add_loop_test(cases, a_datagram_reaches_the_address_in_the_environment, LISTENER_PATH,
                        LISTENER_ABSTRACT + 1);
    tcase_add_test(cases, nobody_listens_without_an_address);
    tcase_add_test(cases, a_manager_that_is_gone_is_not_tried_again);
    tcase_add_test(cases, a_full_queue_is_said_and_not_waited_for);
    tcase_add_test(cases, the_watchdog_of_another_process_is_not_ours);
    suite_add_tcase(suite, cases);
    return suite;
}
