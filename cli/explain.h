/* How a content's amount on a day came about: its views, the rates in force, the sums, and whether
 * a recomputation gives what is stored. Reading and recomputing are here, apart from printing, so
 * that tests can look at the figures. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "common/db/connection.h"
#include "common/domain/civil.h"
#include "common/domain/tier.h"
#include "common/rates.h"

enum { EXPLAIN_KINDS = 2, EXPLAIN_TEXT = 1024 };

/* One of the two revenues. Before: at the last settled date. */
struct explanation_kind {
    enum rate_type type;
    int64_t views_of_day, views_before, views_now;
    int64_t counted_views; /* the sum of the DAILY counts: what views_now must be */
    struct tier_table rates;
    int64_t before_micros, now_micros; /* T(before), T(now) */
    int64_t amount_micros, previous_total_micros, total_micros;
    int64_t stored_amount_micros, stored_total_micros;
    bool equal;
};

enum explanation_state {
    EXPLAINED_EQUAL,
    EXPLAINED_DIFFERENT, /* stored figures are not the recomputed ones */
    EXPLAINED_MISSING,   /* the day is closed and has views, but no amount is stored */
    EXPLAINED_PARKED     /* skipped: nobody knows the creator */
};

struct explanation {
    int64_t content_id;
    char date[CIVIL_TEXT];
    char previous_date[CIVIL_TEXT]; /* the last settled date before; empty: none */
    bool has_post;
    char title[EXPLAIN_TEXT], creator_name[EXPLAIN_TEXT];
    int64_t creator_id;       /* as stored; as content_post has it where nothing is stored */
    int64_t job_execution_id; /* that settled or parked it; 0: none */
    char status[16];          /* of the settlement row */
    char reason[EXPLAIN_TEXT], paid_on[CIVIL_TEXT]; /* of a parked one */
    enum explanation_state state;
    struct explanation_kind kinds[EXPLAIN_KINDS]; /* content, advertisement */
};

/* ERR_NOT_FOUND when the content has nothing to explain on that day: `detail` says whether the day
 * is not settled yet, or the content had no views. A difference is no error here: see `state`. */
enum err explain_load(struct db *db, int64_t content_id, struct civil date,
                      struct explanation *ret_explanation, struct detail *detail) MUST_CHECK;

#endif
