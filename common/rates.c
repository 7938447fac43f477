#include "common/rates.h"

#include "common/db/statement.h"

static const char RATES_SQL[] =
    "SELECT min_views, price_micros, DATE_FORMAT(applied_from, '%Y-%m-%d'),"
    " COALESCE(DATE_FORMAT(applied_until, '%Y-%m-%d'), 'further notice')"
    " FROM settlement_rate"
    " WHERE settlement_type = ? AND applied_from <= ?"
    " AND (applied_until IS NULL OR applied_until > ?)"
    " ORDER BY min_views, applied_from";

static const char *const type_names[] = {
    [RATE_CONTENT] = "CONTENT",
    [RATE_ADVERTISEMENT] = "ADVERTISEMENT",
};

/* A row of settlement_rate as far as messages about it go. */
struct rate_row {
    struct tier tier;
    char from[16], until[16];
};

const char *rate_type_name(enum rate_type type)
{
    ASSERT((size_t)type < COUNT_OF(type_names));
    return type_names[type];
}

static enum err failed(struct db *db, enum err err, enum rate_type type, struct detail *detail)
{
    return detail_set(detail, err, "reading the %s rates: %s", rate_type_name(type),
                      db_message(db));
}

static enum err overlap(const struct rate_row *a, const struct rate_row *b, enum rate_type type,
                        const char *date, struct detail *detail)
{
    return detail_set(
        detail, ERR_INVALID,
        "two %s rates for views from %lld are in force on %s: the one applied from %s until %s and "
        "the one applied from %s until %s; give the older one an applied_until in settlement_rate",
        rate_type_name(type), (long long)b->tier.min_views, date, a->from, a->until, b->from,
        b->until);
}

static void read_row(const struct statement *rows, struct rate_row *ret_row)
{
    ret_row->tier.min_views = statement_i64(rows, 0);
    ret_row->tier.price_micros = statement_i64(rows, 1);
    (void)text_format(ret_row->from, sizeof(ret_row->from), "%s", statement_text(rows, 2));
    (void)text_format(ret_row->until, sizeof(ret_row->until), "%s", statement_text(rows, 3));
}

/* Adds one row; what the tier table itself refuses is told with type, date and row. */
static enum err add_row(struct tier_table *table, const struct rate_row *row, enum rate_type type,
                        const char *date, struct detail *detail)
{
    if (table->count == 0 && row->tier.min_views != 0) {
        return detail_set(
            detail, ERR_INVALID,
            "the %s rates in force on %s have a gap: the lowest one begins at %lld views (applied "
            "from %s), none at 0; add a row with min_views 0 to settlement_rate",
            rate_type_name(type), date, (long long)row->tier.min_views, row->from);
    }
    struct detail why = {{0}};
    enum err err = tier_table_add(table, row->tier, &why);
    if (err == OK) return OK;
    return detail_set(detail, err,
                      "%s rate from %lld views, applied from %s, in force on %s: %.500s",
                      rate_type_name(type), (long long)row->tier.min_views, row->from, date,
                      why.text);
}

enum err rates_load(struct db *db, enum rate_type type, const char *date,
                    struct tier_table *ret_table, struct detail *detail)
{
    CLEANUP(statement_cleanup) struct statement *rows = NULL;
    enum err err = db_query(db, &rows, RATES_SQL, "sss", rate_type_name(type), date, date);
    if (err != OK) return failed(db, err, type, detail);

    struct tier_table table = {.count = 0};
    struct rate_row last = {0};
    for (;;) {
        bool found = false;
        err = statement_fetch(rows, &found);
        if (err != OK) return failed(db, err, type, detail);
        if (!found) break;
        struct rate_row row = {0};
        read_row(rows, &row);
        if (table.count > 0 && row.tier.min_views == last.tier.min_views) {
            return overlap(&last, &row, type, date, detail);
        }
        TRY(add_row(&table, &row, type, date, detail));
        last = row;
    }
    if (table.count == 0) {
        return detail_set(detail, ERR_INVALID,
                          "no %s rate is in force on %s; add rows to settlement_rate, beginning "
                          "with min_views 0",
                          rate_type_name(type), date);
    }
    *ret_table = table;
    return OK;
}
