/* settlectl explain: prints an explanation, and fails when the recomputation is not what is
 * stored. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "common/domain/money.h"
#include "common/human.h"
#include "common/utf8.h"

static const char *const kind_titles[EXPLAIN_KINDS] = {"Content", "Advertisement"};
static const char *const kind_names[EXPLAIN_KINDS] = {"content", "advertisement"};

static const char *const json_names[EXPLAIN_KINDS] = {"content_revenue", "ad_revenue"};

static const char *const state_names[] = {
    [EXPLAINED_EQUAL] = "equal",
    [EXPLAINED_DIFFERENT] = "different",
    [EXPLAINED_MISSING] = "missing",
    [EXPLAINED_PARKED] = "parked",
};

static const struct output_column tier_columns[] = {
    {"Views from", "first_view", OUTPUT_COUNT},
    {"to", "last_view", OUTPUT_COUNT},
    {"Price", "price", OUTPUT_MONEY},
    {"Before", "views_before", OUTPUT_COUNT},
    {"Amount before", "amount_before", OUTPUT_MONEY},
    {"Now", "views_now", OUTPUT_COUNT},
    {"Amount now", "amount_now", OUTPUT_MONEY},
    {"Day", "views_of_day", OUTPUT_COUNT},
    {"Amount of day", "amount", OUTPUT_MONEY},
};

static const struct output_column sum_columns[] = {
    {"", "kind", OUTPUT_TEXT},
    {"Total before", "previous_total", OUTPUT_MONEY},
    {"Amount of the day", "amount", OUTPUT_MONEY},
    {"Total now", "total", OUTPUT_MONEY},
    {"Stored amount", "stored_amount", OUTPUT_MONEY},
    {"Stored total", "stored_total", OUTPUT_MONEY},
    {"Equal", "equal", OUTPUT_FLAG},
};

/* One tier: its views are counted from 1, so the tier with lower bound 100000 begins with view
 * 100,001. Products fit: the sum of them did. */
static void add_tier(struct output *output, const struct explanation_kind *kind, int index)
{
    const struct tier *tier = &kind->rates.tiers[index];
    int64_t before = tier_views(&kind->rates, index, kind->views_before);
    int64_t now = tier_views(&kind->rates, index, kind->views_now);
    output_i64(output, tier->min_views + 1);
    if (index + 1 < kind->rates.count) {
        output_i64(output, tier[1].min_views);
    } else {
        output_nothing(output);
    }
    output_i64(output, tier->price_micros);
    output_i64(output, before);
    output_i64(output, before * tier->price_micros);
    output_i64(output, now);
    output_i64(output, now * tier->price_micros);
    output_i64(output, now - before);
    output_i64(output, (now - before) * tier->price_micros);
}

static struct output *new_tier_table(const struct explanation_kind *kind)
{
    struct output *output = output_new(tier_columns, COUNT_OF(tier_columns));
    for (int i = 0; i < kind->rates.count; i++)
        add_tier(output, kind, i);
    output_total(output);
    for (int column = 0; column < 3; column++)
        output_nothing(output);
    output_i64(output, kind->views_before);
    output_i64(output, kind->before_micros);
    output_i64(output, kind->views_now);
    output_i64(output, kind->now_micros);
    output_i64(output, kind->views_now - kind->views_before);
    output_i64(output, kind->amount_micros);
    return output;
}

static bool is_stored(const struct explanation *explanation)
{
    return explanation->state == EXPLAINED_EQUAL || explanation->state == EXPLAINED_DIFFERENT;
}

static void add_sum(struct output *output, const struct explanation *explanation, int index)
{
    const struct explanation_kind *kind = &explanation->kinds[index];
    output_text(output, kind_titles[index]);
    output_i64(output, kind->previous_total_micros);
    output_i64(output, kind->amount_micros);
    output_i64(output, kind->total_micros);
    if (is_stored(explanation)) {
        output_i64(output, kind->stored_amount_micros);
        output_i64(output, kind->stored_total_micros);
        output_flag(output, kind->equal);
    } else {
        for (int i = 0; i < 3; i++)
            output_nothing(output);
    }
}

