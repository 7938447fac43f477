/* The fault seam: which rules are understood, which calls they mean, and what then happens. The
 * release has no seam, and so no tests of one. */
#include "common/fault.h"

#include "tests/unit/suites.h"

#ifdef SETTLEMENTD_TEST_SEAMS

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#define FAULT_CALLS_OURS
#include "common/fault_calls.h"
#include "common/fault_rule.h"

static void use(const char *rules)
{
    struct detail detail = {""};
    ck_assert_msg(fault_use(rules, &detail) == OK, "%s", detail.text);
}

static void stop_using(void)
{
    use(NULL);
}

/* A rule, and a word that the complaint about it must have. */
static const struct {
    const char *rules, *word;
} refused[] = {
    {"db", "PLACE:N:WHEN:ACTION"},
    {"db:1:before", "PLACE:N:WHEN:ACTION"},
    {"db:1:before:kill:now", "PLACE:N:WHEN:ACTION"},
    {";", "PLACE:N:WHEN:ACTION"},
    {"db:1:before:kill;", "PLACE:N:WHEN:ACTION"},
    {"disk:1:before:kill", "no place `disk`"},
    {"db:1:soon:kill", "no moment `soon`"},
    {"db:0:before:kill", "from 1"},
    {"db::before:kill", "from 1"},
    {"db:-1:before:kill", "from 1"},
    {"db:+:before:kill", "from 1"},
    {"db:1++:before:kill", "from 1"},
    {"db: 1:before:kill", "from 1"},
    {"db:18446744073709551616:before:kill", "from 1"},
    {"db:1:before:die", "no action `die`"},
    {"db:1:before:", "no action ``"},
    {"db:1:before:stall=", "milliseconds"},
    {"db:1:before:stall=1s", "milliseconds"},
    {"db:1:before:stall=99999999", "milliseconds"},
    {"db:1:before:error=", "a number of the server's"},
    {"db:1:before:error=0", "a number of the server's"},
    {"db:1:before:error=ENOSPC", "a number of the server's"},
    {"db:1:before:error=65536", "a number of the server's"},
    {"file:1:before:error=ENONSENSE", "name of an errno"},
    {"file:1:before:lose", "can be lost"},
    {"malloc:1:before:lose", "can be lost"},
    {"clock:1:before:error=5", "a clock cannot fail"},
    {"random:1", "random:SEED:PERMILLE"},
    {"random:x:1", "the seed"},
    {"random:1:1001", "in a thousand"},
    {"random:1:5:kill,,lose", "no action ``"},
    {"db:1:before:kill;db:2:sometime:kill", "`db:2:sometime:kill`"},
};

START_TEST(a_rule_that_makes_no_sense_is_refused_and_named)
{
    struct detail detail = {""};
    ck_assert_int_eq(fault_use(refused[_i].rules, &detail), ERR_CONFIG);
    ck_assert_msg(strstr(detail.text, refused[_i].word) != NULL, "%s: %s", refused[_i].rules,
                  detail.text);
    stop_using();
}
END_TEST

START_TEST(too_many_rules_are_refused)
{
    struct detail detail = {""};
    char text[(FAULT_RULES + 1) * 20] = "";
    size_t length = 0;
    for (int i = 0; i <= FAULT_RULES; i++, length = strlen(text))
        (void)text_format(text + length, sizeof(text) - length, "%sdb:1:before:kill",
                          i == 0 ? "" : ";");
    ck_assert_int_eq(fault_use(text, &detail), ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(detail.text, "more than"));
    stop_using();
}
END_TEST

