/* settlectl report settlement: what was earned in some days, by creator, content or day, with a
 * total. */
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/db/statement.h"
#include "common/domain/money.h"

/* The first column is what is grouped by, the second its name, the third a number of contents;
 * three amounts follow. */
static const char BY_CREATOR_SQL[] =
    "SELECT s.creator_id, m.username, s.contents, s.content_revenue, s.ad_revenue"
    " FROM (SELECT creator_id, COUNT(DISTINCT content_post_id) AS contents,"
    "   SUM(content_revenue_micros) AS content_revenue, SUM(ad_revenue_micros) AS ad_revenue"
    "   FROM settlement WHERE settlement_date BETWEEN ? AND ? GROUP BY creator_id) s"
    " LEFT JOIN member m ON m.member_id = s.creator_id"
    " ORDER BY s.content_revenue + s.ad_revenue DESC, s.creator_id";
static const char BY_CONTENT_SQL[] =
    "SELECT s.content_post_id, p.title, 1, s.content_revenue, s.ad_revenue"
    " FROM (SELECT content_post_id,"
    "   SUM(content_revenue_micros) AS content_revenue, SUM(ad_revenue_micros) AS ad_revenue"
    "   FROM settlement WHERE settlement_date BETWEEN ? AND ? GROUP BY content_post_id) s"
    " LEFT JOIN content_post p ON p.content_post_id = s.content_post_id"
    " ORDER BY s.content_revenue + s.ad_revenue DESC, s.content_post_id";
static const char BY_DAY_SQL[] =
    "SELECT 0, DATE_FORMAT(settlement_date, '%Y-%m-%d'), COUNT(*),"
    " SUM(content_revenue_micros), SUM(ad_revenue_micros)"
    " FROM settlement WHERE settlement_date BETWEEN ? AND ? GROUP BY settlement_date"
    " ORDER BY settlement_date";
static const char CONTENTS_SQL[] =
    "SELECT COUNT(DISTINCT content_post_id) FROM settlement WHERE settlement_date BETWEEN ? AND ?";

static const char SETTLED_DAYS_SQL[] =
    "SELECT COUNT(*) FROM day_close WHERE business_date BETWEEN ? AND ?";
static const char PARKED_SQL[] =
    "SELECT COUNT(DISTINCT content_post_id) FROM parked_content"
    " WHERE settlement_date BETWEEN ? AND ? AND paid_on IS NULL";

static const struct output_column creator_columns[] = {
    {"Creator", "creator", OUTPUT_KEY},
    {"Name", "creator_name", OUTPUT_TEXT},
    {"Contents", "contents", OUTPUT_COUNT},
    {"Content revenue", "content_revenue", OUTPUT_MONEY},
    {"Ad revenue", "ad_revenue", OUTPUT_MONEY},
    {"Total", "total", OUTPUT_MONEY},
};

static const struct output_column content_columns[] = {
    {"Content", "content", OUTPUT_KEY},
    {"Title", "title", OUTPUT_TEXT},
    {"Content revenue", "content_revenue", OUTPUT_MONEY},
    {"Ad revenue", "ad_revenue", OUTPUT_MONEY},
    {"Total", "total", OUTPUT_MONEY},
};

static const struct output_column day_columns[] = {
    {"Day", "date", OUTPUT_TEXT},
    {"Contents", "contents", OUTPUT_COUNT},
    {"Content revenue", "content_revenue", OUTPUT_MONEY},
    {"Ad revenue", "ad_revenue", OUTPUT_MONEY},
    {"Total", "total", OUTPUT_MONEY},
};

/* A way to group: which of the query's first three columns its table shows, and under which name
 * JSON has the rows. */
