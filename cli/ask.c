#include "cli/ask.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/follow.h"
#include "cli/output.h"
#include "common/utf8.h"

enum {
    ANSWER_TIMEOUT_S = 20, /* of the server, for one statement */
    LOST_PATIENCE_S = 30,  /* without --wait */
    RECONNECT_MS = 250,
    RECONNECT_MAX_MS = 2000,
    HINT = 512
};

/* Why the waiting came to its end. */
enum outcome { OUTCOME_ANSWERED, OUTCOME_UNANSWERED, OUTCOME_TIMED_OUT, OUTCOME_INTERRUPTED };

struct asking {
    struct cli *cli;
    struct ask_options options;
    struct db *db;
    struct request request;
    struct follow follow;
    int64_t began_us;        /* of everything, for --timeout */
    int64_t silent_since_us; /* since when a daemon could have answered */
    int64_t lost_since_us;   /* 0: the database is there */
    struct detail detail;
};

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

/* The first one ends the waiting in an orderly way; a second one ends the process. */
static void watch_signals(void)
{
    stop_signal = 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static int64_t now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

/* A signal ends it early. */
static void nap(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (stop_signal == 0) (void)nanosleep(&time, NULL);
}

static bool time_is_over(const struct asking *asking)
{
    int64_t limit_s = asking->options.wait ? asking->options.timeout_s : 0;
    return limit_s > 0 && now_us() - asking->began_us >= limit_s * 1000000;
}

void ask_person(char *ret_text, size_t size)
{
    char host[256] = "unknown";
    const char *name = getenv("SUDO_USER");
    if (name == NULL || name[0] == '\0') name = getenv("USER");
    const struct passwd *entry = name == NULL || name[0] == '\0' ? getpwuid(getuid()) : NULL;
    if (entry != NULL) name = entry->pw_name;
    if (gethostname(host, sizeof(host) - 1) != 0) (void)text_format(host, sizeof(host), "unknown");
    (void)text_format(ret_text, size, "%s@%s", name == NULL || name[0] == '\0' ? "?" : name, host);
    for (char *at = ret_text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') *at = '?';
    }
}

static bool gave_up(const struct asking *asking)
{
    if (stop_signal != 0 || time_is_over(asking)) return true;
    return !asking->options.wait &&
           now_us() - asking->lost_since_us >= (int64_t)LOST_PATIENCE_S * 1000000;
}

/* After an error on the connection: connects again, with patience. ERR_TIMEOUT or ERR_STOPPED when
 * that was given up. */
static enum err seek_database(struct asking *asking)
{
    follow_clear(&asking->follow);
    fprintf(stderr,
            "settlectl: the database is not to be reached (%s); request %lld is stored there; "
            "trying again\n",
            db_message(asking->db), (long long)asking->request.id);
    asking->lost_since_us = now_us();
    for (int64_t pause_ms = RECONNECT_MS; !gave_up(asking);
         pause_ms = min_i64(2 * pause_ms, RECONNECT_MAX_MS)) {
        nap(pause_ms);
        enum err err = db_reconnect(asking->db);
        if (err_class(err) == CLASS_CONNECTION) continue;
        if (err != OK) return cli_db_failed(asking->db, err, "connecting again", &asking->detail);
        fprintf(stderr, "settlectl: the database is there again\n");
        asking->lost_since_us = 0;
        asking->silent_since_us = now_us(); /* the daemons have to find it again, too */
        return OK;
    }
    return stop_signal != 0 ? ERR_STOPPED : ERR_TIMEOUT;
}

/* A failure in the middle: OK when the caller may try again. */
static enum err overcome(struct asking *asking, enum err err)
{
    if (err_class(err) == CLASS_CONNECTION) return seek_database(asking);
    if (err_class(err) == CLASS_TRANSACTION) {
        nap(ASK_POLL_MS);
        return stop_signal != 0 ? ERR_STOPPED : time_is_over(asking) ? ERR_TIMEOUT : OK;
    }
    if (err == ERR_NOT_FOUND)
        return detail_set(&asking->detail, ERR_REFUSED,
                          "request %lld is not there any more: somebody has deleted it",
                          (long long)asking->request.id);
    return cli_db_failed(asking->db, err, "reading the request", &asking->detail);
}

/* STOP is answered at once; whoever waits for it waits for the execution. */
static bool is_done(const struct asking *asking)
{
    if (!request_has_ended(asking->request.status)) return false;
    return asking->request.command != REQUEST_STOP || !asking->follow.running;
}

/* Nobody has answered yet. True with the outcome when that is not waited for any longer. */
static enum err withdraw(struct asking *asking, enum outcome outcome, bool *ret_withdrawn)
{
    const char *why = outcome == OUTCOME_INTERRUPTED ? "interrupted before a daemon had answered"
                                                     : "no daemon answered in time";
    TRY(request_withdraw(asking->db, asking->request.id, why, ret_withdrawn));
    return *ret_withdrawn ? request_read(asking->db, asking->request.id, &asking->request) : OK;
}

static enum err look_while_pending(struct asking *asking, bool *ret_done, enum outcome *ret_outcome)
{
    bool silent = now_us() - asking->silent_since_us >= (int64_t)ASK_ANSWER_S * 1000000;
    if (stop_signal != 0) {
        *ret_outcome = OUTCOME_INTERRUPTED;
    } else if (silent || time_is_over(asking)) {
        *ret_outcome = OUTCOME_UNANSWERED;
    } else {
        return OK;
    }
    return withdraw(asking, *ret_outcome, ret_done);
}

/* One look at what has become of it. */
static enum err look(struct asking *asking, bool *ret_done, enum outcome *ret_outcome)
{
    TRY(request_read(asking->db, asking->request.id, &asking->request));
    if (asking->request.status == REQUEST_PENDING)
        return look_while_pending(asking, ret_done, ret_outcome);
    *ret_outcome = OUTCOME_ANSWERED;
    *ret_done = true;
    if (!asking->options.wait) return OK;

    TRY(follow_update(&asking->follow, asking->db, &asking->request));
    if (is_done(asking)) return OK;
    if (stop_signal != 0) {
        *ret_outcome = OUTCOME_INTERRUPTED;
    } else if (time_is_over(asking)) {
        *ret_outcome = OUTCOME_TIMED_OUT;
    } else {
        *ret_done = false;
    }
    return OK;
}

static enum err await(struct asking *asking, enum outcome *ret_outcome)
{
    for (;;) {
        bool done = false;
        enum err err = look(asking, &done, ret_outcome);
        if (err != OK) {
            err = overcome(asking, err);
            if (err == ERR_STOPPED || err == ERR_TIMEOUT) {
                *ret_outcome = err == ERR_STOPPED ? OUTCOME_INTERRUPTED : OUTCOME_TIMED_OUT;
                return OK;
            }
            TRY(err);
            continue;
        }
        if (done) return OK;
        nap(ASK_POLL_MS);
    }
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *id_or_null(int64_t id)
{
    return id == 0 ? json_null() : json_integer(id);
}

static int64_t execution_of(const struct request *request)
{
    return request->last_execution_id != 0 ? request->last_execution_id : request->execution_id;
}

static enum err print_json(const struct asking *asking)
{
    const struct request *request = &asking->request;
    return output_print_json(
        json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:s, s:o, s:o, s:o}",
                  "request", (json_int_t)request->id, "command",
                  request_command_name(request->command), "status",
                  request_status_name(request->status), "answer", text_or_null(request->answer),
                  "job", text_or_null(request->job_name), "execution",
                  id_or_null(execution_of(request)), "from", text_or_null(request->date_from), "to",
                  text_or_null(request->date_to), "on_date", text_or_null(request->on_date),
                  "days_done", (json_int_t)request->days_done, "requested_by",
                  request->requested_by, "reason", request->reason, "requested_at",
                  text_or_null(request->requested_at), "answered_at",
                  text_or_null(request->answered_at), "ended_at", text_or_null(request->ended_at)),
        stdout);
}

