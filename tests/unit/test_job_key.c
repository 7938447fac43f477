#include "daemon/engine/job_key.h"

#include <check.h>
#include <string.h>

#include "tests/unit/suites.h"

#define STRING "java.lang.String"
#define LONG "java.lang.Long"
#define LOCAL_DATE "java.time.LocalDate"

struct key_case {
    const char *key;
    struct job_parameter parameters[3];
    int count;
};

/* The first three were computed by Spring Batch 5.2.6 itself; the others by md5sum over the text
 * that it hashes. */
static const struct key_case key_cases[] = {
    {"d41d8cd98f00b204e9800998ecf8427e", {{0}}, 0},
    {"38238cc499ffc7486f0d7edef6c29d8c", {{"date", LOCAL_DATE, "2024-01-01", true}}, 1},
    {"04d147defbf6ea519430f329a431797a",
     {{"date", LOCAL_DATE, "2024-01-01", true}, {"run.id", LONG, "1", true}},
     2},
    {"baee5cdc4016b2113129fda23ce11ac1", {{"targetDate", STRING, "2026-07-01", true}}, 1},
    {"990792fc4e8d59f56c77ce33de2c7119", {{"name", STRING, "서울 {x};", true}}, 1},
};

START_TEST(keys_are_spring_batchs)
{
    const struct key_case *wanted = &key_cases[_i];
    char key[JOB_KEY_TEXT] = "";
    ck_assert_int_eq(job_key(wanted->parameters, wanted->count, key), OK);
    ck_assert_str_eq(key, wanted->key);
}
END_TEST

START_TEST(parameters_that_do_not_identify_change_nothing)
{
    const struct job_parameter parameters[] = {{"comment", STRING, "by hand", false},
                                               {"date", LOCAL_DATE, "2024-01-01", true},
                                               {"zeal", LONG, "7", false}};
    char key[JOB_KEY_TEXT] = "";
    ck_assert_int_eq(job_key(parameters, COUNT_OF(parameters), key), OK);
    ck_assert_str_eq(key, "38238cc499ffc7486f0d7edef6c29d8c");
}
END_TEST

START_TEST(value_and_type_are_both_part_of_the_key)
{
    const struct job_parameter text = {"run.id", STRING, "1", true};
    const struct job_parameter number = {"run.id", LONG, "1", true};
    const struct job_parameter other = {"run.id", LONG, "2", true};
    char keys[3][JOB_KEY_TEXT];
    ck_assert_int_eq(job_key(&text, 1, keys[0]), OK);
    ck_assert_int_eq(job_key(&number, 1, keys[1]), OK);
    ck_assert_int_eq(job_key(&other, 1, keys[2]), OK);
    ck_assert_str_ne(keys[0], keys[1]);
    ck_assert_str_ne(keys[1], keys[2]);
    ck_assert_uint_eq(strlen(keys[0]), JOB_KEY_TEXT - 1);
}
END_TEST

START_TEST(parameters_longer_than_any_column_are_refused)
{
    char value[8000];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    const struct job_parameter parameter = {"targetDate", STRING, value, true};
    char key[JOB_KEY_TEXT] = "untouched";
    ck_assert_int_eq(job_key(&parameter, 1, key), ERR_INVALID);
    ck_assert_str_eq(key, "untouched");
    value[2500] = '\0';
    ck_assert_int_eq(job_key(&parameter, 1, key), OK);
}
END_TEST

Suite *test_job_key_suite(void)
{
    Suite *suite = suite_create("job_key");
    TCase *cases = tcase_create("job_key");
    tcase_add_loop_test(cases, keys_are_spring_batchs, 0, (int)COUNT_OF(key_cases));
    tcase_add_test(cases, parameters_that_do_not_identify_change_nothing);
    tcase_add_test(cases, value_and_type_are_both_part_of_the_key);
    tcase_add_test(cases, parameters_longer_than_any_column_are_refused);
    suite_add_tcase(suite, cases);
    return suite;
}
