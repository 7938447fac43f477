/* Makes the rows of the bench: watch logs or advertisement logs of one day, or the contents
 * themselves, to standard output. The same arguments give the same bytes on every machine.
 *
 *   generate watch-log DATE LOGS CONTENTS SEED [csv]
 *   generate ad-log    DATE LOGS CONTENTS SEED [csv]
 *   generate content        CONTENTS
 *
 * Tab-separated for LOAD DATA, in the order of the columns below; with `csv` a file as settlectl
 * imports it, with a header. A content's share of the day falls with its rank r like 1 / (r + 2):
 * of 10 million logs over 100,000 contents the first has 3 per cent, the hundredth 0.1 per cent,
 * the last about nine rows. Ranks are scattered over the ids, so that hot contents are not
 * neighbours. Rows come in the order of the covering index: (content, member, time). */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMBERS = 1000000,
    ADVERTISEMENTS = 1000,
    ADVERTISEMENTS_OF_A_CONTENT = 5,
    OUTPUT_BYTES = 1 << 20,
    RANK_SHIFT = 2,
    ARGUMENT_KIND = 1,
    ARGUMENT_DATE = 2,
    ARGUMENT_LOGS = 3,
    ARGUMENT_CONTENTS = 4,
    ARGUMENT_SEED = 5,
    ARGUMENT_FORMAT = 6
};

struct day {
    const char *date;
    int64_t logs, contents;
    uint64_t seed;
    bool csv, ads;
    double weight_sum;
};

static const char *const STATUSES[] = {"IN_PROGRESS", "PAUSED", "STOPPED", "COMPLETED"};

/* splitmix64: small, and the same everywhere. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t below(uint64_t *state, int64_t limit)
{
    return (int64_t)(next(state) % (uint64_t)limit);
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The first number from about 0.618 × contents on that has no divisor in common with it:
 * multiplying by it is a permutation of the ids, and spreads neighbours far apart. */
static int64_t scatter_factor(int64_t contents)
{
    int64_t factor = contents * 618 / 1000 + 1;
    while (greatest_common_divisor(factor, contents) != 1)
        factor++;
    return factor;
}

static double weight(int64_t rank)
{
    return 1.0 / (double)(rank + RANK_SHIFT);
}

/* Cumulative rounding: the counts of all ranks add up to exactly `logs`, however many contents
 * there are. */
static void count_logs(const struct day *day, int64_t *counts)
{
    int64_t factor = scatter_factor(day->contents);
    int64_t given = 0;
    double sum = 0.0;
    for (int64_t rank = 1; rank <= day->contents; rank++) {
        sum += weight(rank);
        int64_t until = (int64_t)((double)day->logs * (sum / day->weight_sum) + 0.5);
        if (rank == day->contents) until = day->logs;
        counts[rank * factor % day->contents] = until - given;
        given = until;
    }
}

static void write_row(const struct day *day, int64_t content, int64_t member, uint64_t *state)
{
    uint64_t bits = next(state);
    int seconds = (int)(bits % 3600);
    int position = (int)((bits >> 16) % 3600);
    int hour = (int)((bits >> 32) % 24), minute = (int)((bits >> 40) % 60);
    int second = (int)((bits >> 48) % 60);
    const char *status = STATUSES[bits >> 62];
    char separator = day->csv ? ',' : '\t';
    if (day->ads) {
        int64_t advertisement =
            (content * 7 + (int64_t)((bits >> 56) % ADVERTISEMENTS_OF_A_CONTENT)) % ADVERTISEMENTS +
            1;
        printf("%lld%c%lld%c%lld%c%d%c%s%c%s", (long long)member, separator, (long long)content,
               separator, (long long)advertisement, separator, seconds % 60, separator, day->date,
               separator, status);
    } else {
        printf("%lld%c%lld%c%d%c%d%c%s%c%s", (long long)member, separator, (long long)content,
               separator, position, separator, seconds, separator, day->date, separator, status);
    }
    printf("%c%s %02d:%02d:%02d%c%s %02d:%02d:%02d\n", separator, day->date, hour, minute, second,
           separator, day->date, hour, minute, second);
}

/* Members in rising order: one out of each of `count` equal parts of all members. */
static void write_content_rows(const struct day *day, int64_t content, int64_t count)
{
    uint64_t state = day->seed ^ ((uint64_t)content * 0x2545f4914f6cdd1du);
    for (int64_t i = 0; i < count; i++) {
        int64_t low = MEMBERS * i / count, high = MEMBERS * (i + 1) / count;
        int64_t member = 1 + low + (high > low ? below(&state, high - low) : 0);
        write_row(day, content, member, &state);
    }
}

static int write_logs(struct day *day)
{
    int64_t *counts = calloc((size_t)day->contents, sizeof(*counts));
    if (counts == NULL) return 1;
    for (int64_t rank = 1; rank <= day->contents; rank++)
        day->weight_sum += weight(rank);
    count_logs(day, counts);
    if (day->csv)
        puts(day->ads ? "member_id,content_post_id,advertisement_id,playback_position,watched_date,"
                        "streaming_status,created_at,updated_at"
                      : "member_id,content_post_id,last_playback_position,total_playback_time,"
                        "watched_date,streaming_status,created_at,updated_at");
    for (int64_t content = 1; content <= day->contents; content++)
        write_content_rows(day, content, counts[content - 1]);
    free(counts);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int write_contents(int64_t contents)
{
    for (int64_t content = 1; content <= contents; content++)
        printf("%lld\t%lld\tContent %lld\t%lld\n", (long long)content,
               (long long)(1 + content % 5000), (long long)content,
               (long long)(60 + content % 7200));
    return fflush(stdout) == 0 ? 0 : 1;
}

static bool parse(const char *text, int64_t *ret_value)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < 1) return false;
    *ret_value = value;
    return true;
}

static int usage(void)
{
    fputs(
        "usage: generate watch-log|ad-log DATE LOGS CONTENTS SEED [csv]\n"
        "       generate content CONTENTS\n"
        "All numbers are from 1.\n",
        stderr);
    return 2;
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
    int64_t contents = 0, seed = 0;
    if (argc == 3 && strcmp(argv[ARGUMENT_KIND], "content") == 0 && parse(argv[2], &contents))
        return write_contents(contents);
    if (argc < ARGUMENT_FORMAT) return usage();
    struct day day = {
        .date = argv[ARGUMENT_DATE],
        .ads = strcmp(argv[ARGUMENT_KIND], "ad-log") == 0,
        .csv = argc > ARGUMENT_FORMAT && strcmp(argv[ARGUMENT_FORMAT], "csv") == 0,
    };
    if (!day.ads && strcmp(argv[ARGUMENT_KIND], "watch-log") != 0) return usage();
    if (!parse(argv[ARGUMENT_LOGS], &day.logs) || !parse(argv[ARGUMENT_CONTENTS], &day.contents) ||
        !parse(argv[ARGUMENT_SEED], &seed))
        return usage();
    day.seed = (uint64_t)seed;
    return write_logs(&day);
}
