#include "cli/cli.h"

#include <string.h>

#include "tests/unit/suites.h"

enum { WORDS = 8 };

/* What a made-up command takes: every kind of option, and one or two words. */
struct target {
    bool flag;
    const char *text;
    struct civil date;
    int64_t number;
    struct cli_arguments arguments;
};

static enum err parse(struct target *target, const char *const words[WORDS], struct detail *detail)
{
    const struct cli_option options[] = {
        {.name = "--flag", .flag = &target->flag},
        {.name = "--text", .text = &target->text},
        {.name = "--date", .date = &target->date, .required = true},
        {.name = "--number", .number = &target->number, .minimum = -5, .maximum = 100},
    };
    char *argv[WORDS + 1];
    int argc = 0;
    argv[argc++] = (char[]){"try"};
    for (; argc <= WORDS && words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    target->arguments = (struct cli_arguments){
        .options = options,
        .option_count = COUNT_OF(options),
        .word_minimum = 1,
        .word_maximum = 2,
        .word_names = "a FILE",
    };
    return cli_parse(&target->arguments, argc, argv, detail);
}

START_TEST(options_and_words_come_in_any_order)
{
    struct target target = {.number = 7};
    static const char *const words[WORDS] = {"one",    "--number=-5", "--date", "2026-02-28",
                                             "--flag", "--",          "--two"};
    struct detail detail = {{0}};
    ck_assert_msg(parse(&target, words, &detail) == OK, "%s", detail.text);
    ck_assert(target.flag);
    ck_assert_ptr_null(target.text);
    ck_assert_int_eq(target.number, -5);
    ck_assert_int_eq(target.date.day, 28);
    ck_assert_int_eq(target.arguments.word_count, 2);
    ck_assert_str_eq(target.arguments.words[0], "one");
    ck_assert_str_eq(target.arguments.words[1], "--two");
}
END_TEST

struct wrong_case {
    const char *words[WORDS];
    const char *message;
};

static const struct wrong_case wrong_cases[] = {
    {{"one"}, "try needs --date"},
    {{"--date", "2026-01-01"}, "try needs a FILE"},
    {{"one", "--date"}, "--date needs a value"},
    {{"one", "--date", "2026-02-29"}, "--date 2026-02-29"},
    {{"one", "--date="}, "--date"},
    {{"one", "--nope"}, "unknown option --nope"},
    {{"one", "--dates", "x"}, "unknown option --dates"},
    {{"one", "--date", "2026-01-01", "--flag=yes"}, "--flag takes no value"},
    {{"one", "--date", "2026-01-01", "--number", "101"}, "from -5 to 100"},
    {{"one", "--date", "2026-01-01", "--number", "1x"}, "--number 1x"},
    {{"one", "--date", "2026-01-01", "--number", ""}, "--number"},
    {{"one", "--date", "2026-01-01", "--number", " 1"}, "--number"},
    {{"one", "--date", "2026-01-01", "--number", "99999999999999999999"}, "--number"},
    {{"one", "--date", "2026-01-01", "--date", "2026-01-02"}, "--date is given twice"},
    {{"one", "two", "three", "--date", "2026-01-01"}, "\"three\" is one argument too many"},
};

START_TEST(what_is_wrong_is_named)
{
    struct target target = {0};
    struct detail detail = {{0}};
    ck_assert_int_eq(parse(&target, wrong_cases[_i].words, &detail), ERR_USAGE);
    ck_assert_msg(strstr(detail.text, wrong_cases[_i].message) != NULL, "\"%s\" lacks \"%s\"",
                  detail.text, wrong_cases[_i].message);
}
END_TEST

START_TEST(an_id_is_a_whole_number_from_1)
{
    int64_t id = 0;
    ck_assert_int_eq(cli_read_id("EXECUTION", "9223372036854775807", &id, NULL), OK);
    ck_assert_int_eq(id, INT64_MAX);
    static const char *const wrong[] = {"", "0", "-1", "1 ", "+1", "9223372036854775808", "abc"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_int_eq(cli_read_id("EXECUTION", wrong[i], &id, NULL), ERR_USAGE);
}
END_TEST

START_TEST(exit_codes_are_the_contract)
{
    ck_assert_int_eq(cli_exit(OK), 0);
    ck_assert_int_eq(cli_exit(ERR_CHECK_FAILED), 1);
    ck_assert_int_eq(cli_exit(ERR_SQL), 1);
    ck_assert_int_eq(cli_exit(ERR_USAGE), 2);
    ck_assert_int_eq(cli_exit(ERR_NOT_FOUND), 3);
    ck_assert_int_eq(cli_exit(ERR_TIMEOUT), 4);
    ck_assert_int_eq(cli_exit(ERR_CONFIG), 78);
}
END_TEST

Suite *test_options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *cases = tcase_create("options");
    tcase_add_test(cases, options_and_words_come_in_any_order);
    tcase_add_loop_test(cases, what_is_wrong_is_named, 0, (int)COUNT_OF(wrong_cases));
    tcase_add_test(cases, an_id_is_a_whole_number_from_1);
    tcase_add_test(cases, exit_codes_are_the_contract);
    suite_add_tcase(suite, cases);
    return suite;
}
