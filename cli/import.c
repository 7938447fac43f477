#include "cli/import.h"

#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import_load.h"
#include "cli/output.h"
#include "common/human.h"
#include "common/progress.h"
#include "common/server_check.h"
#include "common/utf8.h"

enum {
    HASH_BYTES = 256 * 1024,
    HASH_BAR_BYTES = 256 * 1024 * 1024 /* what is smaller is read before a bar could be seen */
};

struct import {
    struct cli *cli;
    const struct import_kind *kind;
    const char *path;
    int64_t max_rejects;
    struct import_file file;
    char hash[IMPORT_HASH];
    struct import_layout layout;
    struct import_reject reject;
    struct import_load load;
    struct progress progress;
    int64_t began_us;
    int64_t records;    /* read so far, good and bad */
    bool checked_whole; /* the file was read to its end, so that there is something to report */
};

static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

/* The first signal lets the batch end and rolls back; a second one ends the process, and then the
 * server rolls back. A file size limit is to be an error that can be reported, like a full disk. */
static void watch_signals(void)
{
    stop_signal = 0;
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGXFSZ, SIG_IGN);
}

static enum err check_stop(const struct import *import, struct detail *detail)
{
    if (stop_signal == 0) return OK;
    return detail_set(detail, ERR_STOPPED, "%s: interrupted; nothing was loaded", import->path);
}

/* The first pass: what the file is, to be recognised again. */
static enum err hash_file(struct import *import, struct detail *detail)
{
    CLEANUP(free_pointer) char *buffer = malloc(HASH_BYTES);
    if (buffer == NULL) return detail_set(detail, ERR_MEMORY, "out of memory");
    TRY(import_file_rewind(&import->file));
    if (import->file.size >= HASH_BAR_BYTES)
        progress_begin(&import->progress, "looking the file over", import->file.size, "bytes");
    int64_t done = 0;
    size_t length = 0;
    do {
        TRY(import_file_read(&import->file, buffer, HASH_BYTES, &length));
        done += (int64_t)length;
        if (import->progress.open) progress_update(&import->progress, done);
        TRY(check_stop(import, detail));
    } while (length > 0);
    if (import->progress.open) progress_end(&import->progress, done);
    return import_file_hash(&import->file, import->hash);
}

/* A long stretch of the file may give nothing to insert: the session is kept while it is read. */
static enum err read_and_keep(void *context, void *buffer, size_t size, size_t *ret_length)
{
    struct import *import = context;
    TRY(import_file_read(&import->file, buffer, size, ret_length));
    return import_load_keep(&import->load, &import->file.detail);
}

/* How many records the file has is only known at its end; their length so far tells well enough. */
static void show_progress(struct import *import, const struct import_batch *batch)
{
    import->records += batch->rows + batch->reject_count;
    if (import->records > 0) {
        int64_t record_bytes = max_i64(batch->end_offset / import->records, 1);
        progress_set_total(&import->progress, import->file.size / record_bytes);
    }
    progress_update(&import->progress, import->records);
}

static enum err load_batches(struct import *import, struct csv_reader *reader,
                             struct detail *detail)
{
    CLEANUP(import_batch_cleanup) struct import_batch *batch = NULL;
    TRY(import_batch_new(&import->layout, &batch));
    do {
        TRY(import_batch_fill(batch, reader));
        TRY(import_load_batch(&import->load, batch, detail));
        show_progress(import, batch);
        TRY(check_stop(import, detail));
    } while (!batch->last);
    return OK;
}

/* What was loaded is what was looked up by its hash, or somebody is still writing to the file. */
static enum err check_unchanged(struct import *import, struct detail *detail)
{
    char hash[IMPORT_HASH];
    TRY(import_file_hash(&import->file, hash));
    if (strcmp(hash, import->hash) == 0) return OK;
    return detail_set(detail, ERR_INVALID,
                      "%s: the file changed while it was read; nothing was loaded, import it again "
                      "when it is complete",
                      import->path);
}

static enum err refuse_rejects(const struct import *import, struct detail *detail)
{
    const struct import_reject *reject = &import->reject;
    return detail_set(
        detail, ERR_INVALID,
        "%s: %s of %s rows rejected, --max-rejects allows %s; nothing was loaded. Reasons: "
        "%.200s, rows: %.200s. Mend them in the file and import it again",
        import->path, HUMAN_COUNT(reject->count), HUMAN_COUNT(import->records),
        HUMAN_COUNT(import->max_rejects), reject->reasons.path, reject->rows.path);
}

/* The reject files come first: they can fail, and then nothing must have been loaded. */
static enum err conclude(struct import *import, struct detail *detail)
{
    TRY(check_unchanged(import, detail));
    import->checked_whole = true;
    TRY(import_reject_publish(&import->reject, detail));
    if (import->reject.count > import->max_rejects) return refuse_rejects(import, detail);
    TRY(check_stop(import, detail));
    /* Nothing to load: not worth remembering, a day without rows may look like the one before. */
    if (import->load.rows_loaded > 0) TRY(import_load_commit(&import->load, detail));
    if (import->reject.count == 0 && import_reject_remove_old(&import->reject, detail) != OK)
        fprintf(stderr, "settlectl: %s\n", detail->text);
    return OK;
}

