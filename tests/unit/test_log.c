/* Log lines: one write each, no value can forge a line or a field, and native fields when the
 * journal listens. This program has a sd_journal_sendv of its own, which keeps what the journal
 * would have been sent. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"
#include "tests/unit/suites.h"

static int read_end, saved_stderr;
static char sent[4096]; /* fields of the last event for the journal, each ended with a newline */
static int journal_answer;

int sd_journal_sendv(const struct iovec *vectors, int count)
{
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        ck_assert_uint_lt(length + vectors[i].iov_len + 2, sizeof(sent));
        memcpy(sent + length, vectors[i].iov_base, vectors[i].iov_len);
        length += vectors[i].iov_len;
        sent[length++] = '\n';
    }
    sent[length] = '\0';
    return journal_answer;
}

/* Every write to stderr becomes one packet. */
static void capture_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(saved_stderr, 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    read_end = ends[0];
    sent[0] = '\0';
    journal_answer = 0;
    unsetenv("JOURNAL_STREAM");
    log_init(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
}

static void release_stderr(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(read_end);
    unsetenv("JOURNAL_STREAM");
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

/* The next line without its time, NULL when nothing more was written. */
static const char *next_line(void)
{
    static char line[2 * PIPE_BUF];
    ssize_t length = recv(read_end, line, sizeof(line) - 1, MSG_DONTWAIT);
    if (length <= 0) return NULL;
    line[length] = '\0';
    ck_assert_msg(strchr(line, '\n') == line + length - 1, "not one line: %s", line);
    line[length - 1] = '\0';
    static const char shape[] = "time=dddd-dd-ddTdd:dd:dd.ddddddZ ";
    for (size_t i = 0; shape[i] != '\0'; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        ck_assert_msg(shape[i] == 'd' ? digit : line[i] == shape[i], "time: %s", line);
    }
    return line + strlen(shape);
}

static void journal_listens(bool here)
{
    char stream[64];
    struct stat status;
    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    (void)text_format(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
                      (uintmax_t)status.st_ino + (here ? 0 : 1));
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
}

START_TEST(a_line_holds_what_it_was_given)
{
    log_event(LOG_LEVEL_INFO, "step-completed", "the step is done", "step", "ad-statistics", "rows",
              LOG_INT(INT64_MIN), "seconds", "1.5", NULL);
    ck_assert_str_eq(next_line(),
                     "level=info event=step-completed msg=\"the step is done\" "
                     "step=ad-statistics rows=-9223372036854775808 seconds=1.5");
    log_event(LOG_LEVEL_ERROR, "bare", "nothing to add", NULL);
    ck_assert_str_eq(next_line(), "level=error event=bare msg=\"nothing to add\"");
    ck_assert_ptr_null(next_line());
}
END_TEST

START_TEST(no_value_forges_a_line_or_a_field)
{
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"word", "word"},
        {"a/b.c:1,2@x-y_z+50%", "a/b.c:1,2@x-y_z+50%"},
        {"", "\"\""},
        {NULL, "\"\""},
        {"two words", "\"two words\""},
        {"x level=error", "\"x level=error\""},
        {"a=b", "\"a=b\""},
        {"quote\" end=\"", "\"quote\\\" end=\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"line\nlevel=error", "\"line\\nlevel=error\""},
        {"tab\tcr\rbell\a", "\"tab\\tcr\\x0dbell\\x07\""},
        {"\x1b[31m", "\"\\x1b[31m\""},
        {"\x7f", "\"\\x7f\""},
        {"\xc2\x9b", "\"\\xc2\\x9b\""},
        {"\xe2\x80\xae", "\"\\xe2\\x80\\xae\""}, /* turns the direction of what follows */
        {"\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\""}, /* a line separator */
        {"\xec\x84\x9c\xec\x9a\xb8 \xc3\xbc \xf0\x9f\x8e\xac",
         "\"\xec\x84\x9c\xec\x9a\xb8 \xc3\xbc \xf0\x9f\x8e\xac\""},
        {"\xc3", "\"\\xc3\""},
        {"\x80", "\"\\x80\""},
        {"\xc0\xaf", "\"\\xc0\\xaf\""},
        {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
        {"\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""},
        {"\xff\xfe", "\"\\xff\\xfe\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char expected[256];
        (void)text_format(expected, sizeof(expected), "level=warn event=e msg=\"m\" v=%s after=1",
                          cases[i].written);
        log_event(LOG_LEVEL_WARN, "e", "m", "v", cases[i].value, "after", "1", NULL);
        ck_assert_str_eq(next_line(), expected);
    }
    log_event(LOG_LEVEL_WARN, "e", "a\n\"b\"", NULL);
    ck_assert_str_eq(next_line(), "level=warn event=e msg=\"a\\n\\\"b\\\"\"");
}
END_TEST

START_TEST(a_long_value_is_cut_and_the_line_says_so)
{
    char value[3 * PIPE_BUF];
    for (size_t length = PIPE_BUF - 200; length < sizeof(value) - 2; length += 1) {
        memset(value, 'x', length);
        value[0] = length % 2 == 0 ? ' ' : 'x';
        value[length] = '\0';
        log_event(LOG_LEVEL_INFO, "e", "m", "short", "1", "long", value, "after", "2", NULL);
        const char *line = next_line();
        size_t written = strlen(line);
        bool whole = strstr(line, " after=2") != NULL;
        ck_assert_uint_lt(written, PIPE_BUF);
        ck_assert(whole == (strstr(line, " cut=true") == NULL));
        ck_assert(whole || strcmp(line + written - 9, " cut=true") == 0);
        if (length > PIPE_BUF + 4) length += 500;
    }
    memset(value, '\n', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_event(LOG_LEVEL_INFO, "e", value, "after", "2", NULL);
    const char *line = next_line();
    ck_assert_str_eq(line + strlen(line) - 12, "\\n\" cut=true");
}
END_TEST

START_TEST(less_important_events_are_left_out)
{
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        log_init((enum log_level)level, LOG_FORMAT_TEXT);
        for (int event = LOG_LEVEL_ERROR; event <= LOG_LEVEL_DEBUG; event++) {
            log_event((enum log_level)event, "e", "m", NULL);
            ck_assert_int_eq(next_line() != NULL, event <= level);
        }
    }
}
END_TEST

START_TEST(levels_have_names)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
        ck_assert_str_eq(log_level_name((enum log_level)i), names[i]);
}
END_TEST

START_TEST(the_journal_gets_fields_when_stderr_is_connected_to_it)
{
    journal_listens(true);
    log_event(LOG_LEVEL_WARN, "step-failed", "the \"step\" failed", "step", "settlement",
              "job_execution", "17", "error-code", "a\nb", NULL);
    ck_assert_ptr_null(next_line());
    ck_assert_str_eq(
        sent,
        "MESSAGE=the \"step\" failed step=settlement job_execution=17 "
        "error-code=\"a\\nb\"\n"
        "PRIORITY=4\nEVENT=step-failed\n"
        "MESSAGE_ID=7897def64f9052994f091d5db93bd793\nSTEP=settlement\nJOB_EXECUTION=17\n"
        "ERROR_CODE=a\nb\n");
    static const char *const priorities[] = {"PRIORITY=3", "PRIORITY=4", "PRIORITY=6"};
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_INFO; i++) {
        log_event((enum log_level)i, "e", "m", NULL);
        ck_assert_ptr_nonnull(strstr(sent, priorities[i]));
    }
}
END_TEST

/* Computed with sha256sum: the ids are written down in rules of people's log systems. */
START_TEST(an_event_has_the_same_id_for_ever)
{
    static const struct {
        const char *event, *id;
    } cases[] = {
        {"day-not-over", "2952ac4b65c0b436b31495db8ce9094d"},
        {"step-ended", "59985cf695a2f3a1138265879e2a55f0"},
        {"", "d44acb58e4373e10cee304910e1feae7"},
    };
    for (size_t n = 0; n < COUNT_OF(cases); n++) {
        char id[LOG_MESSAGE_ID];
        log_message_id(cases[n].event, id);
        ck_assert_str_eq(id, cases[n].id);
    }
}
END_TEST

START_TEST(the_journal_gets_the_fields_that_people_filter_by)
{
    journal_listens(true);
    log_event(LOG_LEVEL_INFO, "step-ended", "the step ended", "job", "daily-settlement",
              "execution", "17", "step", "settlement", "partition", "3", NULL);
    static const char *const fields[] = {"\nJOB=daily-settlement\n", "\nEXECUTION=17\n",
                                         "\nSTEP=settlement\n", "\nPARTITION=3\n"};
    for (size_t n = 0; n < COUNT_OF(fields); n++)
        ck_assert_ptr_nonnull(strstr(sent, fields[n]));
}
END_TEST

START_TEST(stderr_gets_lines_where_the_journal_does_not_listen)
{
    journal_listens(false);
    log_event(LOG_LEVEL_INFO, "e", "m", NULL);
    ck_assert_str_eq(sent, "");
    ck_assert_ptr_nonnull(next_line());

    journal_listens(true);
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_event(LOG_LEVEL_INFO, "e", "m", NULL);
    ck_assert_str_eq(sent, "");
    ck_assert_ptr_nonnull(next_line());

    journal_listens(true);
    journal_answer = -ENOBUFS;
    log_event(LOG_LEVEL_INFO, "e", "m", NULL);
    ck_assert_ptr_nonnull(next_line());

    unsetenv("JOURNAL_STREAM");
    sent[0] = '\0';
    journal_answer = 0;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JOURNAL);
    log_event(LOG_LEVEL_INFO, "e", "m", NULL);
    ck_assert_int_eq(next_line() != NULL, access("/run/systemd/journal/socket", F_OK) != 0);
}
END_TEST

