/* The suites of test_db, one a line, sorted. Included plainly it declares them; main.c includes it again with a SUITE of its
 * own to gather them, hence no include guard. */
#include <check.h>

#ifndef SUITE
#define SUITE(name) Suite *name##_suite(void);
#endif

SUITE(test_explain)
SUITE(test_job_status)
SUITE(test_rates)

#undef SUITE
