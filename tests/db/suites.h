/* The suites of test_db, one a line, sorted. Included plainly it declares them; main.c includes it
 * again with a SUITE of its own to gather them, hence no include guard. */
#include <check.h>

#ifndef SUITE
#define SUITE(name) Suite *name##_suite(void);
#endif

SUITE(test_acknowledged)
SUITE(test_answers)
SUITE(test_chunk)
SUITE(test_claim)
SUITE(test_explain)
SUITE(test_fault_seam)
SUITE(test_guard)
SUITE(test_history)
SUITE(test_import_load)
SUITE(test_job_status)
SUITE(test_launch)
SUITE(test_memory)
SUITE(test_node)
SUITE(test_outcome)
SUITE(test_partition)
SUITE(test_pool)
SUITE(test_purge)
SUITE(test_queue)
SUITE(test_rates)
SUITE(test_request)
SUITE(test_schema)
SUITE(test_server_check)
SUITE(test_slots)
SUITE(test_slots_changes)
SUITE(test_slots_once)
SUITE(test_slots_year)
SUITE(test_statement)
SUITE(test_transaction)

#undef SUITE
