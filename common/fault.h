/* The fault seam: where a test build makes a call fail, die, hang or stop, so that a test can try
 * every call there is. All variants but the release have it; there it is nothing (the functions
 * below are empty and inline, and common/fault*.c is not compiled), and a system test looks into
 * the released programs for it.
 *
 *   SETTLEMENTD_TEST_FAULTS="RULE[;RULE]..."      a rule is PLACE:N:WHEN:ACTION
 *     PLACE   db       an exchange with the server: connect, statement, prepare, execute, close
 *             commit   those of them that are a COMMIT; connect: those that connect
 *             clock    reading the machine's clock
 *             file     open, fopen, fdopen, read, pread, fread, write, fwrite, fflush, fsync,
 *                      rename, unlink, close, fclose; not what goes to stderr
 *             malloc   malloc, calloc, realloc, reallocarray, strdup of our own code: see
 *                      fault_calls.h
 *     N       the N-th call of that place in the process, over all threads, from 1; N+ for that one
 *             and all after it; * for all
 *     WHEN    before   nothing was sent, nothing was done
 *             sent     the request has gone out, the reply was not read; of a file: a part was
 *                      done
 *             after    the reply was read, all of it was done
 *     ACTION  kill (SIGKILL to itself), stop (SIGSTOP to itself), stall=MS, error=CODE (of the
 *             server or the client library; an errno or its name for file and malloc), lose (db:
 *             the socket is shut, 2013)
 *   SETTLEMENTD_TEST_FAULTS="random:SEED:PERMILLE[:ACTION,ACTION...]"
 *             a rule that lets each exchange with the server fail with that chance; which, when and
 *             how follows from the seed and the number of the call. Without actions: error=1213,
 *             error=1205, error=1020, lose
 *   SETTLEMENTD_TEST_FAULT_COUNTS=FILE
 *             where the number of calls of each place is written, "db 123", and how often a rule
 *             was followed, "fired 4", at exit and before a kill or a stop
 *   SETTLEMENTD_TEST_CLOCK=FILE
 *             microseconds by which the schedules' clock is ahead; read at every turn
 *
 * A fault is no lie about the server. One that ends transactions (1213, 1020) ends the one that is
 * open there; an error while a reply is under way loses the connection as well, since nobody could
 * read on; the server's own errors are drawn for "before" only. A rule may still ask for what no
 * server does: a deadlock *after* a COMMIT was acknowledged.
 *
 * "Sent" is done inside of libmariadb: for the one call the connection's table of methods is
 * replaced by a copy whose db_command sends the request through the original and then fails. All
 * requests of plain and of prepared statements pass there. mysql_send_query knows plain statements
 * only, the asynchronous interface runs everything on a stack of its own also when nothing is to
 * fail, and a thread that watches the socket cannot know whether the reply has been read.
 *
 * Any thread may call; rules are set before there are threads. */
#ifndef COMMON_FAULT_H
#define COMMON_FAULT_H

#include "common/base.h"

enum fault_place {
    FAULT_DB,
    FAULT_COMMIT,  /* counts as FAULT_DB, too */
    FAULT_CONNECT, /* likewise */
    FAULT_CLOCK,
    FAULT_FILE,
    FAULT_MALLOC,
    FAULT_PLACES
};

enum fault_when { FAULT_BEFORE, FAULT_SENT, FAULT_AFTER };

/* What fault_at returns for `lose`; no number of the server's. */
enum { FAULT_LOSE = -1 };

/* A call that was counted; number 0 stands for one that must not fail. */
struct fault_call {
    enum fault_place place;
    uint64_t number;    /* of its place */
    uint64_t db_number; /* among all exchanges with the server */
};

#ifdef SETTLEMENTD_TEST_SEAMS

/* Reads the environment. A rule that makes no sense is said on stderr, after the program's name,
 * and the result is false. */
bool fault_begin(const char *program) MUST_CHECK;

/* Sets the rules (NULL: none), and counts from the start again. */
enum err fault_use(const char *rules, struct detail *detail) MUST_CHECK;

/* Counts a call. */
struct fault_call fault_count(enum fault_place place);

/* Whether a rule wants something at this point of the call. */
bool fault_is_due(const struct fault_call *call, enum fault_when when);

/* Does what the rules want at this point; a kill does not return. The error that the call has to
 * end with: 0 none, a number, or FAULT_LOSE. */
int fault_at(const struct fault_call *call, enum fault_when when);

/* How many calls of a place there were. */
uint64_t fault_counted(enum fault_place place);

/* How often a rule was followed. */
uint64_t fault_fired(void);

/* By how many microseconds the schedules' clock is to be ahead. */
int64_t fault_clock_shift_us(void);

#else

static inline bool fault_begin(const char *program)
{
    (void)program;
    return true;
}

static inline struct fault_call fault_count(enum fault_place place)
{
    return (struct fault_call){.place = place};
}

static inline bool fault_is_due(const struct fault_call *call, enum fault_when when)
{
    (void)call;
    (void)when;
    return false;
}

static inline int fault_at(const struct fault_call *call, enum fault_when when)
{
    (void)call;
    (void)when;
    return 0;
}

static inline int64_t fault_clock_shift_us(void)
{
    return 0;
}

#endif

#endif