/* What the calls 1 to 5 of a place end with, as a row of letters: x fails, . does not. */
static const struct {
    const char *rules;
    enum fault_place place;
    enum fault_when when;
    const char *outcome;
} meant[] = {
    {"db:3:before:error=1213", FAULT_DB, FAULT_BEFORE, "..x.."},
    {"db:3:before:error=1213", FAULT_DB, FAULT_SENT, "....."},
    {"db:3:before:error=1213", FAULT_FILE, FAULT_BEFORE, "....."},
    {"db:3+:after:lose", FAULT_DB, FAULT_AFTER, "..xxx"},
    {"db:*:sent:lose", FAULT_DB, FAULT_SENT, "xxxxx"},
    {"db:1:before:lose;db:4:before:lose", FAULT_DB, FAULT_BEFORE, "x..x."},
    {"db:2:before:stall=0;db:2:before:lose", FAULT_DB, FAULT_BEFORE, ".x..."},
    {"db:2:before:lose", FAULT_COMMIT, FAULT_BEFORE, ".x..."}, /* a COMMIT is one, too */
    {"commit:2:before:lose", FAULT_COMMIT, FAULT_BEFORE, ".x..."},
    {"commit:2:before:lose", FAULT_DB, FAULT_BEFORE, "....."},
    {"connect:5:after:lose", FAULT_CONNECT, FAULT_AFTER, "....x"},
    {"file:2:before:error=ENOSPC", FAULT_FILE, FAULT_BEFORE, ".x..."},
    {"malloc:2+:before:error=ENOMEM", FAULT_MALLOC, FAULT_BEFORE, ".xxxx"},
    {"random:1:1000", FAULT_DB, FAULT_AFTER, NULL},
    {"random:1:0", FAULT_DB, FAULT_BEFORE, "....."},
};

START_TEST(a_rule_means_the_calls_that_it_names)
{
    char outcome[6] = {0};
    use(meant[_i].rules);
    for (int i = 0; i < 5; i++) {
        const struct fault_call call = fault_count(meant[_i].place);
        ck_assert_uint_eq(call.number, (uint64_t)i + 1);
        bool due = fault_is_due(&call, meant[_i].when);
        outcome[i] = fault_at(&call, meant[_i].when) != 0 ? 'x' : '.';
        ck_assert(due || outcome[i] == '.');
    }
    if (meant[_i].outcome != NULL) ck_assert_str_eq(outcome, meant[_i].outcome);
    stop_using();
}
END_TEST

START_TEST(an_error_is_the_one_that_was_asked_for)
{
    use("db:1:before:error=1205;db:2:before:lose;file:1:before:error=ENOSPC;file:2:before:error=5");
    const struct fault_call first = fault_count(FAULT_DB), second = fault_count(FAULT_CONNECT);
    const struct fault_call file = fault_count(FAULT_FILE), other = fault_count(FAULT_FILE);
    ck_assert_int_eq(fault_at(&first, FAULT_BEFORE), 1205);
    ck_assert_int_eq(fault_at(&second, FAULT_BEFORE), FAULT_LOSE);
    ck_assert_int_eq(fault_at(&file, FAULT_BEFORE), ENOSPC);
    ck_assert_int_eq(fault_at(&other, FAULT_BEFORE), EIO);
    stop_using();
}
END_TEST

START_TEST(commits_and_connects_count_among_the_exchanges)
{
    use("");
    (void)fault_count(FAULT_CONNECT);
    (void)fault_count(FAULT_DB);
    const struct fault_call commit = fault_count(FAULT_COMMIT);
    ck_assert_uint_eq(commit.number, 1);
    ck_assert_uint_eq(commit.db_number, 3);
    ck_assert_uint_eq(fault_counted(FAULT_DB), 3);
    ck_assert_uint_eq(fault_counted(FAULT_COMMIT), 1);
    ck_assert_uint_eq(fault_counted(FAULT_CONNECT), 1);
    stop_using();
    ck_assert_uint_eq(fault_counted(FAULT_DB), 0);
}
END_TEST

enum { DRAWN = 4000 };

/* What a random rule does to so many calls: the error of each, and how many fail. */
static int draw(const char *rules, int errors[DRAWN][3])
{
    int failed = 0;
    use(rules);
    for (int i = 0; i < DRAWN; i++) {
        const struct fault_call call = fault_count(i % 50 == 0 ? FAULT_CONNECT : FAULT_DB);
        int here = 0;
        for (int when = 0; when < 3; when++) {
            errors[i][when] = fault_at(&call, (enum fault_when)when);
            here += errors[i][when] != 0;
        }
        ck_assert_int_le(here, 1);
        failed += here;
    }
    ck_assert_uint_eq(fault_fired(), (uint64_t)failed);
    stop_using();
    ck_assert_uint_eq(fault_fired(), 0);
    return failed;
}

