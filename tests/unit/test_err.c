#include <string.h>

#include "common/base.h"
#include "common/err.h"
#include "tests/unit/suites.h"

/* What is done about an error hangs on its class alone, so the classes are written down here a
 * second time. */
struct class_case {
    enum err err;
    const char *name;
    enum err_class class;
};

static const struct class_case class_cases[] = {
    {OK, "OK", CLASS_OK},
    {ERR_DEADLOCK, "ERR_DEADLOCK", CLASS_TRANSACTION},
    {ERR_LOCK_WAIT, "ERR_LOCK_WAIT", CLASS_TRANSACTION},
    {ERR_CONFLICT, "ERR_CONFLICT", CLASS_TRANSACTION},
    {ERR_SHORTAGE, "ERR_SHORTAGE", CLASS_TRANSACTION},
    {ERR_LOST, "ERR_LOST", CLASS_CONNECTION},
    {ERR_UNREACHABLE, "ERR_UNREACHABLE", CLASS_CONNECTION},
    {ERR_READ_ONLY, "ERR_READ_ONLY", CLASS_CONNECTION},
    {ERR_UNSAFE, "ERR_UNSAFE", CLASS_CONNECTION},
    {ERR_BEHIND, "ERR_BEHIND", CLASS_CONNECTION},
    {ERR_STOPPED, "ERR_STOPPED", CLASS_STOP},
    {ERR_FENCED, "ERR_FENCED", CLASS_STOP},
    {ERR_BUSY, "ERR_BUSY", CLASS_STOP},
    {ERR_TIMEOUT, "ERR_TIMEOUT", CLASS_STOP},
    {ERR_SQL, "ERR_SQL", CLASS_PERMANENT},
    {ERR_DUPLICATE, "ERR_DUPLICATE", CLASS_PERMANENT},
    {ERR_ACCESS, "ERR_ACCESS", CLASS_PERMANENT},
    {ERR_SCHEMA, "ERR_SCHEMA", CLASS_PERMANENT},
    {ERR_SETTING, "ERR_SETTING", CLASS_PERMANENT},
    {ERR_OVERFLOW, "ERR_OVERFLOW", CLASS_PERMANENT},
    {ERR_INVALID, "ERR_INVALID", CLASS_PERMANENT},
    {ERR_CONFIG, "ERR_CONFIG", CLASS_PERMANENT},
    {ERR_USAGE, "ERR_USAGE", CLASS_PERMANENT},
    {ERR_NOT_FOUND, "ERR_NOT_FOUND", CLASS_PERMANENT},
    {ERR_REFUSED, "ERR_REFUSED", CLASS_PERMANENT},
    {ERR_CLOSED, "ERR_CLOSED", CLASS_PERMANENT},
    {ERR_SKIP_LIMIT, "ERR_SKIP_LIMIT", CLASS_PERMANENT},
    {ERR_CHECK_FAILED, "ERR_CHECK_FAILED", CLASS_PERMANENT},
    {ERR_STEP_FAILED, "ERR_STEP_FAILED", CLASS_PERMANENT},
    {ERR_IO, "ERR_IO", CLASS_PERMANENT},
    {ERR_MEMORY, "ERR_MEMORY", CLASS_PERMANENT},
};

START_TEST(each_error_has_its_name_and_its_class)
{
    const struct class_case *c = &class_cases[_i];
    ck_assert_str_eq(err_name(c->err), c->name);
    ck_assert_int_eq(err_class(c->err), c->class);
}
END_TEST

START_TEST(no_error_is_missing_here)
{
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a term of a sum */
#define COUNT_ONE(code, class, sentence) +1
    ck_assert_uint_eq(COUNT_OF(class_cases), 0 ERR_TABLE(COUNT_ONE));
#undef COUNT_ONE
    for (size_t i = 0; i < COUNT_OF(class_cases); i++) {
        for (size_t j = 0; j < i; j++)
            ck_assert_int_ne(class_cases[i].err, class_cases[j].err);
    }
}
END_TEST

START_TEST(each_error_has_a_sentence_of_its_own)
{
    for (size_t i = 0; i < COUNT_OF(class_cases); i++) {
        const char *text = err_text(class_cases[i].err);
        ck_assert_msg(text != NULL && text[0] != '\0', "%s", class_cases[i].name);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(text, err_text(class_cases[j].err));
    }
}
END_TEST

/* Results are compared with OK, and structures are born as zeros: both rely on this. */
START_TEST(ok_is_zero_and_alone_in_its_class)
{
    ck_assert_int_eq(OK, 0);
    for (size_t i = 0; i < COUNT_OF(class_cases); i++) {
        enum err err = class_cases[i].err;
        ck_assert_int_eq(err_class(err) == CLASS_OK, err == OK);
    }
}
END_TEST

START_TEST(a_detail_hands_the_error_through)
{
    struct detail detail = {{0}};
    ck_assert_int_eq(detail_set(&detail, ERR_INVALID, "line %d: %s", 7, "no date"), ERR_INVALID);
    ck_assert_str_eq(detail.text, "line 7: no date");
    ck_assert_int_eq(detail_set(&detail, ERR_IO, "gone"), ERR_IO);
    ck_assert_str_eq(detail.text, "gone");
    ck_assert_int_eq(detail_set(NULL, ERR_LOST, "%s", "nobody listens"), ERR_LOST);
}
END_TEST

START_TEST(a_detail_that_is_too_long_is_cut)
{
    struct detail detail = {{0}};
    ck_assert_int_eq(detail_set(&detail, ERR_IO, "%*s", 5000, "x"), ERR_IO);
    ck_assert_uint_eq(strlen(detail.text), sizeof(detail.text) - 1);
}
END_TEST

static enum err twice_unless(enum err err, int *calls)
{
    (*calls)++;
    TRY(err);
    (*calls)++;
    return OK;
}

START_TEST(try_leaves_the_function_with_the_error)
{
    int calls = 0;
    ck_assert_int_eq(twice_unless(ERR_DEADLOCK, &calls), ERR_DEADLOCK);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(twice_unless(OK, &calls), OK);
    ck_assert_int_eq(calls, 3);
}
END_TEST

Suite *test_err_suite(void)
{
    Suite *suite = suite_create("err");

    TCase *table = tcase_create("table");
    tcase_add_loop_test(table, each_error_has_its_name_and_its_class, 0, COUNT_OF(class_cases));
    tcase_add_test(table, no_error_is_missing_here);
    tcase_add_test(table, each_error_has_a_sentence_of_its_own);
    tcase_add_test(table, ok_is_zero_and_alone_in_its_class);
    suite_add_tcase(suite, table);

    TCase *detail = tcase_create("detail");
    tcase_add_test(detail, a_detail_hands_the_error_through);
    tcase_add_test(detail, a_detail_that_is_too_long_is_cut);
    tcase_add_test(detail, try_leaves_the_function_with_the_error);
    suite_add_tcase(suite, detail);
    return suite;
}