START_TEST(errno_survives_an_event)
{
    close(read_end);
    read_end = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int closed = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = E2BIG;
    log_event(LOG_LEVEL_INFO, "e", "nobody reads this", NULL);
    ck_assert_int_eq(errno, E2BIG);
    ck_assert_int_ge(dup2(closed, STDERR_FILENO), 0);
    close(closed);
}
END_TEST

enum { WRITERS = 4, EVENTS = 200 };

static void *write_events(void *context)
{
    for (int i = 0; i < EVENTS; i++)
        log_event(LOG_LEVEL_INFO, "e", "m", "writer", context, "n", LOG_INT(i), NULL);
    return NULL;
}

START_TEST(lines_of_several_threads_do_not_mix)
{
    static char names[WRITERS][2] = {"0", "1", "2", "3"};
    pthread_t writers[WRITERS];
    int next[WRITERS] = {0};
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&writers[i], NULL, write_events, names[i]), 0);
    for (int lines = 0; lines < WRITERS * EVENTS; lines++) {
        char line[256], expected[256];
        ssize_t length = recv(read_end, line, sizeof(line) - 1, 0);
        ck_assert_int_gt(length, 0);
        line[length] = '\0';
        const char *found = strstr(line, " level=info");
        ck_assert_ptr_nonnull(found);
        const char *writer = strstr(line, "writer=");
        ck_assert_ptr_nonnull(writer);
        int number = writer[7] - '0';
        ck_assert(number >= 0 && number < WRITERS);
        (void)text_format(expected, sizeof(expected),
                          " level=info event=e msg=\"m\" writer=%d n=%d\n", number, next[number]++);
        ck_assert_str_eq(found, expected);
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_join(writers[i], NULL), 0);
}
END_TEST

Suite *test_log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, capture_stderr, release_stderr);
    tcase_add_test(lines, a_line_holds_what_it_was_given);
    tcase_add_test(lines, no_value_forges_a_line_or_a_field);
    tcase_add_test(lines, a_long_value_is_cut_and_the_line_says_so);
    tcase_add_test(lines, less_important_events_are_left_out);
    tcase_add_test(lines, levels_have_names);
    tcase_add_test(lines, the_journal_gets_fields_when_stderr_is_connected_to_it);
    tcase_add_test(lines, an_event_has_the_same_id_for_ever);
    tcase_add_test(lines, the_journal_gets_the_fields_that_people_filter_by);
    tcase_add_test(lines, stderr_gets_lines_where_the_journal_does_not_listen);
    tcase_add_test(lines, errno_survives_an_event);
    tcase_add_test(lines, lines_of_several_threads_do_not_mix);
    suite_add_tcase(suite, lines);
    return suite;
}