START_TEST(a_seed_gives_the_same_faults_again_and_another_gives_others)
{
    static int first[DRAWN][3], again[DRAWN][3], other[DRAWN][3];
    int failed = draw("random:77:100", first);
    ck_assert_int_eq(draw("random:77:100", again), failed);
    ck_assert_mem_eq(first, again, sizeof(first));
    (void)draw("random:78:100", other);
    ck_assert_mem_ne(first, other, sizeof(first));
    ck_assert_int_gt(failed, DRAWN / 10 * 8 / 10);
    ck_assert_int_lt(failed, DRAWN / 10 * 12 / 10);
}
END_TEST

/* The server's errors come in place of doing the statement, and never for a connection. */
START_TEST(drawn_faults_are_such_as_a_server_gives)
{
    static int errors[DRAWN][3];
    int lost[3] = {0}, told = 0;
    (void)draw("random:3:500", errors);
    for (int i = 0; i < DRAWN; i++) {
        for (int when = 0; when < 3; when++) {
            lost[when] += errors[i][when] == FAULT_LOSE;
            told += errors[i][when] > 0;
            ck_assert(errors[i][when] <= 0 || (when == FAULT_BEFORE && i % 50 != 0));
        }
    }
    for (int when = 0; when < 3; when++)
        ck_assert_int_gt(lost[when], DRAWN / 2 / 4 / 3 / 2);
    ck_assert_int_gt(told, DRAWN / 2 / 2);
}
END_TEST

/* Runs `body` in a process of its own and gives its end as waitpid does; the counts go to a
 * file. */