static struct output *new_sum_table(const struct explanation *explanation)
{
    struct output *output = output_new(sum_columns, COUNT_OF(sum_columns));
    for (int i = 0; i < EXPLAIN_KINDS; i++)
        add_sum(output, explanation, i);
    return output;
}

static void print_head(const struct explanation *explanation)
{
    printf("Content %lld", (long long)explanation->content_id);
    if (explanation->has_post) {
        printf(" \"");
        utf8_print(stdout, explanation->title);
        printf("\" of creator %lld", (long long)explanation->creator_id);
    }
    if (explanation->creator_name[0] != '\0') {
        printf(" (");
        utf8_print(stdout, explanation->creator_name);
        printf(")");
    }
    printf(" on %s", explanation->date);
    if (explanation->job_execution_id > 0) {
        printf(", by execution %lld", (long long)explanation->job_execution_id);
    }
    printf("\n");
    if (explanation->previous_date[0] == '\0') {
        printf("Never settled before: everything counts from 0.\n");
    } else {
        printf("Last settled before on %s.\n", explanation->previous_date);
    }
}

static enum err print_kind(const struct explanation *explanation, int index)
{
    const struct explanation_kind *kind = &explanation->kinds[index];
    if (kind->views_now == 0 && kind->views_before == 0) {
        printf("\n%s: no views up to this day\n", kind_titles[index]);
        return OK;
    }
    printf("\n%s: %s views on the day; %s up to then, %s before\n", kind_titles[index],
           HUMAN_COUNT(kind->views_of_day), HUMAN_COUNT(kind->views_now),
           HUMAN_COUNT(kind->views_before));
    CLEANUP(output_cleanup) struct output *output = new_tier_table(kind);
    return output_print_table(output, stdout);
}

static void print_parked(const struct explanation *explanation)
{
    long long id = (long long)explanation->content_id;
    printf("\nParked, not paid on this day: ");
    utf8_print(stdout, explanation->reason);
    printf("\n");
    if (explanation->paid_on[0] != '\0') {
        printf("Its views were paid on %s; see: settlectl explain --content %lld --date %s\n",
               explanation->paid_on, id, explanation->paid_on);
    } else if (explanation->has_post) {
        printf(
            "Its row in content_post is there now: the next day that is settled pays all its "
            "views.\n");
    } else {
        printf(
            "The platform must add the row of content %lld to content_post, with its creator in "
            "member_id;\nthe next day that is settled then pays all its views.\n",
            id);
    }
}

static enum err print_for_eyes(const struct explanation *explanation)
{
    print_head(explanation);
    for (int i = 0; i < EXPLAIN_KINDS; i++)
        TRY(print_kind(explanation, i));
    printf("\n");
    CLEANUP(output_cleanup) struct output *sums = new_sum_table(explanation);
    TRY(output_print_table(sums, stdout));
    if (explanation->state == EXPLAINED_EQUAL) printf("\nRecomputed and stored are equal.\n");
    if (explanation->state == EXPLAINED_PARKED) print_parked(explanation);
    return OK;
}

static json_t *json_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *json_kind(const struct explanation *explanation, int index)
{
    const struct explanation_kind *kind = &explanation->kinds[index];
    CLEANUP(output_cleanup) struct output *tiers = new_tier_table(kind);
    bool stored = is_stored(explanation);
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "views_of_day",
                     (json_int_t)kind->views_of_day, "views_before", (json_int_t)kind->views_before,
                     "views_now", (json_int_t)kind->views_now, "counted_views",
                     (json_int_t)kind->counted_views, "tiers", output_json_rows(tiers),
                     "amount_micros", (json_int_t)kind->amount_micros, "previous_total_micros",
                     (json_int_t)kind->previous_total_micros, "total_micros",
                     (json_int_t)kind->total_micros, "stored_amount_micros",
                     stored ? json_integer(kind->stored_amount_micros) : json_null(),
                     "stored_total_micros",
                     stored ? json_integer(kind->stored_total_micros) : json_null(), "equal",
                     stored ? json_boolean(kind->equal) : json_null());
}