static enum err read_header(struct import *import, struct csv_reader *reader, struct detail *detail)
{
    struct csv_record header;
    struct detail words = {0};
    bool more = false;
    enum err err = csv_reader_next(reader, &header, &more);
    if (err != OK) return err;
    if (!more)
        return detail_set(detail, ERR_INVALID,
                          "%s: has blank lines only; the first line has to name the columns",
                          import->path);
    err = import_layout_read(import->kind, &header, &import->layout, &words);
    if (err != OK)
        return detail_set(detail, err, "%s: line %" PRId64 ": %.800s; nothing was loaded",
                          import->path, header.line, words.text);
    import->reject.header = (struct import_place){header.line, header.offset, header.length};
    return OK;
}

static enum err load_file(struct import *import, struct db *db, struct detail *detail)
{
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    TRY(import_file_rewind(&import->file));
    TRY(csv_reader_new(read_and_keep, import, &reader));
    TRY(read_header(import, reader, detail));

    import->load = (struct import_load){.db = db,
                                        .layout = &import->layout,
                                        .reject = &import->reject,
                                        .path = import->path,
                                        .hash = import->hash,
                                        .idle_s = CLI_IDLE_S};
    TRY(import_load_begin(&import->load, detail));
    progress_begin(&import->progress, import->kind->name, 0, "rows");
    TRY(load_batches(import, reader, detail));
    progress_end(&import->progress, import->records);
    return conclude(import, detail);
}

static enum err run(struct import *import, struct detail *detail)
{
    TRY(import_file_open(import->path, &import->file, detail));
    TRY(import_reject_init(&import->reject, &import->file, detail));
    enum err err = hash_file(import, detail);
    if (err != OK) return err;

    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_db_to_write(import->cli, &db, detail));
    TRY(server_check(db, &import->cli->config.database, detail));
    TRY(import_load_refuse_known(db, import->kind, import->hash, import->path, detail));
    err = load_file(import, db, detail);
    if (err != OK && import->progress.open)
        progress_break(&import->progress, err == ERR_STOPPED ? "interrupted" : "failed");
    import_load_end(&import->load);
    return err;
}

static json_t *text_or_null(const struct import *import, const char *path)
{
    return import->reject.count > 0 ? output_json_text(path) : json_null();
}

static void print_json(const struct import *import, int64_t rows_loaded, int64_t us)
{
    json_t *document =
        json_pack("{s:s, s:o, s:s, s:I, s:I, s:o, s:o, s:s, s:f}", "kind", import->kind->name,
                  "file", output_json_text(import->path), "table", import->kind->table,
                  "rows_loaded", (json_int_t)rows_loaded, "rows_rejected",
                  (json_int_t)import->reject.count, "rejected_csv",
                  text_or_null(import, import->reject.rows.path), "rejected_log",
                  text_or_null(import, import->reject.reasons.path), "sha256", import->hash,
                  "seconds", (double)us / 1e6);
    if (output_print_json(document, stdout) != OK)
        fprintf(stderr, "settlectl: the result could not be printed\n");
}

static void print_words(const struct import *import, int64_t us)
{
    int64_t rows = import->load.rows_loaded;
    const struct import_reject *reject = &import->reject;
    printf("%s: %s rows loaded, %s rejected, %s, %s rows/s\n", import->kind->name,
           HUMAN_COUNT(rows), HUMAN_COUNT(reject->count), HUMAN_DURATION(us),
           HUMAN_COUNT(rows * 1000000 / max_i64(us, 1)));
    if (reject->count == 0) return;
    fputs("Reasons: ", stdout);
    utf8_print(stdout, reject->reasons.path);
    fputs(". Rows: ", stdout);
    utf8_print(stdout, reject->rows.path);
    fputs("; mend them there and import that file.\n", stdout);
}

static int report(const struct import *import, enum err err, const struct detail *detail)
{
    int64_t us = clock_monotonic_us(&clock_system) - import->began_us;
    if (import->cli->json && import->checked_whole)
        print_json(import, err == OK ? import->load.rows_loaded : 0, us);
    else if (err == OK)
        print_words(import, us);
    return err == OK ? CLI_DONE : cli_fail(err, detail);
}

static enum err read_arguments(struct import *import, int argc, char **argv, struct detail *detail)
{
    struct cli_option options[] = {{.name = "--max-rejects",
                                    .number = &import->max_rejects,
                                    .minimum = 0,
                                    .maximum = INT64_MAX}};
    struct cli_arguments arguments = {.options = options,
                                      .option_count = COUNT_OF(options),
                                      .word_minimum = 2,
                                      .word_maximum = 2,
                                      .word_names = "KIND FILE.csv"};
    TRY(cli_parse(&arguments, argc, argv, detail));
    import->path = arguments.words[1];
    import->kind = import_kind_find(arguments.words[0]);
    if (import->kind != NULL) return OK;
    return detail_set(detail, ERR_USAGE, "import: '%s' is no kind of file; the kinds are: %s",
                      arguments.words[0], import_kind_names());
}

int cli_import(struct cli *cli, int argc, char **argv)
{
    CLEANUP(free_pointer) struct import *import = calloc(1, sizeof(*import));
    struct detail detail = {0};
    if (import == NULL) return cli_fail(ERR_MEMORY, NULL);
    import->cli = cli;
    import->began_us = clock_monotonic_us(&clock_system);
    enum err err = read_arguments(import, argc, argv, &detail);
    if (err != OK) return cli_fail(err, &detail);

    watch_signals();
    progress_init(&import->progress, stderr, &clock_system, cli->json);
    err = run(import, &detail);
    /* The file says what went wrong with it where nobody else did. */
    if (err != OK && detail.text[0] == '\0') detail = import->file.detail;
    import_reject_discard(&import->reject);
    int code = report(import, err, &detail);
    import_file_close(&import->file);
    return code;
}
