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

/* The bytes of a code point as RFC 3629 writes them, whether or not they stand for a character. */
static size_t encode(unsigned code, char ret_text[5])
{
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char firsts[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    memset(ret_text, 0, 5);
    for (size_t at = length - 1; at > 0; at--, code >>= 6)
        ret_text[at] = (char)(0x80 | (code & 0x3F));
    ret_text[0] = (char)(firsts[length] | code);
    return length;
}

START_TEST(every_character_is_known_and_nothing_else)
{
    for (unsigned code = 0; code < 0x120000; code++) {
        char text[5];
        size_t length = encode(code, text);
        bool none = code == 0 || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF;
        bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
        if (utf8_length(text) != (none ? 0 : length)) ck_abort_msg("U+%04X", code);
        if (utf8_is_valid(text) != (code == 0 || !none)) ck_abort_msg("U+%04X", code);
        if (none || control) ck_assert_uint_eq(utf8_printable(text), 0);
    }
}
END_TEST

struct show_case {
    const char *text;
    size_t length, most;
    const char *shown;
};

static const struct show_case show_cases[] = {
    {"", 0, 10, ""},
    {"plain", 5, 10, "plain"},
    {"plain", 5, 5, "plain"},
    {"plain", 5, 4, "plai..."},
    {"plain", 3, 10, "pla"},
    {"a\nb", 3, 10, "a\\x0Ab"},
    {"\x1B[2J", 4, 10, "\\x1B[2J"},
    {"\x7F", 1, 10, "\\x7F"},
    {"\xC2\x9B", 2, 10, "\\xC2\\x9B"},
    {"a\0b", 3, 10, "a\\x00b"},
    {"\xEC\x9E\xA5", 3, 10, "\xEC\x9E\xA5"},
    {"\xEC\x9E\xA5", 2, 10, "\\xEC\\x9E"}, /* the piece ends within the character */
    {"\xEC\x9E\xA5!", 4, 1, "\xEC\x9E\xA5..."},
    {"\xF0\x9F\x98\x80", 4, 10, "\xF0\x9F\x98\x80"},
    {"\xF5\x80\x80\x80", 4, 10, "\\xF5\\x80\\x80\\x80"},
    {"\xC0\x80", 2, 10, "\\xC0\\x80"},
    {"\xFF\xFF\xFF", 3, 2, "\\xFF\\xFF..."},
};

START_TEST(what_cannot_be_printed_is_shown_byte_by_byte)
{
    const struct show_case *c = &show_cases[_i];
    char piece[UTF8_SHOWN(10)];
    ck_assert_ptr_eq(utf8_show(c->text, c->length, c->most, piece), piece);
    ck_assert_str_eq(piece, c->shown);
}
END_TEST

/* The longest there is: four bytes for each, and a character that begins with the last of them. */
START_TEST(what_is_shown_fits_into_its_room)
{
    enum { MOST = 9 };
    static const char text[] = "\1\1\1\1\1\1\1\1\xF0\x9F\x98\x80\1";
    char piece[UTF8_SHOWN(MOST)];
    (void)utf8_show(text, sizeof(text) - 1, MOST, piece);
    ck_assert_uint_eq(strlen(piece), 8 * 4 + 4 + 3);
    ck_assert_uint_lt(strlen(piece), sizeof(piece));
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
    tcase_add_test(cases, every_character_is_known_and_nothing_else);
    tcase_add_loop_test(cases, what_cannot_be_printed_is_shown_byte_by_byte, 0,
                        COUNT_OF(show_cases));
    tcase_add_test(cases, what_is_shown_fits_into_its_room);
    suite_add_tcase(suite, cases);
    return suite;
}
