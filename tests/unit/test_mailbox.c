/* The mailbox between loop and coordinator: nothing that was ordered is missed, a stop only rises,
 * a report is news only when it says something else. */
#include <pthread.h>

#include "daemon/mailbox.h"
#include "tests/unit/suites.h"

enum { PATIENCE_MS = 20000 };

static struct mailbox mailbox;
static int calls;

static void count_calls(void *context)
{
    ck_assert_ptr_eq(context, &mailbox);
    calls++;
}

static void open_mailbox(void)
{
    mailbox_init(&mailbox);
    calls = 0;
}

static void close_mailbox(void)
{
    mailbox_done(&mailbox);
}

START_TEST(a_new_mailbox_says_nothing)
{
    struct mailbox_orders orders = mailbox_orders(&mailbox);
    struct mailbox_report report = mailbox_report(&mailbox);
    ck_assert_int_eq(orders.stop, MAILBOX_RUN);
    ck_assert_int_eq(orders.reloads, 0);
    ck_assert_int_eq(report.state, MAILBOX_STARTING);
    ck_assert(!report.was_ready);
    ck_assert_int_eq(report.turns, 0);
    ck_assert_str_eq(report.status, "");
    ck_assert(!mailbox_wait(&mailbox, 0));
}
END_TEST

START_TEST(an_order_before_the_wait_ends_the_wait_once)
{
    mailbox_order_reload(&mailbox);
    mailbox_order_reload(&mailbox);
    mailbox_nudge(&mailbox);
    ck_assert(mailbox_wait(&mailbox, PATIENCE_MS));
    ck_assert_int_eq(mailbox_orders(&mailbox).reloads, 2);
    ck_assert(!mailbox_wait(&mailbox, 0));
}
END_TEST

START_TEST(a_stop_only_rises)
{
    mailbox_order_stop(&mailbox, MAILBOX_DRAIN);
    ck_assert(mailbox_wait(&mailbox, 0));
    mailbox_order_stop(&mailbox, MAILBOX_DRAIN);
    ck_assert(!mailbox_wait(&mailbox, 0));
    mailbox_order_stop(&mailbox, MAILBOX_ABORT);
    ck_assert(mailbox_wait(&mailbox, 0));
    mailbox_order_stop(&mailbox, MAILBOX_DRAIN);
    mailbox_order_stop(&mailbox, MAILBOX_RUN);
    ck_assert(!mailbox_wait(&mailbox, 0));
    ck_assert_int_eq(mailbox_orders(&mailbox).stop, MAILBOX_ABORT);
}
END_TEST

START_TEST(a_report_is_taken_as_a_whole_but_for_turns_and_was_ready)
{
    struct mailbox_report report = {.state = MAILBOX_READY, .turns = 1000, .status = "first"};
    mailbox_turn(&mailbox);
    mailbox_tell(&mailbox, &report);
    ck_assert_int_eq(mailbox_report(&mailbox).turns, 2);
    ck_assert(mailbox_report(&mailbox).was_ready);

    mailbox_order_reload(&mailbox);
    report = (struct mailbox_report){.state = MAILBOX_WAITING_FOR_DATABASE,
                                     .reloads = 1,
                                     .reload_failed = true,
                                     .reload_error = "line 3",
                                     .status = "second"};
    mailbox_tell(&mailbox, &report);
    struct mailbox_report told = mailbox_report(&mailbox);
    ck_assert_int_eq(told.state, MAILBOX_WAITING_FOR_DATABASE);
    ck_assert(told.was_ready);
    ck_assert_int_eq(told.turns, 3);
    ck_assert_int_eq(told.reloads, 1);
    ck_assert(told.reload_failed);
    ck_assert_str_eq(told.reload_error, "line 3");
    ck_assert_str_eq(told.status, "second");
}
END_TEST

START_TEST(the_hook_is_called_for_news_alone)
{
    struct mailbox_report report = {.state = MAILBOX_STARTING};
    mailbox_set_hook(&mailbox, count_calls, &mailbox);
    mailbox_order_reload(&mailbox);
    mailbox_tell(&mailbox, &report);
    mailbox_turn(&mailbox);
    ck_assert_int_eq(calls, 0);
    report.state = MAILBOX_READY;
    mailbox_tell(&mailbox, &report);
    mailbox_tell(&mailbox, &report);
    ck_assert_int_eq(calls, 1);
    report.reloads = 1;
    mailbox_tell(&mailbox, &report);
    ck_assert_int_eq(calls, 2);
    report.reload_failed = true;
    mailbox_tell(&mailbox, &report);
    ck_assert_int_eq(calls, 3);
    report.reload_error[0] = 'x';
    mailbox_tell(&mailbox, &report);
    ck_assert_int_eq(calls, 4);
    report.status[0] = 'x';
    mailbox_tell(&mailbox, &report);
    mailbox_tell(&mailbox, &report);
    ck_assert_int_eq(calls, 5);
    mailbox_set_hook(&mailbox, NULL, NULL);
    report.status[0] = 'y';
    mailbox_tell(&mailbox, &report);
    ck_assert_int_eq(calls, 5);
}
END_TEST

enum { ORDERS = 2000 };

static void *order_many(void *context)
{
    (void)context;
    for (int i = 0; i < ORDERS; i++)
        mailbox_order_reload(&mailbox);
    mailbox_order_stop(&mailbox, MAILBOX_DRAIN);
    return NULL;
}

START_TEST(a_waiting_coordinator_misses_no_order)
{
    pthread_t loop;
    struct mailbox_orders orders;
    ck_assert_int_eq(pthread_create(&loop, NULL, order_many, NULL), 0);
    do {
        ck_assert(mailbox_wait(&mailbox, PATIENCE_MS));
        orders = mailbox_orders(&mailbox);
    } while (orders.stop == MAILBOX_RUN);
    ck_assert_int_eq(orders.reloads, ORDERS);
    ck_assert_int_eq(pthread_join(loop, NULL), 0);
}
END_TEST

Suite *test_mailbox_suite(void)
{
    Suite *suite = suite_create("mailbox");
    TCase *cases = tcase_create("mailbox");
    tcase_add_checked_fixture(cases, open_mailbox, close_mailbox);
    tcase_add_test(cases, a_new_mailbox_says_nothing);
    tcase_add_test(cases, an_order_before_the_wait_ends_the_wait_once);
    tcase_add_test(cases, a_stop_only_rises);
    tcase_add_test(cases, a_report_is_taken_as_a_whole_but_for_turns_and_was_ready);
    tcase_add_test(cases, the_hook_is_called_for_news_alone);
    tcase_add_test(cases, a_waiting_coordinator_misses_no_order);
    suite_add_tcase(suite, cases);
    return suite;
}
