#include "common/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/human.h"

enum {
    WIDTH_DEFAULT = 80,
    WIDTH_MAXIMUM = 240,
    BAR_MINIMUM = 10,
    BAR_MAXIMUM = 40,
    LINE_MAXIMUM = 512
};

/* What a line says besides the bar; empty parts are left out. */
struct parts {
    char percent[8], count[3 * HUMAN_TEXT], rate[HUMAN_TEXT + 4], time[HUMAN_TEXT + 16];
};

static int64_t now_us(const struct progress *progress)
{
    return clock_monotonic_us(progress->clock);
}

/* Copies a text for a line: control characters would break the redrawing. */
static void copy_plain(char *ret_text, size_t size, const char *text)
{
    size_t i = 0;
    for (; text[i] != '\0' && i + 1 < size; i++) {
        unsigned char c = (unsigned char)text[i];
        ret_text[i] = text[i];
        if (c < 0x20 || c == 0x7f) ret_text[i] = '?';
    }
    while (i > 0 && text[i] != '\0' && ((unsigned char)text[i] & 0xc0) == 0x80)
        i--;
    ret_text[i] = '\0';
}

void progress_init(struct progress *progress, FILE *file, const struct clock *clock, bool quiet)
{
    memset(progress, 0, sizeof(*progress));
    progress->file = file;
    progress->clock = clock;
    progress->quiet = quiet;
    int fd = fileno(file);
    const char *term = getenv("TERM");
    bool dumb = term != NULL && strcmp(term, "dumb") == 0;
    progress->terminal = fd >= 0 && isatty(fd) == 1 && !dumb;
}

