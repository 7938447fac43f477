/* The daemon's loop in a thread of its own, with real signals to this process; the test plays the
 * coordinator at the mailbox and the service manager at $NOTIFY_SOCKET. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop.h"
#include "tests/unit/listener.h"
#include "tests/unit/suites.h"

enum { PATIENCE_MS = 20000, LONG_MS = 3600000 };

static struct {
    struct listener manager;
    struct mailbox mailbox;
    struct mailbox_report report;
    struct loop loop;
    pthread_t thread;
    atomic_int cuts;
} world;

/* Nothing that the clock brings about gets in the way. */
static const struct loop_pace CALM = {.status_gap_ms = 0,
                                      .reload_gap_ms = 0,
                                      .extend_ms = LONG_MS,
                                      .cut_after_ms = LONG_MS};

static void *run(void *context)
{
    loop_run(context);
    return NULL;
}

static void count_cut(void *context)
{
    (void)context;
    atomic_fetch_add(&world.cuts, 1);
    mailbox_nudge(&world.mailbox);
}

static void begin(const struct loop_pace *pace)
{
    const struct loop_options options = {&world.mailbox, count_cut, NULL, *pace};
    mailbox_init(&world.mailbox);
    world.report = (struct mailbox_report){.state = MAILBOX_STARTING};
    atomic_store(&world.cuts, 0);
    ck_assert_int_eq(loop_init(&world.loop, &options), OK);
    ck_assert_int_eq(pthread_create(&world.thread, NULL, run, &world.loop), 0);
}

static void tell(enum mailbox_state state, const char *status)
{
    world.report.state = state;
    (void)text_format(world.report.status, sizeof(world.report.status), "%s", status);
    mailbox_tell(&world.mailbox, &world.report);
}

static void deal_with_reload(int64_t reloads)
{
    world.report.reloads = reloads;
    mailbox_tell(&world.mailbox, &world.report);
}

/* The loop's own assertion says whether it left something open. */
static void end(void)
{
    tell(MAILBOX_DONE, "ended");
    ck_assert_int_eq(pthread_join(world.thread, NULL), 0);
    mailbox_done(&world.mailbox);
}

static void send_signal(int number)
{
    ck_assert_int_eq(kill(getpid(), number), 0);
}

static void await_stop(enum mailbox_stop stop)
{
    while (mailbox_orders(&world.mailbox).stop != stop)
        ck_assert_msg(mailbox_wait(&world.mailbox, PATIENCE_MS), "no order to stop came");
}

static void await_reloads(int64_t reloads)
{
    while (mailbox_orders(&world.mailbox).reloads != reloads)
        ck_assert_msg(mailbox_wait(&world.mailbox, PATIENCE_MS), "no order to reload came");
}

static void await_cuts(int cuts)
{
    while (atomic_load(&world.cuts) < cuts)
        ck_assert_msg(mailbox_wait(&world.mailbox, PATIENCE_MS), "the connections were not cut");
}

/* How many of the datagrams that have come hold the line. */
static int count_lines(const char *line)
{
    int count = 0;
    for (const char *text; (text = listener_peek(&world.manager)) != NULL;)
        count += holds_line(text, line);
    return count;
}

