/* What is shown of texts that came from elsewhere, and how texts are cut. */
#include "common/utf8.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/human.h"
#include "tests/unit/suites.h"

struct shown {
    const char *text, *clean;
};

static const struct shown shown[] = {
    {"", ""},
    {"plain text, 한국어, \xf0\x9f\x8e\xac", "plain text, 한국어, \xf0\x9f\x8e\xac"},
    {"two\nlines\r\n\tindented", "two lines   indented"},
    {"\033[31mred\033[0m", "?[31mred?[0m"},
    {"bell\a back\b nul is the end \x7f", "bell? back? nul is the end ?"},
    {"c1: \xc2\x85 \xc2\x9b", "c1: ? ?"},
    {"no-break space stays: \xc2\xa0", "no-break space stays: \xc2\xa0"},
    {"separators \xe2\x80\xa8 \xe2\x80\xa9", "separators ? ?"},
    {"override \xe2\x80\xae isolate \xe2\x81\xa6", "override ? isolate ?"},
    {"marks \xe2\x80\x8e \xe2\x80\x8f \xd8\x9c", "marks ? ? ?"},
    {"joiners stay \xe2\x80\x8c \xe2\x80\x8d", "joiners stay \xe2\x80\x8c \xe2\x80\x8d"},
    {"tag \xf3\xa0\x81\x81, mark \xef\xbb\xbf", "tag ?, mark ?"},
    {"Hebrew stays: \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
     "Hebrew stays: \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
    {"stray \x80\x80, cut \xec\x84", "stray ??, cut ??"},
    {"overlong \xc0\xaf, surrogate \xed\xa0\x80", "overlong ??, surrogate ???"},
    {"above \xf4\x90\x80\x80 and \xff\xfe", "above ???? and ??"},
};

START_TEST(what_a_terminal_would_obey_is_replaced)
{
    char text[128];
    ck_assert(text_format(text, sizeof(text), "%s", shown[_i].text));
    utf8_clean(text);
    ck_assert_str_eq(text, shown[_i].clean);
}
END_TEST

START_TEST(printing_cleaning_and_measuring_agree)
{
    char *buffer = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&buffer, &size);
    ck_assert_ptr_nonnull(file);
    utf8_print(file, shown[_i].text);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(buffer, shown[_i].clean);
    ck_assert_int_eq(human_width(shown[_i].text), human_width(shown[_i].clean));
    free(buffer);
}
END_TEST

/* Cleaned twice is cleaned once: what is put in place is harmless itself. */
START_TEST(what_was_cleaned_stays_as_it_is)
{
    for (unsigned pair = 0; pair <= 0xFFFF; pair++) {
        char once[] = {(char)(pair >> 8), (char)pair, 'x', '\0'}, twice[4];
        utf8_clean(once);
        memcpy(twice, once, sizeof(twice));
        utf8_clean(twice);
        ck_assert_str_eq(once, twice);
        for (const char *at = once; *at != '\0'; at += utf8_printable(at))
            ck_assert_uint_gt(utf8_printable(at), 0);
    }
}
END_TEST

START_TEST(a_text_is_cut_between_characters)
{
    static const char text[] = "a\xc3\xa9\xed\x95\x9c\xf0\x9f\x8e\xac"; /* 1, 2, 3 and 4 bytes */
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t size = 1; size <= COUNT_OF(kept); size++) {
        char buffer[16];
        ck_assert(text_format(buffer, size, "%s", text) == (size == sizeof(text)));
        ck_assert_uint_eq(strlen(buffer), kept[size - 1]);
    }
}
END_TEST

START_TEST(words_about_a_failure_are_clean_and_whole)
{
    struct detail detail;
    char name[2 * sizeof(detail.text)];
    ck_assert_int_eq(detail_set(&detail, ERR_USAGE, "no job \"%s\"", "a\n\033[2J\xff"), ERR_USAGE);
    ck_assert_str_eq(detail.text, "no job \"a ?[2J?\"");
    for (size_t shift = 0; shift < 3; shift++) {
        memset(name, '.', shift);
        for (size_t at = shift; at + 3 < sizeof(name); at += 3)
            memcpy(name + at, "\xed\x95\x9c", 4);
        (void)detail_set(&detail, ERR_USAGE, "%s", name);
        ck_assert_uint_gt(strlen(detail.text), sizeof(detail.text) - 4);
        ck_assert_ptr_null(strchr(detail.text, '?'));
        for (const char *at = detail.text; *at != '\0'; at += utf8_length(at))
            ck_assert_uint_gt(utf8_length(at), 0);
    }
}
END_TEST

Suite *test_utf8_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *cases = tcase_create("utf8");
    tcase_add_loop_test(cases, what_a_terminal_would_obey_is_replaced, 0, COUNT_OF(shown));
    tcase_add_loop_test(cases, printing_cleaning_and_measuring_agree, 0, COUNT_OF(shown));
    tcase_add_test(cases, what_was_cleaned_stays_as_it_is);
    tcase_add_test(cases, a_text_is_cut_between_characters);
    tcase_add_test(cases, words_about_a_failure_are_clean_and_whole);
    suite_add_tcase(suite, cases);
    return suite;
}
