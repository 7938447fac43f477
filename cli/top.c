/* settlectl top: the contents with the most of something in a period. */
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/db/statement.h"
#include "common/domain/period.h"

#define TOP_SELECT(measure)                                                                        \
    "SELECT s.content_post_id, p.title, p.member_id, m.username, s.view_count, s.watch_time,"      \
    " s.ad_view_count FROM (SELECT content_post_id, view_count, watch_time, ad_view_count"         \
    "   FROM content_statistics WHERE period = ? AND statistics_date = ?"                          \
    "   ORDER BY " measure                                                                         \
    " DESC, content_post_id LIMIT ?) s"                                                            \
    " LEFT JOIN content_post p ON p.content_post_id = s.content_post_id"                           \
    " LEFT JOIN member m ON m.member_id = p.member_id"                                             \
    " ORDER BY s." measure " DESC, s.content_post_id"

static const char TOP_VIEWS_SQL[] = TOP_SELECT("view_count");
static const char TOP_WATCH_TIME_SQL[] = TOP_SELECT("watch_time");
static const char TOP_AD_VIEWS_SQL[] = TOP_SELECT("ad_view_count");

static const struct measure {
    const char *name, *sql;
} measures[] = {
    {"views", TOP_VIEWS_SQL},
    {"watch-time", TOP_WATCH_TIME_SQL},
    {"ad-views", TOP_AD_VIEWS_SQL},
};

static const struct output_column columns[] = {
    {"#", "rank", OUTPUT_KEY},
    {"Content", "content", OUTPUT_KEY},
    {"Title", "title", OUTPUT_TEXT},
    {"Creator", "creator", OUTPUT_KEY},
    {"Name", "creator_name", OUTPUT_TEXT},
    {"Views", "views", OUTPUT_COUNT},
    {"Watch time", "watch_time", OUTPUT_SECONDS},
    {"Ad views", "ad_views", OUTPUT_COUNT},
};

struct request {
    const struct measure *measure;
    enum period period;
    char first[CIVIL_TEXT], last[CIVIL_TEXT];
    int64_t limit;
};

static enum err find_measure(const char *name, const struct measure **ret_measure,
                             struct detail *detail)
{
    for (size_t i = 0; i < COUNT_OF(measures); i++) {
        if (strcmp(measures[i].name, name) != 0) continue;
        *ret_measure = &measures[i];
        return OK;
    }
    return detail_set(detail, ERR_USAGE, "--by %s: it takes views, watch-time or ad-views", name);
}

static enum err read_request(int argc, char **argv, struct request *request, struct detail *detail)
{
    const char *by = NULL, *period = NULL;
    struct civil date = {0};
    request->limit = 10;
    const struct cli_option options[] = {
        {.name = "--by", .text = &by, .required = true},
        {.name = "--period", .text = &period, .required = true},
        {.name = "--date", .date = &date, .required = true},
        {.name = "--limit", .number = &request->limit, .minimum = 1, .maximum = 10000},
    };
    struct cli_arguments arguments = {.options = options, .option_count = COUNT_OF(options)};
    TRY(cli_parse(&arguments, argc, argv, detail));
    TRY(find_measure(by, &request->measure, detail));
    TRY(cli_read_period(period, &request->period, detail));
    civil_format(period_first(request->period, date), request->first);
    civil_format(period_last(request->period, date), request->last);
    return OK;
}

static void add_text_or_nothing(struct output *output, const struct statement *rows, int column)
{
    if (statement_is_null(rows, column)) {
        output_nothing(output);
    } else {
        output_text(output, statement_text(rows, column));
    }
}

static void add_row(struct output *output, const struct statement *rows, int64_t rank)
{
    output_i64(output, rank);
    output_i64(output, statement_i64(rows, 0));
    add_text_or_nothing(output, rows, 1);
    if (statement_is_null(rows, 2)) {
        output_nothing(output);
    } else {
        output_i64(output, statement_i64(rows, 2));
    }
    add_text_or_nothing(output, rows, 3);
    for (int column = 4; column <= 6; column++)
        output_i64(output, statement_i64(rows, column));
}

static enum err fill(struct db *db, const struct request *request, struct output *output)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, request->measure->sql, "ssi", period_name(request->period),
                 request->first, request->limit));
    for (int64_t rank = 1;; rank++) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) return OK;
        add_row(output, rows, rank);
    }
}

static enum err top(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct request request = {0};
    TRY(read_request(argc, argv, &request, detail));
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));

    CLEANUP(output_cleanup) struct output *output = output_new(columns, COUNT_OF(columns));
    enum err err = fill(db, &request, output);
    if (err != OK) return cli_db_failed(db, err, "reading the statistics", detail);
    if (output_rows(output) == 0) {
        fprintf(stderr, "no statistics from %s to %s; `settlectl status` shows what is settled\n",
                request.first, request.last);
    }
    json_t *head =
        json_pack("{s:s, s:s, s:s, s:s}", "by", request.measure->name, "period",
                  period_name(request.period), "from", request.first, "to", request.last);
    return output_print_list(output, cli->format, head, "contents");
}

int cli_top(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = top(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
