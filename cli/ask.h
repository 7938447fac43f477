/* Asks the daemons for something: writes the request, waits until one of them answers, on demand
 * until all of it is done, and tells what came of it. A request that nobody answers within
 * ASK_ANSWER_S is taken back, so that it is not done at some later time when nobody expects it any
 * more. SIGINT and SIGTERM end the waiting, never the request that a daemon has taken on. A
 * database that is lost on the way is sought again. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli/cli.h"
#include "common/request.h"

enum { ASK_ANSWER_S = 10, ASK_POLL_MS = 100 };

struct ask_options {
    bool wait;         /* until it is done, not just until it is answered */
    int64_t timeout_s; /* how long in all; 0: for ever. Only with `wait` */
};

/* The exit code of the command. Everything has been printed; `requested_by` of the order is filled
 * in here. */
int ask(struct cli *cli, const struct request_order *order, const struct ask_options *options);

/* Who asks, as USER@HOST: the person behind sudo rather than root. Cut to fit. */
void ask_person(char *ret_text, size_t size);

#endif
