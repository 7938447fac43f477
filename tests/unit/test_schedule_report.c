#include <string.h>

#include "daemon/schedule_report.h"
#include "tests/unit/suites.h"

/* What is said about a configuration with these jobs at 2026-03-07 12:00 UTC. */
struct report {
    char out[4096], err[4096];
    struct detail detail;
    enum err code;
};

static void make_report(const char *text, struct report *ret_report)
{
    struct config config;
    memset(ret_report, 0, sizeof(*ret_report));
    ck_assert_msg(config_parse("a.conf", text, &config, &ret_report->detail) == OK, "%s",
                  ret_report->detail.text);
    FILE *out = fmemopen(ret_report->out, sizeof(ret_report->out), "w");
    FILE *err = fmemopen(ret_report->err, sizeof(ret_report->err), "w");
    ck_assert(out != NULL && err != NULL);
    ret_report->code = schedule_report(&config, 1772884800, out, err, &ret_report->detail);
    (void)fclose(out);
    (void)fclose(err);
}

START_TEST(each_job_has_its_next_slots_in_its_zone_and_in_utc)
{
    struct report report;
    make_report(
        "jobs = ( { name = \"a\"; timezone = \"America/New_York\"; cron = \"30 2 * * *\"; },\n"
        "{ name = \"b\"; enabled = false; }, { name = \"c\"; cron = \"@weekly\"; } );",
        &report);
    ck_assert_int_eq(report.code, OK);
    ck_assert_str_eq(
        report.out,
        "a: \"30 2 * * *\" in America/New_York; next:\n"
        "  Sun 2026-03-08 03:00:00 -04:00 = 2026-03-08 07:00:00 UTC: days up to 2026-03-07\n"
        "  Mon 2026-03-09 02:30:00 -04:00 = 2026-03-09 06:30:00 UTC: days up to 2026-03-08\n"
        "  Tue 2026-03-10 02:30:00 -04:00 = 2026-03-10 06:30:00 UTC: days up to 2026-03-09\n"
        "b: not started by the clock (enabled = false)\n"
        "c: \"@weekly\" in Asia/Seoul; next:\n"
        "  Sun 2026-03-08 00:00:00 +09:00 = 2026-03-07 15:00:00 UTC: days up to 2026-03-07\n"
        "  Sun 2026-03-15 00:00:00 +09:00 = 2026-03-14 15:00:00 UTC: days up to 2026-03-14\n"
        "  Sun 2026-03-22 00:00:00 +09:00 = 2026-03-21 15:00:00 UTC: days up to 2026-03-21\n"
        "purge (housekeeping): \"30 3 * * *\" in Asia/Seoul; next:\n"
        "  Sun 2026-03-08 03:30:00 +09:00 = 2026-03-07 18:30:00 UTC\n"
        "  Mon 2026-03-09 03:30:00 +09:00 = 2026-03-08 18:30:00 UTC\n"
        "  Tue 2026-03-10 03:30:00 +09:00 = 2026-03-09 18:30:00 UTC\n");
    ck_assert_str_eq(report.err, "");
}
END_TEST

START_TEST(days_of_the_month_together_with_weekdays_are_warned_of)
{
    struct report report;
    make_report(
        "jobs = ( { name = \"a\"; cron = \"0 0 13 * FRI\"; }, { name = \"b\"; },\n"
        "{ name = \"c\"; cron = \"0 0 */2 * FRI\"; },\n"
        "{ name = \"d\"; cron = \"0 0 L * SUNL\"; enabled = false; } );\n"
        "housekeeping = { enabled = false; cron = \"0 3 1 * SUN\"; };",
        &report);
    ck_assert_int_eq(report.code, OK);
    ck_assert_str_eq(
        report.err,
        "warning: job a: cron \"0 0 13 * FRI\" names days of the month and weekdays; it is due on "
        "all days that are one or the other, as with cron\n"
        "warning: job d: cron \"0 0 L * SUNL\" names days of the month and weekdays; it is due on "
        "all days that are one or the other, as with cron\n"
        "warning: purge (housekeeping): cron \"0 3 1 * SUN\" names days of the month and weekdays; it is due "
        "on all days that are one or the other, as with cron\n");
    const char *last = "\npurge (housekeeping): not started by the clock (enabled = false)\n";
    ck_assert_ptr_nonnull(strstr(report.out, last));
}
END_TEST

Suite *test_schedule_report_suite(void)
{
    Suite *suite = suite_create("schedule report");
    TCase *text = tcase_create("text");
    tcase_add_test(text, each_job_has_its_next_slots_in_its_zone_and_in_utc);
    tcase_add_test(text, days_of_the_month_together_with_weekdays_are_warned_of);
    suite_add_tcase(suite, text);
    return suite;
}
