/* The file of what a process remembers, when writing it fails, or kills the process, at any of its
 * calls: then it holds what it held before, or what it was to hold, and can be written again. */
#include "daemon/state_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suites.h"

static const struct state before = {
    .installation = "11111111-2222-3333-4444-555555555555",
    .entries = {{.id = 7,
                 .token = "aaaaaaaa-2222-3333-4444-555555555555",
                 .kind = "EXECUTION",
                 .job_execution_id = 3,
                 .job_name = "daily-settlement",
                 .target_date = "2026-07-01",
                 .status = "COMPLETED"}},
    .count = 1,
};

/* `before`, and what was acknowledged after it. */
static struct state later(void)
{
    struct state state = before;
    struct state_entry *entry = &state.entries[state.count++];
    *entry = before.entries[0];
    entry->id = 8;
    (void)text_format(entry->target_date, sizeof(entry->target_date), "2026-07-02");
    return state;
}

static char directory[64];
static struct state_file *file;

static void set_up(void)
{
    struct detail detail = {""};
    (void)text_format(directory, sizeof(directory), "/tmp/settlementd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(state_file_new(directory, "a b/c", &file, &detail), OK);
    ck_assert_int_eq(state_file_write(file, &before, &detail), OK);
}

static void tear_down(void)
{
    static const char *const endings[] = {"", ".lock", ".new"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        char path[STATE_PATH + 8];
        ck_assert(text_format(path, sizeof(path), "%s%s", state_file_path(file), endings[i]));
        (void)remove(path);
    }
    state_file_free(file);
    ck_assert_int_eq(remove(directory), 0);
}

/* How many entries there are; what they are is what was written. */
static int read_entries(void)
{
    static struct state found;
    struct detail detail = {""};
    ck_assert_msg(state_file_read(file, &found, &detail) == OK, "%s", detail.text);
    ck_assert_str_eq(found.installation, before.installation);
    struct state whole = later();
    ck_assert_int_le(found.count, whole.count);
    for (int i = 0; i < found.count; i++) {
        ck_assert_int_eq(found.entries[i].id, whole.entries[i].id);
        ck_assert_str_eq(found.entries[i].token, whole.entries[i].token);
        ck_assert_str_eq(found.entries[i].target_date, whole.entries[i].target_date);
    }
    return found.count;
}

START_TEST(what_was_written_is_read_under_a_name_that_a_file_may_have)
{
    struct detail detail = {""};
    struct state state = later();
    const char *name = strrchr(state_file_path(file), '/');
    ck_assert_str_eq(name, "/acknowledged-a%20b%2Fc.json");
    ck_assert_int_eq(read_entries(), 1);
    ck_assert_int_eq(state_file_write(file, &state, &detail), OK);
    ck_assert_int_eq(read_entries(), 2);
}
END_TEST

#ifdef SETTLEMENTD_TEST_SEAMS

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fault.h"

static void use(const char *rules)
{
    struct detail detail = {""};
    ck_assert_msg(fault_use(rules, &detail) == OK, "%s", detail.text);
}

static void use_at(int call, const char *when, const char *action)
{
    char rule[64];
    ck_assert(text_format(rule, sizeof(rule), "file:%d:%s:%s", call, when, action));
    use(rule);
}

static const char *const moments[] = {"before", "sent", "after"};

START_TEST(a_call_that_fails_leaves_the_old_or_the_new_and_is_said)
{
    struct detail detail = {""};
    struct state state = later();
    int calls = 0;
    for (int call = 1;; call++) {
        ck_assert_int_eq(state_file_write(file, &before, &detail), OK);
        use_at(call, moments[_i], "error=EIO");
        enum err err = state_file_write(file, &state, &detail);
        bool fired = fault_fired() > 0;
        use(NULL);
        if (!fired) break;
        calls++;
        int count = read_entries();
        ck_assert(err == OK ? count == 2 : err == ERR_IO && count >= 1);
        if (err != OK) ck_assert_ptr_nonnull(strstr(detail.text, state_file_path(file)));
    }
    ck_assert_int_ge(calls, 5); /* open, fsync, close, rename, open */
    ck_assert_int_eq(state_file_write(file, &state, &detail), OK);
    ck_assert_int_eq(read_entries(), 2);
}
END_TEST

/* Writes in a process of its own; whether that was killed. */
static bool is_killed_writing(const struct state *state, int call, const char *when)
{
    struct detail detail = {""};
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        use_at(call, when, "kill");
        _exit(state_file_write(file, state, &detail) == OK ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

START_TEST(whoever_is_killed_leaves_the_old_or_the_new)
{
    struct detail detail = {""};
    struct state state = later();
    int olds = 0, news = 0;
    for (int call = 1; is_killed_writing(&state, call, moments[_i]); call++) {
        if (read_entries() == 1)
            olds++;
        else
            news++;
        ck_assert_int_eq(state_file_write(file, &before, &detail), OK);
    }
    ck_assert_int_ge(olds, 3); /* up to the rename */
    ck_assert_int_ge(news, 1);
    ck_assert_int_eq(read_entries(), 2);
}
END_TEST

#endif

Suite *test_state_file_suite(void)
{
    Suite *suite = suite_create("state_file");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, what_was_written_is_read_under_a_name_that_a_file_may_have);
#ifdef SETTLEMENTD_TEST_SEAMS
    tcase_add_loop_test(files, a_call_that_fails_leaves_the_old_or_the_new_and_is_said, 0,
                        (int)COUNT_OF(moments));
    tcase_add_loop_test(files, whoever_is_killed_leaves_the_old_or_the_new, 0,
                        (int)COUNT_OF(moments));
#endif
    suite_add_tcase(suite, files);
    return suite;
}
