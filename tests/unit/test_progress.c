#include "common/progress.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/suites.h"

enum { SECOND_US = 1000000, WIDTH = 100 };

static int64_t fake_now_us(void *context)
{
    return *(int64_t *)context;
}

/* A progress display that writes into memory, with a clock that stands still until it is moved. */
struct display {
    struct progress progress;
    struct clock clock;
    int64_t now_us;
    FILE *file;
    char *text;
    size_t size;
};

static void display_begin(struct display *display, bool terminal, bool quiet)
{
    memset(display, 0, sizeof(*display));
    display->now_us = 77 * SECOND_US;
    display->clock = (struct clock){fake_now_us, fake_now_us, &display->now_us};
    display->file = open_memstream(&display->text, &display->size);
    ck_assert_ptr_nonnull(display->file);
    progress_init(&display->progress, display->file, &display->clock, quiet);
    ck_assert(!display->progress.terminal);
    display->progress.terminal = terminal;
    display->progress.width = WIDTH;
}

static void display_done(struct display *display)
{
    ck_assert_int_eq(fclose(display->file), 0);
    free(display->text);
}

static void pass(struct display *display, int64_t us)
{
    display->now_us += us;
}

/* What was written since the last carriage return: the line that is on the terminal. */
static const char *shown(struct display *display)
{
    ck_assert_int_eq(fflush(display->file), 0);
    const char *last = strrchr(display->text, '\r');
    return last == NULL ? display->text : last + 1;
}

static int count_of(const char *text, char letter)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += *text == letter;
    return count;
}

static void assert_shows(struct display *display, const char *part)
{
    const char *line = shown(display);
    ck_assert_msg(strstr(line, part) != NULL, "\"%s\" lacks \"%s\"", line, part);
}

static void assert_lacks(struct display *display, const char *part)
{
    const char *line = shown(display);
    ck_assert_msg(strstr(line, part) == NULL, "\"%s\" has \"%s\"", line, part);
}

START_TEST(a_terminal_gets_one_line_redrawn_in_place)
{
    struct display display;
    display_begin(&display, true, false);
    progress_begin(&display.progress, "content-statistics", 1000000, "rows");
    for (int i = 1; i <= 5; i++) {
        pass(&display, SECOND_US);
        progress_update(&display.progress, i * 100000);
    }
    assert_shows(&display, "content-statistics  [############------------]   50 %");
    ck_assert_int_eq(count_of(display.text, '\n'), 0);
    progress_end(&display.progress, 1000000);
    assert_shows(&display, "100 %  1,000,000 rows  200,000/s  5.0 s");
    ck_assert_int_eq(count_of(display.text, '\n'), 1);
    display_done(&display);
}
END_TEST

START_TEST(a_wide_terminal_shows_count_rate_and_time_left)
{
    struct display display;
    display_begin(&display, true, false);
    display.progress.width = 140;
    progress_begin(&display.progress, "settlement", 600000, "rows");
    pass(&display, 2 * SECOND_US);
    progress_update(&display.progress, 200000);
    assert_shows(&display, " 33 %  200,000/600,000 rows  100,000/s  0:04 left");
    display_done(&display);
}
END_TEST

START_TEST(a_line_fits_every_width)
{
    for (int width = 2; width <= 200; width++) {
        struct display display;
        display_begin(&display, true, false);
        display.progress.width = width;
        progress_begin(&display.progress, "reconciliation", 10000000, "rows");
        pass(&display, SECOND_US);
        progress_update(&display.progress, 1234567);
        const char *line = shown(&display);
        size_t length = strcspn(line, "\033");
        ck_assert_msg(length < (size_t)width, "%zu columns of %d: %s", length, width, line);
        display_done(&display);
    }
}
END_TEST

START_TEST(drawing_is_rare_however_often_it_is_told)
{
    struct display display;
    display_begin(&display, true, false);
    progress_begin(&display.progress, "import", 100000, "rows");
    for (int i = 0; i < 100000; i++) {
        pass(&display, 10);
        progress_update(&display.progress, i);
    }
    shown(&display);
    ck_assert_int_le(count_of(display.text, '\r'), 12);
    display_done(&display);
}
END_TEST

START_TEST(a_pipe_gets_plain_lines_every_few_seconds_and_one_at_the_end)
{
    struct display display;
    display_begin(&display, false, false);
    progress_begin(&display.progress, "ad-statistics", 200, "rows");
    for (int i = 1; i <= 120; i++) {
        pass(&display, SECOND_US / 10);
        progress_update(&display.progress, i);
    }
    progress_end(&display.progress, 200);
    ck_assert_str_eq(shown(&display),
                     "ad-statistics  25 %  50/200 rows  10/s  0:15 left\n"
                     "ad-statistics  50 %  100/200 rows  10/s  0:10 left\n"
                     "ad-statistics  100 %  200 rows  16/s  12.0 s\n");
    display_done(&display);
}
END_TEST

START_TEST(quiet_writes_nothing)
{
    struct display display;
    display_begin(&display, true, true);
    progress_begin(&display.progress, "import", 10, "rows");
    pass(&display, 60 * SECOND_US);
    progress_update(&display.progress, 5);
    progress_end(&display.progress, 10);
    progress_begin(&display.progress, "import", 10, "rows");
    progress_break(&display.progress, "stopped");
    ck_assert_str_eq(shown(&display), "");
    display_done(&display);
}
END_TEST

