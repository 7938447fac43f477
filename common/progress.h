/* A progress display: named bars, one after the other. On a terminal it is one line redrawn in
 * place (bar, per cent, done of total, rate, time left) that fits the terminal's width; anywhere
 * else plain lines, at most one every PROGRESS_LINE_US and one at the end. It owns nothing, not the
 * file either, starts no thread, and costs next to nothing when updated more often than it draws:
 * call progress_update as often as you like, also with an unchanged figure so that rate and time
 * left stay honest. One thread at a time.
 *
 * Totals are estimates: a bar never shows more than 100 per cent; where more is done than was
 * announced the total grows instead, and progress_end takes what was done for the total. */
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include <stdio.h>

#include "common/base.h"
#include "common/clock.h"

enum {
    PROGRESS_LABEL = 64,
    PROGRESS_UNIT = 16,
    PROGRESS_SAMPLES = 16,
    PROGRESS_DRAW_US = 100000,
    PROGRESS_LINE_US = 5000000,
    PROGRESS_SAMPLE_US = 500000
};

struct progress_sample {
    int64_t at_us, done;
};

struct progress {
    FILE *file;
    const struct clock *clock;
    bool quiet;
    bool terminal; /* found by progress_init; a test sets it */
    int width;     /* columns; 0: ask the terminal at each drawing */
    bool open;     /* between begin and end */
    bool drawn;    /* a line without its end is on the terminal */
    char label[PROGRESS_LABEL], unit[PROGRESS_UNIT];
    int64_t total, done, inherited;
    int64_t began_us, shown_us;
    /* A ring: the rate is that of the last few seconds. */
    struct progress_sample samples[PROGRESS_SAMPLES];
    int sample_count, sample_next;
};

/* `clock` and `file` must outlive it. `quiet` draws nothing at all. */
void progress_init(struct progress *progress, FILE *file, const struct clock *clock, bool quiet);

/* Starts a bar: "content-statistics", the total as far as it is known (0: it is not), and what is
 * counted ("rows"). A bar that is still open is ended where it stands. */
void progress_begin(struct progress *progress, const char *label, int64_t total, const char *unit);

/* What was done before this bar began (a restart goes on at checkpoints): it counts for the bar,
 * not for the rate. */
void progress_inherit(struct progress *progress, int64_t done);

/* `done` is absolute and never falls; a smaller one is taken for the last one. */
void progress_update(struct progress *progress, int64_t done);

/* A better estimate of the total. */
void progress_set_total(struct progress *progress, int64_t total);

/* Finished: the bar is full, with the average rate and the time it took. */
void progress_end(struct progress *progress, int64_t done);

/* Not finished: the bar stays where it stands, and `why` ("stopped", "failed") is written behind
 * it. */
void progress_break(struct progress *progress, const char *why);

/* Not told at all: the bar is wiped from a terminal, and nothing is written anywhere. */
void progress_drop(struct progress *progress);

/* Wipes the line from a terminal, so that something else can be printed; the next update draws it
 * again. */
void progress_clear(struct progress *progress);

#endif
