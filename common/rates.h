/* The rates in force on a date, read from settlement_rate: the rows with applied_from <= date <
 * applied_until (NULL is without end), one for each lower bound. The one place that reads them, for
 * the settlement and for its explanation. */
#ifndef COMMON_RATES_H
#define COMMON_RATES_H

#include "common/db/connection.h"
#include "common/domain/tier.h"

enum rate_type { RATE_CONTENT, RATE_ADVERTISEMENT };

/* "CONTENT", "ADVERTISEMENT": the words of the table. */
const char *rate_type_name(enum rate_type type);

/* `date` is YYYY-MM-DD. ERR_INVALID when the rates have a gap (nothing in force, or no tier that
 * begins at 0) or overlap (two rows in force with the same bound); `detail` names type, date and
 * rows. Other errors are those of the database. */
enum err rates_load(struct db *db, enum rate_type type, const char *date,
                    struct tier_table *ret_table, struct detail *detail) MUST_CHECK;

#endif