static int line_width(const struct progress *progress)
{
    if (progress->width > 0) return progress->width;
    struct winsize size = {0};
    if (ioctl(fileno(progress->file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col < WIDTH_MAXIMUM ? size.ws_col : WIDTH_MAXIMUM;
    }
    return WIDTH_DEFAULT;
}

static void add_sample(struct progress *progress, int64_t at_us)
{
    progress->samples[progress->sample_next] =
        (struct progress_sample){.at_us = at_us, .done = progress->done};
    progress->sample_next = (progress->sample_next + 1) % PROGRESS_SAMPLES;
    if (progress->sample_count < PROGRESS_SAMPLES) progress->sample_count++;
}

static struct progress_sample oldest_sample(const struct progress *progress)
{
    int index = progress->sample_next - progress->sample_count;
    return progress->samples[(index + PROGRESS_SAMPLES) % PROGRESS_SAMPLES];
}

/* Items a second; 128 bits, for a product of two large figures. */
static int64_t rate_of(int64_t done, int64_t us)
{
    if (us <= 0 || done <= 0) return 0;
    __int128 rate = (__int128)done * 1000000 / us;
    return rate > INT64_MAX ? INT64_MAX : (int64_t)rate;
}

static int64_t recent_rate(const struct progress *progress, int64_t at_us)
{
    struct progress_sample oldest = oldest_sample(progress);
    return rate_of(progress->done - oldest.done, at_us - oldest.at_us);
}

static int64_t average_rate(const struct progress *progress, int64_t at_us)
{
    return rate_of(progress->done - progress->inherited, at_us - progress->began_us);
}

static int percent_of(const struct progress *progress)
{
    if (progress->total <= 0) return 0;
    return (int)((__int128)progress->done * 100 / progress->total);
}

static void describe_count(const struct progress *progress, bool ended, char *ret_text, size_t size)
{
    if (ended || progress->total <= 0) {
        (void)text_format(ret_text, size, "%s %s", HUMAN_COUNT(progress->done), progress->unit);
    } else {
        (void)text_format(ret_text, size, "%s/%s %s", HUMAN_COUNT(progress->done),
                          HUMAN_COUNT(progress->total), progress->unit);
    }
}

static void describe_rate(int64_t rate, char *ret_text, size_t size)
{
    (void)text_format(ret_text, size, "%s/s", HUMAN_COUNT(rate));
}

static void describe_time_left(const struct progress *progress, int64_t rate, char *ret_text,
                               size_t size)
{
    ret_text[0] = '\0';
    if (rate <= 0 || progress->total <= progress->done) return;
    int64_t seconds = (progress->total - progress->done) / rate;
    if (seconds >= INT64_C(100) * 3600) return; /* nobody believes it */
    int64_t hours = seconds / 3600, minutes = seconds / 60 % 60;
    if (hours > 0) {
        (void)text_format(ret_text, size, "%d:%02d:%02d left", (int)hours, (int)minutes,
                          (int)(seconds % 60));
    } else {
        (void)text_format(ret_text, size, "%d:%02d left", (int)minutes, (int)(seconds % 60));
    }
}

static void describe_running(const struct progress *progress, int64_t at_us,
                             struct parts *ret_parts)
{
    *ret_parts = (struct parts){0};
    int64_t rate = recent_rate(progress, at_us);
    if (progress->total > 0) {
        (void)text_format(ret_parts->percent, sizeof(ret_parts->percent), "%3d %%",
                          percent_of(progress));
    }
    describe_count(progress, false, ret_parts->count, sizeof(ret_parts->count));
    describe_rate(rate, ret_parts->rate, sizeof(ret_parts->rate));
    describe_time_left(progress, rate, ret_parts->time, sizeof(ret_parts->time));
}

/* `why` is NULL for a bar that came to its end. */
static void describe_ended(const struct progress *progress, int64_t at_us, const char *why,
                           struct parts *ret_parts)
{
    *ret_parts = (struct parts){0};
    if (why == NULL) {
        (void)text_format(ret_parts->percent, sizeof(ret_parts->percent), "100 %%");
    } else if (progress->total > 0) {
        (void)text_format(ret_parts->percent, sizeof(ret_parts->percent), "%3d %%",
                          percent_of(progress));
    }
    describe_count(progress, why == NULL, ret_parts->count, sizeof(ret_parts->count));
    describe_rate(average_rate(progress, at_us), ret_parts->rate, sizeof(ret_parts->rate));
    const char *took = HUMAN_DURATION(at_us - progress->began_us);
    if (why == NULL) {
        (void)text_format(ret_parts->time, sizeof(ret_parts->time), "%s", took);
    } else {
        (void)text_format(ret_parts->time, sizeof(ret_parts->time), "%s, %.16s", took, why);
    }
}

/* Appends "  text" when it is not empty and the line stays within `width`. */
static void append(char line[LINE_MAXIMUM], int width, const char *text)
{
    size_t used = strlen(line), more = strlen(text);
    const char *gap = used == 0 ? "" : "  ";
    size_t limit = (size_t)width < LINE_MAXIMUM - 1 ? (size_t)width : LINE_MAXIMUM - 1;
    if (more == 0 || used + strlen(gap) + more > limit) return;
    (void)text_format(line + used, LINE_MAXIMUM - used, "%s%s", gap, text);
}

static void append_cut(char line[LINE_MAXIMUM], int width, const char *text)
{
    char cut[PROGRESS_LABEL];
    size_t size = width + 1 < PROGRESS_LABEL ? (size_t)width + 1 : PROGRESS_LABEL;
    copy_plain(cut, size, text);
    append(line, width, cut);
}

/* The bar takes what the words leave, within bounds; no bar where the total is not known or too
 * little is left. */
static void draw_bar(const struct progress *progress, int room, bool full,
                     char ret_bar[BAR_MAXIMUM + 3])
{
    int cells = room - 2 < BAR_MAXIMUM ? room - 2 : BAR_MAXIMUM;
    ret_bar[0] = '\0';
    if (cells < BAR_MINIMUM || (progress->total <= 0 && !full)) return;
    int filled = full ? cells : (int)((__int128)progress->done * cells / progress->total);
    ret_bar[0] = '[';
    for (int i = 0; i < cells; i++)
        ret_bar[1 + i] = i < filled ? '#' : '-';
    ret_bar[cells + 1] = ']';
    ret_bar[cells + 2] = '\0';
}

static void compose(const struct progress *progress, const struct parts *parts, bool full,
                    char ret_line[LINE_MAXIMUM])
{
    int width = line_width(progress) - 1; /* the last column makes some terminals wrap */
    size_t words = strlen(progress->label) + strlen(parts->percent) + strlen(parts->count) +
                   strlen(parts->rate) + strlen(parts->time) + 10;
    char bar[BAR_MAXIMUM + 3];
    draw_bar(progress, width - (int)words, full, bar);

    ret_line[0] = '\0';
    append_cut(ret_line, width, progress->label);
    append(ret_line, width, bar);
    append(ret_line, width, parts->percent);
    append(ret_line, width, parts->count);
    append(ret_line, width, parts->rate);
    append(ret_line, width, parts->time);
}

static void show_on_terminal(struct progress *progress, const struct parts *parts, bool full,
                             const char *end)
{
    char line[LINE_MAXIMUM];
    compose(progress, parts, full, line);
    fprintf(progress->file, "\r%s\033[K%s", line, end);
    fflush(progress->file);
    progress->drawn = *end == '\0';
}

static void show_on_pipe(struct progress *progress, const struct parts *parts)
{
    char line[LINE_MAXIMUM] = "";
    const char *percent = parts->percent;
    while (*percent == ' ')
        percent++;
    append_cut(line, LINE_MAXIMUM - 1, progress->label);
    append(line, LINE_MAXIMUM - 1, percent);
    append(line, LINE_MAXIMUM - 1, parts->count);
    append(line, LINE_MAXIMUM - 1, parts->rate);
    append(line, LINE_MAXIMUM - 1, parts->time);
    fprintf(progress->file, "%s\n", line);
    fflush(progress->file);
}

static void show_running(struct progress *progress, int64_t at_us)
{
    struct parts parts;
    describe_running(progress, at_us, &parts);
    progress->shown_us = at_us;
    if (progress->terminal) {
        show_on_terminal(progress, &parts, false, "");
    } else {
        show_on_pipe(progress, &parts);
    }
}

/* Closes the bar; `why` is NULL when it is complete. */
static void close_bar(struct progress *progress, const char *why)
{
    progress->open = false;
    if (progress->quiet) return;
    struct parts parts;
    describe_ended(progress, now_us(progress), why, &parts);
    if (progress->terminal) {
        show_on_terminal(progress, &parts, why == NULL, "\n");
    } else {
        show_on_pipe(progress, &parts);
    }
}

void progress_begin(struct progress *progress, const char *label, int64_t total, const char *unit)
{
    if (progress->open) close_bar(progress, "not finished");
    copy_plain(progress->label, sizeof(progress->label), label);
    copy_plain(progress->unit, sizeof(progress->unit), unit);
    progress->total = max_i64(total, 0);
    progress->done = progress->inherited = 0;
    progress->began_us = progress->shown_us = now_us(progress);
    progress->sample_count = progress->sample_next = 0;
    add_sample(progress, progress->began_us);
    progress->open = true;
    if (progress->terminal && !progress->quiet) show_running(progress, progress->began_us);
}

/* Takes over what is done; the total grows with it where it was too low. */
static void set_done(struct progress *progress, int64_t done)
{
    progress->done = max_i64(progress->done, done);
    if (progress->total > 0) progress->total = max_i64(progress->total, progress->done);
}

void progress_inherit(struct progress *progress, int64_t done)
{
    ASSERT(progress->open);
    set_done(progress, done);
    progress->inherited = progress->done;
    progress->sample_count = progress->sample_next = 0;
    add_sample(progress, now_us(progress));
}

void progress_set_total(struct progress *progress, int64_t total)
{
    ASSERT(progress->open);
    progress->total = max_i64(total, progress->done);
}

void progress_update(struct progress *progress, int64_t done)
{
    ASSERT(progress->open);
    set_done(progress, done);
    if (progress->quiet) return;

    int64_t at_us = now_us(progress);
    int newest = (progress->sample_next + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES;
    bool due = at_us - progress->samples[newest].at_us >= PROGRESS_SAMPLE_US;
    int64_t pause_us = progress->terminal ? PROGRESS_DRAW_US : PROGRESS_LINE_US;
    if (at_us - progress->shown_us >= pause_us) show_running(progress, at_us);
    if (due) add_sample(progress, at_us);
}

void progress_end(struct progress *progress, int64_t done)
{
    ASSERT(progress->open);
    set_done(progress, done);
    progress->total = progress->done;
    close_bar(progress, NULL);
}

void progress_break(struct progress *progress, const char *why)
{
    if (progress->open) close_bar(progress, why);
}

void progress_drop(struct progress *progress)
{
    progress_clear(progress);
    progress->open = false;
}

void progress_clear(struct progress *progress)
{
    if (!progress->drawn) return;
    fprintf(progress->file, "\r\033[K");
    fflush(progress->file);
    progress->drawn = false;
    progress->shown_us -= PROGRESS_DRAW_US;
}