static const struct grouping {
    const char *name, *rows_name, *sql;
    const struct output_column *columns;
    int column_count;
    bool key, contents;
} groupings[] = {
    {"creator", "creators", BY_CREATOR_SQL, creator_columns, COUNT_OF(creator_columns), true, true},
    {"content", "contents", BY_CONTENT_SQL, content_columns, COUNT_OF(content_columns), true,
     false},
    {"day", "days", BY_DAY_SQL, day_columns, COUNT_OF(day_columns), false, true},
};

struct request {
    const struct grouping *grouping;
    struct civil first, last;
    char from[CIVIL_TEXT], to[CIVIL_TEXT];
};

/* What the report says about its days besides the amounts. */
struct coverage {
    int64_t days, settled_days, parked;
};

static enum err find_grouping(const char *name, const struct grouping **ret_grouping,
                              struct detail *detail)
{
    for (size_t i = 0; i < COUNT_OF(groupings); i++) {
        if (strcmp(groupings[i].name, name) != 0) continue;
        *ret_grouping = &groupings[i];
        return OK;
    }
    return detail_set(detail, ERR_USAGE, "--by %s: it takes creator, content or day", name);
}

/* Either a period and a date in it, or a first and a last day. */
static enum err choose_days(const char *period_text, struct civil date, struct request *request,
                            struct detail *detail)
{
    bool by_date = date.year != 0;
    bool by_range = request->first.year != 0 && request->last.year != 0;
    bool mixed =
        (by_date || period_text != NULL) && (request->first.year != 0 || request->last.year != 0);
    if (mixed || (!by_date && !by_range)) {
        return detail_set(
            detail, ERR_USAGE,
            "report needs either --date D (with --period) or both --from D and --to D; "
            "see: settlectl help report");
    }
    if (by_range) {
        if (civil_compare(request->first, request->last) <= 0) return OK;
        return detail_set(detail, ERR_USAGE, "--from is after --to: exchange them");
    }
    enum period period = PERIOD_DAILY;
    if (period_text != NULL) TRY(cli_read_period(period_text, &period, detail));
    request->first = period_first(period, date);
    request->last = period_last(period, date);
    return OK;
}

static enum err read_request(int argc, char **argv, struct request *request, struct detail *detail)
{
    const char *by = "creator", *period = NULL;
    struct civil date = {0};
    const struct cli_option options[] = {
        {.name = "--by", .text = &by},
        {.name = "--period", .text = &period},
        {.name = "--date", .date = &date},
        {.name = "--from", .date = &request->first},
        {.name = "--to", .date = &request->last},
    };
    struct cli_arguments arguments = {.options = options,
                                      .option_count = COUNT_OF(options),
                                      .word_minimum = 1,
                                      .word_maximum = 1,
                                      .word_names = "what to report: settlement"};
    TRY(cli_parse(&arguments, argc, argv, detail));
    if (strcmp(arguments.words[0], "settlement") != 0) {
        return detail_set(detail, ERR_USAGE, "there is no report %s; there is: settlement",
                          arguments.words[0]);
    }
    TRY(find_grouping(by, &request->grouping, detail));
    TRY(choose_days(period, date, request, detail));
    civil_format(request->first, request->from);
    civil_format(request->last, request->to);
    return OK;
}

/* A line's amounts: content and advertisement, and their sum, which must fit like everything
 * else. */
static enum err add_amounts(struct output *output, int64_t content_micros, int64_t ad_micros)
{
    int64_t sum_micros = 0;
    TRY(money_add(content_micros, ad_micros, &sum_micros));
    output_i64(output, content_micros);
    output_i64(output, ad_micros);
    output_i64(output, sum_micros);
    return OK;
}

static void add_name(struct output *output, const struct statement *rows)
{
    if (statement_is_null(rows, 1)) {
        output_nothing(output);
    } else {
        output_text(output, statement_text(rows, 1));
    }
}

static enum err add_total(struct output *output, const struct grouping *grouping, int64_t contents,
                          const int64_t totals[2])
{
    output_total(output);
    if (grouping->key) output_nothing(output);
    output_text(output, "total");
    if (grouping->contents) output_i64(output, contents);
    return add_amounts(output, totals[0], totals[1]);
}

