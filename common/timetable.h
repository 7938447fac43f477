/* When a job is due: its cron expression in its time zone, and the business days that a slot is
 * about. What the scheduler and settlectl use; the rules are those of common/schedule/slot.h.
 * Instants are seconds since 1970-01-01 UTC, of the years 1000 to 9999. A timetable never changes
 * and may be asked by any number of threads; zones are read from the system's files when it is
 * made, so that newer ones need a new timetable. */
#ifndef COMMON_TIMETABLE_H
#define COMMON_TIMETABLE_H

#include "common/base.h"
#include "common/domain/civil.h"

struct timetable;

struct timetable_options {
    const char *cron;
    const char *zone;          /* of cron; an IANA name */
    const char *business_zone; /* whose calendar makes the business day */
};

/* ERR_INVALID when the expression or a zone is not understood, ERR_IO when a zone's file cannot be
 * read, ERR_MEMORY. */
enum err timetable_new(const struct timetable_options *options, struct timetable **ret_timetable,
                       struct detail *detail) MUST_CHECK;
/* The same with the zones of another folder than the system's. */
enum err timetable_new_from(const char *folder, const struct timetable_options *options,
                            struct timetable **ret_timetable, struct detail *detail) MUST_CHECK;
void timetable_free(struct timetable *timetable); /* accepts NULL */
void timetable_cleanup(struct timetable **timetable);

/* The first slot after an instant, exclusive. False: there is none within 50 years. */
bool timetable_next(const struct timetable *timetable, int64_t after_s, int64_t *ret_slot_s);

/* The calendar date before the one that the instant lies in, in the business zone. */
struct civil timetable_day_before(const struct timetable *timetable, int64_t instant_s);

/* Day of month and day of week are both restricted, so that either will do: worth a warning. */
bool timetable_both_days(const struct timetable *timetable);

enum { TIMETABLE_TEXT = 40 };

/* An instant as the clocks of the job's zone show it: "Sun 2026-11-22 00:10:00 +09:00". */
void timetable_format(const struct timetable *timetable, int64_t instant_s,
                      char ret_text[TIMETABLE_TEXT]);

#endif
