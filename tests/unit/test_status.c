#include "daemon/engine/status.h"

#include <check.h>
#include <string.h>

#include "tests/unit/suites.h"

static const char *const words[STATUS_COUNT] = {"COMPLETED", "STARTING", "STARTED",   "STOPPING",
                                                "STOPPED",   "FAILED",   "ABANDONED", "UNKNOWN"};

START_TEST(the_words_are_spring_batchs_in_its_order)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        ck_assert_str_eq(status_name((enum batch_status)i), words[i]);
        ck_assert_int_eq(status_parse(words[i]), i);
    }
}
END_TEST

START_TEST(other_words_are_unknown)
{
    static const char *const others[] = {"", "completed", "COMPLETED ", "EXECUTING", "STOP"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert_int_eq(status_parse(others[i]), STATUS_UNKNOWN);
}
END_TEST

START_TEST(three_of_them_mean_that_somebody_is_at_it)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        bool running = strcmp(words[i], "STARTING") == 0 || strcmp(words[i], "STARTED") == 0 ||
                       strcmp(words[i], "STOPPING") == 0;
        ck_assert_msg(status_is_running((enum batch_status)i) == running, "%s", words[i]);
    }
}
END_TEST

/* A row for each status that is left, a column for each that is entered, in the order of the words:
 * x marks what is allowed. Ends stay ends, but for giving up what was stopped or failed; what is
 * unknown is for a person to decide. */
static const char *const allowed[STATUS_COUNT] = {
    "........", /* COMPLETED */
    "x.xxxx..", /* STARTING */
    "x..xxx..", /* STARTED */
    "x...xx..", /* STOPPING */
    "......x.", /* STOPPED */
    "......x.", /* FAILED */
    "........", /* ABANDONED */
    ".....xx.", /* UNKNOWN */
};

START_TEST(each_move_is_allowed_or_forbidden_as_the_table_says)
{
    for (int from = 0; from < STATUS_COUNT; from++)
        for (int to = 0; to < STATUS_COUNT; to++)
            ck_assert_msg(status_may_follow((enum batch_status)from, (enum batch_status)to) ==
                              (allowed[from][to] == 'x'),
                          "%s to %s", words[from], words[to]);
}
END_TEST

Suite *test_status_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *cases = tcase_create("status");
    tcase_add_test(cases, the_words_are_spring_batchs_in_its_order);
    tcase_add_test(cases, other_words_are_unknown);
    tcase_add_test(cases, three_of_them_mean_that_somebody_is_at_it);
    tcase_add_test(cases, each_move_is_allowed_or_forbidden_as_the_table_says);
    suite_add_tcase(suite, cases);
    return suite;
}