static enum err fill(struct db *db, const struct request *request, struct output *output)
{
    const struct grouping *grouping = request->grouping;
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    TRY(db_query(db, &rows, grouping->sql, "ss", request->from, request->to));
    int64_t totals[2] = {0, 0};
    for (;;) {
        bool found = false;
        TRY(statement_fetch(rows, &found));
        if (!found) break;
        int64_t content_micros = statement_i64(rows, 3), ad_micros = statement_i64(rows, 4);
        if (grouping->key) output_i64(output, statement_i64(rows, 0));
        add_name(output, rows);
        if (grouping->contents) output_i64(output, statement_i64(rows, 2));
        TRY(add_amounts(output, content_micros, ad_micros));
        TRY(money_add(totals[0], content_micros, &totals[0]));
        TRY(money_add(totals[1], ad_micros, &totals[1]));
    }
    int64_t contents = 0;
    TRY(db_query_i64(db, &contents, 0, CONTENTS_SQL, "ss", request->from, request->to));
    return add_total(output, grouping, contents, totals);
}

static enum err read_coverage(struct db *db, const struct request *request,
                              struct coverage *ret_coverage)
{
    struct coverage coverage = {0};
    coverage.days = civil_to_days(request->last) - civil_to_days(request->first) + 1;
    TRY(db_query_i64(db, &coverage.settled_days, 0, SETTLED_DAYS_SQL, "ss", request->from,
                     request->to));
    TRY(db_query_i64(db, &coverage.parked, 0, PARKED_SQL, "ss", request->from, request->to));
    *ret_coverage = coverage;
    return OK;
}

/* Notes go to stderr, so that a redirected report holds nothing but its rows. */
static void print_notes(const struct request *request, const struct coverage *coverage)
{
    if (coverage->settled_days < coverage->days) {
        fprintf(stderr, "note: %lld of %lld days from %s to %s are settled\n",
                (long long)coverage->settled_days, (long long)coverage->days, request->from,
                request->to);
    }
    if (coverage->parked > 0) {
        fprintf(stderr,
                "note: contents with views in these days that are not paid, because content_post "
                "has no row for them: %lld (table parked_content lists them)\n",
                (long long)coverage->parked);
    }
}

static enum err print(const struct cli *cli, const struct request *request,
                      const struct coverage *coverage, const struct output *output)
{
    json_t *head =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "by", request->grouping->name, "from",
                  request->from, "to", request->to, "days_in_range", (json_int_t)coverage->days,
                  "settled_days", (json_int_t)coverage->settled_days, "parked_contents",
                  (json_int_t)coverage->parked);
    if (cli->format == CLI_FORMAT_TABLE && output_rows(output) > 0) {
        printf("Settlement from %s to %s\n\n", request->from, request->to);
    }
    return output_print_list(output, cli->format, head, request->grouping->rows_name);
}

static enum err report(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    struct request request = {0};
    TRY(read_request(argc, argv, &request, detail));
    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));

    CLEANUP(output_cleanup)
    struct output *output = output_new(request.grouping->columns, request.grouping->column_count);
    struct coverage coverage = {0};
    enum err err = fill(db, &request, output);
    if (err == OK) err = read_coverage(db, &request, &coverage);
    if (err == ERR_OVERFLOW) {
        return detail_set(detail, err,
                          "the sum from %s to %s does not fit 64 bits of micros; report fewer days",
                          request.from, request.to);
    }
    if (err != OK) return cli_db_failed(db, err, "reading the settlement", detail);
    print_notes(&request, &coverage);
    if (output_rows(output) == 0) {
        fprintf(stderr, "nothing was earned from %s to %s\n", request.from, request.to);
    }
    return print(cli, &request, &coverage, output);
}

int cli_report(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = report(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