/* What to type to look at it and to stop it. */
static void describe_way_on(const struct request *request, char ret_text[HINT])
{
    int64_t execution = execution_of(request);
    if (execution != 0) {
        (void)text_format(ret_text, HINT,
                          "look with: settlectl show %lld; stop it with: settlectl stop %lld",
                          (long long)execution, (long long)execution);
    } else {
        (void)text_format(ret_text, HINT,
                          "look with: settlectl status; once an execution runs for it, "
                          "`settlectl stop EXECUTION` stops it");
    }
}

/* No daemon answered: what may be wrong, and what to do. */
static void describe_silence(struct asking *asking, char ret_text[HINT])
{
    struct request_daemon daemon = {0};
    const struct request *request = &asking->request;
    enum err err = request_find_daemon(asking->db, &daemon);
    if (err != OK) {
        (void)text_format(ret_text, HINT, "whether one is alive could not be read: %s",
                          db_message(asking->db));
    } else if (daemon.alive > 0) {
        (void)text_format(ret_text, HINT,
                          "one seems to be alive (process %lld on %s) but does not take requests; "
                          "look at its log: journalctl -u settlementd",
                          (long long)daemon.pid, daemon.host);
    } else if (daemon.node_id[0] != '\0') {
        (void)text_format(ret_text, HINT,
                          "the one that is alive (process %lld on %s) is drained, and takes on "
                          "nothing; settlectl drain %s --undo changes that",
                          (long long)daemon.pid, daemon.host, daemon.node_id);
    } else if (request->command == REQUEST_RUN) {
        (void)text_format(ret_text, HINT,
                          "none is alive; start one (systemctl start settlementd) and ask again, "
                          "or run it here: settlementd run %s --date %s",
                          request->job_name, request->date_from);
    } else {
        (void)text_format(ret_text, HINT,
                          "none is alive; start one (systemctl start settlementd) and ask again");
    }
}

