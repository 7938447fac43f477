/* The board on which an execution shows how far it is. */
#include "daemon/engine/control.h"

#include "tests/unit/suites.h"

START_TEST(a_step_that_failed_before_it_was_begun_ends_nothing)
{
    struct control control;
    control_init(&control);
    control_end_step(&control, true);
    ck_assert_int_eq(control_view(&control).step_count, 0);

    control_begin_step(&control, "first", "keys", 10, 0);
    control_add(&control, 10);
    control_end_step(&control, false);
    control_end_step(&control, true); /* the second, of which nothing is on the board */
    struct board_view view = control_view(&control);
    ck_assert_int_eq(view.step_count, 1);
    ck_assert(view.steps[0].ended && !view.steps[0].failed);
    ck_assert_int_eq(view.steps[0].done, 10);
    control_done(&control);
}
END_TEST

START_TEST(what_is_added_here_and_found_in_the_rows_is_counted_once)
{
    struct control control;
    control_init(&control);
    control_begin_step(&control, "step", "keys", 100, 20);
    control_add(&control, 10);
    control_set_done(&control, 45); /* with another 5 from here, whose worker has not said so yet */
    control_add(&control, 5);
    ck_assert_int_eq(control_view(&control).steps[0].done, 45);
    control_set_done(&control, 30); /* read before that */
    ck_assert_int_eq(control_view(&control).steps[0].done, 45);
    control_add(&control, 65);
    ck_assert_int_eq(control_view(&control).steps[0].done, 100);
    control_done(&control);
}
END_TEST

Suite *test_control_suite(void)
{
    Suite *suite = suite_create("control");
    TCase *tcase = tcase_create("control");
    tcase_add_test(tcase, a_step_that_failed_before_it_was_begun_ends_nothing);
    tcase_add_test(tcase, what_is_added_here_and_found_in_the_rows_is_counted_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