START_TEST(more_than_planned_grows_the_total)
{
    struct display display;
    display_begin(&display, true, false);
    display.progress.width = 140;
    progress_begin(&display.progress, "settlement", 100, "rows");
    pass(&display, SECOND_US);
    progress_update(&display.progress, 250);
    assert_shows(&display, "100 %  250/250 rows");
    progress_end(&display.progress, 260);
    assert_shows(&display, "100 %  260 rows");
    display_done(&display);
}
END_TEST

START_TEST(less_than_planned_ends_full)
{
    struct display display;
    display_begin(&display, false, false);
    progress_begin(&display.progress, "settlement", 100, "rows");
    pass(&display, SECOND_US);
    progress_end(&display.progress, 40);
    ck_assert_str_eq(shown(&display), "settlement  100 %  40 rows  40/s  1.0 s\n");
    display_done(&display);
}
END_TEST

START_TEST(a_broken_bar_stays_where_it_stands)
{
    struct display display;
    display_begin(&display, false, false);
    progress_begin(&display.progress, "settlement", 100, "rows");
    pass(&display, SECOND_US);
    progress_update(&display.progress, 40);
    progress_break(&display.progress, "stopped");
    ck_assert_str_eq(shown(&display), "settlement  40 %  40/100 rows  40/s  1.0 s, stopped\n");
    progress_break(&display.progress, "stopped");
    ck_assert_int_eq(count_of(display.text, '\n'), 1);
    display_done(&display);
}
END_TEST

START_TEST(what_was_inherited_counts_for_the_bar_and_not_for_the_rate)
{
    struct display display;
    display_begin(&display, false, false);
    progress_begin(&display.progress, "settlement", 1000, "rows");
    progress_inherit(&display.progress, 900);
    pass(&display, SECOND_US);
    progress_end(&display.progress, 1000);
    ck_assert_str_eq(shown(&display), "settlement  100 %  1,000 rows  100/s  1.0 s\n");
    display_done(&display);
}
END_TEST

START_TEST(without_a_total_there_is_a_count_and_no_per_cent)
{
    struct display display;
    display_begin(&display, true, false);
    progress_begin(&display.progress, "import", 0, "rows");
    pass(&display, SECOND_US);
    progress_update(&display.progress, 1500);
    assert_shows(&display, "import  1,500 rows  1,500/s");
    assert_lacks(&display, "%");
    assert_lacks(&display, "left");
    display_done(&display);
}
END_TEST

START_TEST(control_characters_in_a_label_are_replaced)
{
    struct display display;
    display_begin(&display, false, false);
    progress_begin(&display.progress, "a\nb\033[2J", 1, "rows");
    progress_end(&display.progress, 1);
    ck_assert_ptr_eq(strstr(shown(&display), "a?b?[2J"), display.text);
    display_done(&display);
}
END_TEST

START_TEST(a_new_bar_ends_the_one_before)
{
    struct display display;
    display_begin(&display, false, false);
    progress_begin(&display.progress, "one", 2, "rows");
    progress_begin(&display.progress, "two", 2, "rows");
    progress_end(&display.progress, 2);
    ck_assert_int_eq(count_of(shown(&display), '\n'), 2);
    assert_shows(&display, "not finished");
    display_done(&display);
}
END_TEST

START_TEST(a_cleared_line_comes_back)
{
    struct display display;
    display_begin(&display, true, false);
    progress_begin(&display.progress, "one", 10, "rows");
    progress_clear(&display.progress);
    ck_assert_str_eq(shown(&display), "\033[K");
    progress_update(&display.progress, 1);
    assert_shows(&display, "one");
    display_done(&display);
}
END_TEST

START_TEST(a_dropped_bar_leaves_nothing_and_the_next_one_begins_afresh)
{
    struct display display;
    display_begin(&display, true, false);
    progress_begin(&display.progress, "one", 10, "rows");
    progress_drop(&display.progress);
    ck_assert(!display.progress.open);
    ck_assert_str_eq(shown(&display), "\033[K");
    progress_begin(&display.progress, "two", 10, "rows");
    assert_shows(&display, "two");
    display_done(&display);
}
END_TEST

Suite *test_progress_suite(void)
{
    const TTest *const tests[] = {
        a_terminal_gets_one_line_redrawn_in_place,
        a_wide_terminal_shows_count_rate_and_time_left,
        a_line_fits_every_width,
        drawing_is_rare_however_often_it_is_told,
        a_pipe_gets_plain_lines_every_few_seconds_and_one_at_the_end,
        quiet_writes_nothing,
        more_than_planned_grows_the_total,
        less_than_planned_ends_full,
        a_broken_bar_stays_where_it_stands,
        what_was_inherited_counts_for_the_bar_and_not_for_the_rate,
        without_a_total_there_is_a_count_and_no_per_cent,
        control_characters_in_a_label_are_replaced,
        a_new_bar_ends_the_one_before,
        a_cleared_line_comes_back,
        a_dropped_bar_leaves_nothing_and_the_next_one_begins_afresh,
    };
    Suite *suite = suite_create("progress");
    TCase *cases = tcase_create("progress");
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return suite;
}