static int tell_unfinished(struct asking *asking, enum outcome outcome)
{
    const struct request *request = &asking->request;
    char hint[HINT];
    if (asking->lost_since_us != 0) {
        fprintf(stderr,
                "settlectl: %s while the database was away; request %lld is stored there, and a "
                "daemon may work it off; look with: settlectl status\n",
                outcome == OUTCOME_INTERRUPTED ? "interrupted" : "gave up", (long long)request->id);
    } else if (outcome == OUTCOME_UNANSWERED) {
        describe_silence(asking, hint);
        fprintf(stderr, "settlectl: no daemon answered; request %lld was withdrawn; %s\n",
                (long long)request->id, hint);
    } else if (request->status == REQUEST_WITHDRAWN) {
        fprintf(stderr, "settlectl: interrupted; request %lld was withdrawn, nothing was begun\n",
                (long long)request->id);
    } else {
        describe_way_on(request, hint);
        fprintf(stderr, "settlectl: %s; request %lld goes on; %s\n",
                outcome == OUTCOME_INTERRUPTED ? "interrupted" : "not done in time",
                (long long)request->id, hint);
    }
    return outcome == OUTCOME_INTERRUPTED ? CLI_FAILED : CLI_TIMEOUT;
}

static void print_answer(FILE *file, const struct request *request)
{
    fprintf(file, "request %lld %s", (long long)request->id, request_status_name(request->status));
    if (request->command == REQUEST_BACKFILL && request->days_done > 0)
        fprintf(file, ", %lld day%s done", (long long)request->days_done,
                request->days_done == 1 ? "" : "s");
    if (execution_of(request) != 0)
        fprintf(file, ", execution %lld", (long long)execution_of(request));
    if (request->answer[0] != '\0') {
        fputs(": ", file);
        utf8_print(file, request->answer);
    }
    fputc('\n', file);
}

static int exit_of(enum request_status status)
{
    switch (status) {
    case REQUEST_PENDING:
    case REQUEST_WITHDRAWN:
        return CLI_TIMEOUT;
    case REQUEST_ACCEPTED:
    case REQUEST_COMPLETED:
        return CLI_DONE;
    case REQUEST_NOT_FOUND:
        return CLI_NOT_FOUND;
    case REQUEST_FAILED:
    case REQUEST_STOPPED:
    case REQUEST_REFUSED:
        break;
    }
    return CLI_FAILED;
}

static int tell(struct asking *asking, enum outcome outcome)
{
    bool unfinished = outcome != OUTCOME_ANSWERED;
    follow_end(&asking->follow, unfinished ? "goes on" : "ended");
    int code = unfinished ? CLI_FAILED : exit_of(asking->request.status);
    if (unfinished) {
        code = tell_unfinished(asking, outcome);
    } else if (code != CLI_DONE) {
        fputs("settlectl: ", stderr);
        print_answer(stderr, &asking->request);
    } else if (!asking->cli->json) {
        print_answer(stdout, &asking->request);
    }
    if (!asking->cli->json) return code;
    enum err err = print_json(asking);
    return err == OK ? code : cli_fail(err, NULL);
}

/* What is known of the request before it was read for the first time. */
static void remember(struct request *request, const struct request_order *order)
{
    const char *from = order->date_from, *to = order->date_to;
    request->command = order->command;
    request->execution_id = order->execution_id;
    (void)text_format(request->job_name, sizeof(request->job_name), "%s", order->job_name);
    (void)text_format(request->date_from, sizeof(request->date_from), "%s", from ? from : "");
    (void)text_format(request->date_to, sizeof(request->date_to), "%s", to ? to : "");
    (void)text_format(request->reason, sizeof(request->reason), "%s", order->reason);
    (void)text_format(request->requested_by, sizeof(request->requested_by), "%s",
                      order->requested_by);
}

static enum err write_request(struct asking *asking, const struct request_order *order)
{
    char person[REQUEST_PERSON];
    struct request_order signed_order = *order;
    ask_person(person, sizeof(person));
    signed_order.requested_by = person;
    remember(&asking->request, &signed_order);
    bool quiet = asking->cli->json || !asking->options.wait;
    enum err err = follow_begin(&asking->follow, asking->db, quiet);
    if (err != OK) return cli_db_failed(asking->db, err, "reading the executions", &asking->detail);

    asking->silent_since_us = now_us();
    err = request_write(asking->db, &signed_order, &asking->request.id);
    if (err_class(err) == CLASS_CONNECTION)
        return detail_set(&asking->detail, err,
                          "the connection was lost while the request was stored (%s): whether it "
                          "was is not known; `settlectl status` shows the requests that wait",
                          db_message(asking->db));
    return err == OK ? OK : cli_db_failed(asking->db, err, "storing the request", &asking->detail);
}

int ask(struct cli *cli, const struct request_order *order, const struct ask_options *options)
{
    struct asking asking = {.cli = cli, .options = *options, .began_us = now_us()};
    enum outcome outcome = OUTCOME_ANSWERED;
    watch_signals();
    enum err err = cli_open_db_for_long(cli, ANSWER_TIMEOUT_S, &asking.db, &asking.detail);
    if (err == OK) err = write_request(&asking, order);
    if (err == OK) err = await(&asking, &outcome);
    int code = err == OK ? tell(&asking, outcome) : cli_fail(err, &asking.detail);
    db_free(asking.db);
    return code;
}
