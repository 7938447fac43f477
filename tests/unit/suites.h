/* The suites of test_unit, one a line, sorted. Included plainly it declares them; main.c includes
 * it again with a SUITE of its own to gather them, hence no include guard. */
#include <check.h>

#ifndef SUITE
#define SUITE(name) Suite *name##_suite(void);
#endif

SUITE(test_accrual)
SUITE(test_civil)
SUITE(test_config)
SUITE(test_config_files)
SUITE(test_control)
SUITE(test_cron)
SUITE(test_csv_reader)
SUITE(test_due)
SUITE(test_err)
SUITE(test_fault)
SUITE(test_human)
SUITE(test_import_row)
SUITE(test_job_key)
SUITE(test_log)
SUITE(test_loop)
SUITE(test_mailbox)
SUITE(test_memory)
SUITE(test_money)
SUITE(test_notify)
SUITE(test_options)
SUITE(test_output)
SUITE(test_period)
SUITE(test_progress)
SUITE(test_properties)
SUITE(test_restart)
SUITE(test_retry)
SUITE(test_schedule_report)
SUITE(test_status)
SUITE(test_state_file)
SUITE(test_suspicion)
SUITE(test_tier)
SUITE(test_timetable)
SUITE(test_utf8)
SUITE(test_zone)

#undef SUITE