static int end_of(const char *rules, void (*body)(void), char *ret_counts, size_t size)
{
    char path[] = "/tmp/settlementd-counts-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    pid_t child = fork();
    if (child == 0) {
        (void)setenv("SETTLEMENTD_TEST_FAULTS", rules, 1);
        (void)setenv("SETTLEMENTD_TEST_FAULT_COUNTS", path, 1);
        if (!fault_begin("test")) _exit(EXIT_FAILURE);
        body();
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ssize_t length = read(file, ret_counts, size - 1);
    ck_assert_int_ge(length, 0);
    ret_counts[length] = '\0';
    (void)close(file);
    (void)unlink(path);
    if (WIFSTOPPED(status)) {
        int ignored = 0;
        (void)kill(child, SIGCONT);
        ck_assert_int_eq(waitpid(child, &ignored, 0), child);
        ck_assert_int_eq(ignored, 0);
    }
    return status;
}

static void read_the_clock(void)
{
    for (int i = 0; i < 5; i++)
        (void)clock_monotonic_us(&clock_system);
}

START_TEST(a_kill_is_a_kill_and_the_counts_are_written_before)
{
    char counts[200];
    int status = end_of("clock:3:before:kill", read_the_clock, counts, sizeof(counts));
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_msg(strstr(counts, "clock 3\n") != NULL, "%s", counts);
    ck_assert_msg(strstr(counts, "db 0\n") != NULL, "%s", counts);
    ck_assert_msg(strstr(counts, "fired 1\n") != NULL, "%s", counts);
}
END_TEST

START_TEST(a_stopped_process_goes_on_when_it_is_told_to)
{
    char counts[200];
    int status = end_of("clock:4:after:stop", read_the_clock, counts, sizeof(counts));
    ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    ck_assert_msg(strstr(counts, "clock 4\n") != NULL, "%s", counts);
}
END_TEST

START_TEST(a_stalled_call_takes_its_time)
{
    use("clock:2:before:stall=30");
    int64_t began_us = clock_monotonic_us(&clock_system);
    int64_t ended_us = clock_monotonic_us(&clock_system);
    ck_assert_int_ge(ended_us - began_us, 30000);
    stop_using();
}
END_TEST

/* Writes six bytes into a file while the n-th call fails; what is in the file then. */
static void write_six(const char *rules, bool *ret_written, char ret_content[16])
{
    char path[] = "/tmp/settlementd-fault-XXXXXX";
    int made = mkstemp(path);
    ck_assert_int_ge(made, 0);
    use(rules);
    int file = fault_open(path, O_WRONLY | O_TRUNC);
    *ret_written = file >= 0 && fault_write(file, "sixsix", 6) == 6 && fault_fsync(file) == 0;
    if (file >= 0 && fault_close(file) != 0) *ret_written = false;
    int error = errno;
    stop_using();
    ssize_t length = read(made, ret_content, 15);
    ck_assert_int_ge(length, 0);
    ret_content[length] = '\0';
    (void)close(made);
    (void)unlink(path);
    errno = error;
}

static const struct {
    const char *rules;
    bool written;
    const char *content;
} writings[] = {
    {"", true, "sixsix"},
    {"file:1:before:error=EACCES", false, ""},
    {"file:2:before:error=EACCES", false, ""},
    {"file:2:sent:error=EACCES", false, "six"}, /* a disk that was full in the middle */
    {"file:2:after:error=EACCES", false, "sixsix"},
    {"file:3:before:error=EACCES", false, "sixsix"},
    {"file:4:after:error=EACCES", false, "sixsix"},
};

START_TEST(a_file_can_fail_at_every_call)
{
    bool written = false;
    char content[16];
    write_six(writings[_i].rules, &written, content);
    if (!writings[_i].written) ck_assert_int_eq(errno, EACCES);
    ck_assert_int_eq(written, writings[_i].written);
    ck_assert_str_eq(content, writings[_i].content);
}
END_TEST

START_TEST(memory_can_be_refused_once_or_from_then_on)
{
    void *memory[6];
    use("malloc:2:before:error=ENOMEM;malloc:4+:before:error=ENOMEM");
    memory[0] = fault_malloc(8);
    memory[1] = fault_calloc(1, 8);
    memory[2] = fault_realloc(memory[0], 16);
    memory[3] = fault_strdup("text");
    memory[4] = fault_reallocarray(NULL, 2, 8);
    memory[5] = strdup("text"); /* not one of ours */
    stop_using();
    ck_assert_ptr_null(memory[1]);
    ck_assert_ptr_nonnull(memory[2]);
    ck_assert_ptr_null(memory[3]);
    ck_assert_ptr_null(memory[4]);
    ck_assert_ptr_nonnull(memory[5]);
    free(memory[2]);
    free(memory[5]);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_rule_that_makes_no_sense_is_refused_and_named, 0,
                        COUNT_OF(refused));
    tcase_add_test(tcase, too_many_rules_are_refused);
    tcase_add_loop_test(tcase, a_rule_means_the_calls_that_it_names, 0, COUNT_OF(meant));
    tcase_add_test(tcase, an_error_is_the_one_that_was_asked_for);
    tcase_add_test(tcase, commits_and_connects_count_among_the_exchanges);
    tcase_add_test(tcase, a_seed_gives_the_same_faults_again_and_another_gives_others);
    tcase_add_test(tcase, drawn_faults_are_such_as_a_server_gives);
    tcase_add_test(tcase, a_kill_is_a_kill_and_the_counts_are_written_before);
    tcase_add_test(tcase, a_stopped_process_goes_on_when_it_is_told_to);
    tcase_add_test(tcase, a_stalled_call_takes_its_time);
    tcase_add_loop_test(tcase, a_file_can_fail_at_every_call, 0, COUNT_OF(writings));
    tcase_add_test(tcase, memory_can_be_refused_once_or_from_then_on);
}

#else

static void add_tests(TCase *tcase)
{
    (void)tcase;
}

#endif

Suite *test_fault_suite(void)
{
    Suite *suite = suite_create("fault");
    TCase *tcase = tcase_create("fault");
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    return suite;
}