static enum err print_json(const struct explanation *explanation)
{
    json_t *creator = explanation->has_post || is_stored(explanation)
                          ? json_integer(explanation->creator_id)
                          : json_null();
    json_t *execution = explanation->job_execution_id > 0
                            ? json_integer(explanation->job_execution_id)
                            : json_null();
    json_t *document =
        json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "content",
                  (json_int_t)explanation->content_id, "title", json_or_null(explanation->title),
                  "creator", creator, "date", explanation->date, "previous_date",
                  json_or_null(explanation->previous_date), "execution", execution, "state",
                  state_names[explanation->state], "reason", json_or_null(explanation->reason),
                  "paid_on", json_or_null(explanation->paid_on), json_names[0],
                  json_kind(explanation, 0), json_names[1], json_kind(explanation, 1));
    return output_print_json(document, stdout);
}

static const char *money_in(int64_t micros, char text[MONEY_TEXT])
{
    money_format(micros, 2, text);
    return text;
}
#define MONEY(micros) money_in((micros), (char[MONEY_TEXT]){0})

/* Appends what differs in one kind: views, amount or total. */
static void describe_difference(const struct explanation *explanation, int index,
                                struct detail *detail)
{
    const struct explanation_kind *kind = &explanation->kinds[index];
    size_t used = strlen(detail->text);
    char *rest = detail->text + used;
    size_t size = sizeof(detail->text) - used;
    if (kind->counted_views != kind->views_now) {
        (void)
            text_format(rest, size,
                        "; %s: expected %lld accumulated views (the sum of the days), stored %lld",
                        kind_names[index], (long long)kind->counted_views,
                        (long long)kind->views_now);
    } else if (!kind->equal) {
        (void)text_format(rest, size,
                          "; %s: expected amount %s and total %s, stored amount %s and total %s",
                          kind_names[index], MONEY(kind->amount_micros), MONEY(kind->total_micros),
                          MONEY(kind->stored_amount_micros), MONEY(kind->stored_total_micros));
    }
}

static enum err verdict(const struct explanation *explanation, struct detail *detail)
{
    long long id = (long long)explanation->content_id;
    if (explanation->state == EXPLAINED_MISSING) {
        return detail_set(
            detail, ERR_CHECK_FAILED,
            "content %lld on %s: expected content revenue %s and ad revenue %s, but nothing is "
            "stored although the day is closed; find out who removed the row from settlement",
            id, explanation->date, MONEY(explanation->kinds[0].amount_micros),
            MONEY(explanation->kinds[1].amount_micros));
    }
    if (explanation->state != EXPLAINED_DIFFERENT) return OK;
    (void)detail_set(detail, ERR_CHECK_FAILED, "content %lld on %s is not what is stored", id,
                     explanation->date);
    for (int i = 0; i < EXPLAIN_KINDS; i++)
        describe_difference(explanation, i, detail);
    size_t used = strlen(detail->text);
    (void)text_format(detail->text + used, sizeof(detail->text) - used,
                      "; find out who changed settlement, content_statistics or settlement_rate");
    return ERR_CHECK_FAILED;
}

static enum err explain(struct cli *cli, int argc, char **argv, struct detail *detail)
{
    int64_t content_id = 0;
    struct civil date = {0};
    const struct cli_option options[] = {
        {.name = "--content",
         .number = &content_id,
         .minimum = INT64_MIN,
         .maximum = INT64_MAX,
         .required = true},
        {.name = "--date", .date = &date, .required = true},
    };
    struct cli_arguments arguments = {.options = options, .option_count = COUNT_OF(options)};
    TRY(cli_parse(&arguments, argc, argv, detail));

    CLEANUP(db_cleanup) struct db *db = NULL;
    TRY(cli_open_snapshot(cli, &db, detail));
    CLEANUP(free_pointer) struct explanation *explanation = calloc(1, sizeof(*explanation));
    if (explanation == NULL) return ERR_MEMORY;
    TRY(explain_load(db, content_id, date, explanation, detail));
    TRY(cli->json ? print_json(explanation) : print_for_eyes(explanation));
    return verdict(explanation, detail);
}

int cli_explain(struct cli *cli, int argc, char **argv)
{
    struct detail detail = {{0}};
    enum err err = explain(cli, argc, argv, &detail);
    return err == OK ? CLI_DONE : cli_fail(err, &detail);
}