static int64_t now_us(void)
{
    struct timespec now;
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

START_TEST(ready_is_said_once)
{
    begin(&CALM);
    ck_assert_str_eq(listener_next(&world.manager), "EXTEND_TIMEOUT_USEC=10800000000\n");
    tell(MAILBOX_WAITING_FOR_DATABASE, "waiting for the database");
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=waiting for the database\n");
    tell(MAILBOX_READY, "idle");
    ck_assert_str_eq(listener_next(&world.manager), "READY=1\nSTATUS=idle\n");
    tell(MAILBOX_WAITING_FOR_DATABASE, "the database is away");
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=the database is away\n");
    tell(MAILBOX_READY, "idle again");
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=idle again\n");
    tell(MAILBOX_READY, "idle again");
    end();
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=ended\n");
    ck_assert_ptr_null(listener_peek(&world.manager));
}
END_TEST

START_TEST(a_ready_that_was_passed_over_is_said)
{
    begin(&CALM);
    listener_until(&world.manager, "EXTEND_TIMEOUT_USEC=10800000000");
    world.report.was_ready = true;
    tell(MAILBOX_WAITING_FOR_DATABASE, "the database is away");
    ck_assert_str_eq(listener_next(&world.manager), "READY=1\nSTATUS=the database is away\n");
    end();
}
END_TEST

START_TEST(the_first_stop_signal_drains_the_second_rolls_back_then_connections_are_cut)
{
    struct loop_pace pace = CALM;
    pace.cut_after_ms = 1;
    begin(&pace);
    tell(MAILBOX_READY, "idle");
    listener_until(&world.manager, "READY=1");
    send_signal(_i);
    await_stop(MAILBOX_DRAIN);
    ck_assert_str_eq(listener_next(&world.manager), "STOPPING=1\n");
    ck_assert_str_eq(listener_next(&world.manager), "EXTEND_TIMEOUT_USEC=10800000000\n");
    ck_assert_int_eq(atomic_load(&world.cuts), 0);
    send_signal(_i == SIGTERM ? SIGINT : SIGTERM);
    await_stop(MAILBOX_ABORT);
    await_cuts(3);
    end();
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=ended\n");
}
END_TEST

START_TEST(a_stop_before_ready_never_says_ready)
{
    begin(&CALM);
    send_signal(SIGTERM);
    await_stop(MAILBOX_DRAIN);
    listener_until(&world.manager, "STOPPING=1");
    tell(MAILBOX_READY, "ready after all");
    tell(MAILBOX_DRAINING, "draining");
    listener_until(&world.manager, "STATUS=draining");
    send_signal(SIGHUP);
    end();
    ck_assert_int_eq(count_lines("READY=1") + count_lines("RELOADING=1"), 0);
    ck_assert_int_eq(world.loop.is_ready, false);
}
END_TEST

START_TEST(a_reload_is_announced_with_its_time_and_ended)
{
    begin(&CALM);
    tell(MAILBOX_READY, "idle");
    listener_until(&world.manager, "READY=1");
    int64_t before_us = now_us(), stamp_us = 0;
    send_signal(SIGHUP);
    const char *text = listener_next(&world.manager);
    ck_assert_int_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%ld\n", &stamp_us), 1);
    ck_assert_int_ge(stamp_us, before_us);
    ck_assert_int_le(stamp_us, now_us());
    await_reloads(1);
    tell(MAILBOX_READY, "not dealt with yet");
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=not dealt with yet\n");
    world.report.reload_failed = true;
    world.report.reloads = 1;
    tell(MAILBOX_READY, "line 3 is wrong");
    ck_assert_str_eq(listener_next(&world.manager), "READY=1\nSTATUS=line 3 is wrong\n");
    end();
}
END_TEST

START_TEST(thousands_of_hangups_become_few_orders)
{
    begin(&CALM);
    tell(MAILBOX_READY, "idle");
    listener_until(&world.manager, "READY=1");
    send_signal(SIGHUP);
    await_reloads(1);
    listener_until(&world.manager, "RELOADING=1");
    for (int i = 0; i < 5000; i++)
        send_signal(SIGHUP);
    deal_with_reload(1);
    /* Those that the loop has read by now become one order, the rest another. */
    while (!holds_line(listener_next(&world.manager), "READY=1"))
        deal_with_reload(mailbox_orders(&world.mailbox).reloads);
    ck_assert_int_ge(mailbox_orders(&world.mailbox).reloads, 2);
    ck_assert_int_le(mailbox_orders(&world.mailbox).reloads, 3);
    end();
}
END_TEST

START_TEST(a_hangup_soon_after_a_reload_is_not_forgotten)
{
    struct loop_pace pace = CALM;
    pace.reload_gap_ms = 1;
    begin(&pace);
    tell(MAILBOX_READY, "idle");
    for (int64_t i = 1; i <= 20; i++) {
        send_signal(SIGHUP);
        await_reloads(i);
        deal_with_reload(i);
    }
    end();
}
END_TEST

START_TEST(a_reload_before_ready_is_not_announced)
{
    begin(&CALM);
    listener_until(&world.manager, "EXTEND_TIMEOUT_USEC=10800000000");
    send_signal(SIGHUP);
    await_reloads(1);
    deal_with_reload(1);
    tell(MAILBOX_STARTING, "starting");
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=starting\n");
    tell(MAILBOX_READY, "idle");
    ck_assert_str_eq(listener_next(&world.manager), "READY=1\nSTATUS=idle\n");
    end();
}
END_TEST

START_TEST(status_lines_keep_their_distance_and_the_last_one_is_said)
{
    struct loop_pace pace = CALM;
    pace.status_gap_ms = LONG_MS;
    begin(&pace);
    listener_until(&world.manager, "EXTEND_TIMEOUT_USEC=10800000000");
    tell(MAILBOX_STARTING, "first");
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=first\n");
    for (int i = 0; i < 1000; i++) {
        char status[16];
        (void)text_format(status, sizeof(status), "%d %%", i);
        tell(MAILBOX_STARTING, status);
    }
    tell(MAILBOX_READY, "idle");
    ck_assert_str_eq(listener_next(&world.manager), "READY=1\nSTATUS=idle\n");
    end();
    ck_assert_str_eq(listener_next(&world.manager), "STATUS=ended\n");
}
END_TEST

START_TEST(the_manager_is_fed_and_asked_for_patience_only_while_the_coordinator_advances)
{
    enum { TURNS = 5 };
    const struct loop_pace pace = {.extend_ms = 5, .cut_after_ms = 20};
    setenv("WATCHDOG_USEC", "10000", 1);
    begin(&pace);
    for (int i = 0; i < TURNS; i++) {
        mailbox_turn(&world.mailbox);
        listener_until(&world.manager, "WATCHDOG=1");
        mailbox_turn(&world.mailbox);
        listener_until(&world.manager, "EXTEND_TIMEOUT_USEC=15000");
    }
    send_signal(SIGTERM);
    await_stop(MAILBOX_DRAIN);
    send_signal(SIGTERM);
    await_cuts(1);
    (void)count_lines("");
    /* Ten intervals of the watchdog, in which nobody turns. */
    await_cuts(6);
    const char *text = listener_peek(&world.manager);
    ck_assert_msg(text == NULL, "said while nobody advanced: %s", text);
    mailbox_turn(&world.mailbox);
    listener_until(&world.manager, "WATCHDOG=1");
    end();
}
END_TEST

START_TEST(what_the_manager_has_no_room_for_is_said_later)
{
    struct loop_pace pace = CALM;
    pace.status_gap_ms = 1;
    struct notify flood;
    const struct notify_message noise = {.status = "noise"};
    begin(&pace);
    listener_until(&world.manager, "EXTEND_TIMEOUT_USEC=10800000000");
    notify_open(&flood);
    while (notify_send(&flood, &noise))
        continue;
    tell(MAILBOX_READY, "idle");
    /* By the time that an order has come the report was looked at. */
    send_signal(SIGHUP);
    await_reloads(1);
    deal_with_reload(1);
    listener_until(&world.manager, "READY=1");
    notify_close(&flood);
    end();
}
END_TEST

START_TEST(nobody_listens_and_all_works)
{
    unsetenv("NOTIFY_SOCKET");
    begin(&CALM);
    tell(MAILBOX_READY, "idle");
    send_signal(SIGUSR1);
    send_signal(SIGPIPE);
    send_signal(SIGHUP);
    await_reloads(1);
    deal_with_reload(1);
    send_signal(SIGTERM);
    await_stop(MAILBOX_DRAIN);
    send_signal(SIGTERM);
    await_stop(MAILBOX_ABORT);
    end();
    ck_assert_ptr_null(listener_peek(&world.manager));
}
END_TEST

static void open_manager(void)
{
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    listener_open(&world.manager, LISTENER_ABSTRACT);
}

static void close_manager(void)
{
    unsetenv("WATCHDOG_USEC");
    listener_close(&world.manager);
}

Suite *test_loop_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *cases = tcase_create("loop");
    tcase_add_checked_fixture(cases, open_manager, close_manager);
    tcase_add_test(cases, ready_is_said_once);
    tcase_add_test(cases, a_ready_that_was_passed_over_is_said);
    for (int i = 0; i < 2; i++) {
        int number = i == 0 ? SIGTERM : SIGINT;
        tcase_add_loop_test(
            cases, the_first_stop_signal_drains_the_second_rolls_back_then_connections_are_cut,
            number, number + 1);
    }
    tcase_add_test(cases, a_stop_before_ready_never_says_ready);
    tcase_add_test(cases, a_reload_is_announced_with_its_time_and_ended);
    tcase_add_test(cases, thousands_of_hangups_become_few_orders);
    tcase_add_test(cases, a_hangup_soon_after_a_reload_is_not_forgotten);
    tcase_add_test(cases, a_reload_before_ready_is_not_announced);
    tcase_add_test(cases, status_lines_keep_their_distance_and_the_last_one_is_said);
    tcase_add_test(cases,
                   the_manager_is_fed_and_asked_for_patience_only_while_the_coordinator_advances);
    tcase_add_test(cases, what_the_manager_has_no_room_for_is_said_later);
    tcase_add_test(cases, nobody_listens_and_all_works);
    suite_add_tcase(suite, cases);
    return suite;
}
