/* The text of a configuration file: what is accepted, and what is refused with which words. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/config.h"
#include "common/config_check.h"
#include "common/config_options.h"
#include "common/tzif.h"
#include "tests/unit/config_same.h"
#include "tests/unit/suites.h"

START_TEST(defaults_are_those_of_the_design)
{
    struct config config;
    config_defaults(&config);
    ck_assert_str_eq(config.path, "");
    ck_assert_str_eq(config.timezone, "Asia/Seoul");
    ck_assert_str_eq(config.database.socket, "");
    ck_assert_str_eq(config.database.host, "");
    ck_assert_int_eq(config.database.port, 3306);
    ck_assert_str_eq(config.database.name, "settlement");
    ck_assert(config.database.tls.verify);
    ck_assert_int_eq(config.database.connect_timeout_s, 5);
    ck_assert_int_eq(config.workers.threads, 0);
    ck_assert_int_eq(config.workers.chunk_size, 1000);
    ck_assert_int_eq(config.workers.partition_items, 200000);
    ck_assert_int_eq(config.workers.max_partitions, 256);
    ck_assert_int_eq(config.retry.transaction_limit, 5);
    ck_assert_int_eq(config.retry.backoff_ms, 20);
    ck_assert_int_eq(config.retry.backoff_max_ms, 1000);
    ck_assert_int_eq(config.retry.restart_limit, 3);
    ck_assert_int_eq(config.retry.restart_backoff_s, 30);
    ck_assert_int_eq(config.retry.restart_backoff_max_s, 900);
    ck_assert_int_eq(config.lease.heartbeat_s, 5);
    ck_assert_int_eq(config.lease.ttl_s, 20);
    ck_assert_int_eq(config.skip_limit, 1000);
    ck_assert(config.housekeeping.enabled);
    ck_assert_str_eq(config.housekeeping.cron, "30 3 * * *");
    ck_assert_int_eq(config.housekeeping.keep_days, 90);
    ck_assert_int_eq(config.job_count, 1);
    ck_assert_str_eq(config.jobs[0].name, "daily-settlement");
    ck_assert_str_eq(config.jobs[0].cron, "10 0 * * *");
    ck_assert_str_eq(config.jobs[0].timezone, "");
    ck_assert_int_eq(config.jobs[0].misfire, MISFIRE_ONCE);
    ck_assert_int_eq(config.jobs[0].catchup_max, 31);
    ck_assert(config.jobs[0].enabled);
    ck_assert_int_eq(config.log_level, 2);
    ck_assert_int_eq(config.log_format, LOG_FORMAT_AUTO);
}
END_TEST

START_TEST(every_default_is_accepted_when_written_in_a_file)
{
    const struct config_option *option;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        char text[512], name[64];
        struct config config, defaults;
        struct detail detail = {""};
        (void)text_format(name, sizeof(name), "%s", option->name);
        char *leaf = name;
        int groups = 0, used = 0;
        for (char *dot; (dot = strchr(leaf, '.')) != NULL; leaf = dot + 1, groups++) {
            *dot = '\0';
            bool jobs = strcmp(leaf, "jobs") == 0;
            used += snprintf(text + used, sizeof(text) - (size_t)used, "%s = %s{ ", leaf,
                             jobs ? "( " : "");
        }
        used += snprintf(text + used, sizeof(text) - (size_t)used, "%s = %s; ", leaf,
                         option->default_text);
        for (int g = 0; g < groups; g++)
            used += snprintf(text + used, sizeof(text) - (size_t)used, "}%s",
                             strncmp(option->name, "jobs.", 5) == 0 ? " )" : "");
        enum err err = config_parse("a.conf", text, &config, &detail);
        ck_assert_msg(err == OK, "%s: %s", text, detail.text);
        config_defaults(&defaults);
        config_check_same(&config, &defaults);
    }
}
END_TEST

START_TEST(values_are_read)
{
    static const char TEXT[] =
        "timezone = \"Europe/Paris\"; # a comment\n"
        "database: { host = \"db\" \"1\"; port = 3307; user = \"u\"; name = \"n\";\n"
        "  tls: { verify = FALSE; ca = \"/ca.pem\"; }; };\n"
        "workers = { threads = 4; partition_items = 5000000000; chunk_size = 0000000000020 };\n"
        "lease: { heartbeat_s = 10L; }\n"
        "settlement: { skip_limit = 3000000000L; };\n"
        "housekeeping: { enabled = false; cron = \"@weekly\"; keep_days = 400; };\n"
        "/* @include \"x\" 99999999999 */ // \"\n"
        "jobs = ( { name = \"one\"; cron = \"@daily\"; misfire = \"skip\"; enabled = false; },\n"
        "         { name = \"two-2\"; timezone = \"UTC\"; catchup_max = 3660; } );\n"
        "log: { level = \"debug\"; format = \"journal\"; } # no newline";
    struct config config;
    struct detail detail = {""};
    ck_assert_msg(config_parse("a.conf", TEXT, &config, &detail) == OK, "%s", detail.text);
    ck_assert_str_eq(config.path, "a.conf");
    ck_assert_str_eq(config.timezone, "Europe/Paris");
    ck_assert_str_eq(config.database.host, "db1");
    ck_assert_int_eq(config.database.port, 3307);
    ck_assert(!config.database.tls.verify);
    ck_assert_str_eq(config.database.tls.ca, "/ca.pem");
    ck_assert_int_eq(config.workers.threads, 4);
    ck_assert_int_eq(config.workers.chunk_size, 20);
    ck_assert_int_eq(config.workers.partition_items, 5000000000);
    ck_assert_int_eq(config.lease.heartbeat_s, 10);
    ck_assert_int_eq(config.skip_limit, 3000000000);
    ck_assert(!config.housekeeping.enabled);
    ck_assert_str_eq(config.housekeeping.cron, "@weekly");
    ck_assert_int_eq(config.housekeeping.keep_days, 400);
    ck_assert_int_eq(config.job_count, 2);
    ck_assert_str_eq(config.jobs[0].name, "one");
    ck_assert_str_eq(config.jobs[0].cron, "@daily");
    ck_assert_int_eq(config.jobs[0].misfire, MISFIRE_SKIP);
    ck_assert(!config.jobs[0].enabled);
    ck_assert_str_eq(config.jobs[1].name, "two-2");
    ck_assert_str_eq(config.jobs[1].cron, "10 0 * * *");
    ck_assert_str_eq(config.jobs[1].timezone, "UTC");
    ck_assert_int_eq(config.jobs[1].catchup_max, 3660);
    ck_assert_int_eq(config.log_level, 3);
    ck_assert_int_eq(config.log_format, LOG_FORMAT_JOURNAL);
}
END_TEST

START_TEST(an_empty_file_means_the_defaults_and_an_empty_list_no_jobs)
{
    static const char *const texts[] = {"", "\n", "# only a comment", "/**/", "workers: {};\r\n"};
    struct config config, defaults;
    struct detail detail = {""};
    config_defaults(&defaults);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ck_assert_msg(config_parse("a.conf", texts[i], &config, &detail) == OK, "%s", detail.text);
        config_check_same(&config, &defaults);
    }
    ck_assert_int_eq(config_parse("a.conf", "jobs = ();", &config, &detail), OK);
    ck_assert_int_eq(config.job_count, 0);
}
END_TEST

/* What is refused, and the words that say so. */
static const struct {
    const char *text, *detail;
} refusals[] = {
    /* names */
    {"\nworker: { threads = 1; };",
     "a.conf:2: there is no option \"worker\"; did you mean \"workers\"?"},
    {"workers: {\n threads = 1;\n thread = 1; };",
     "a.conf:3: there is no option \"workers.thread\"; did you mean \"workers.threads\"?"},
    {"chunk_size = 5;",
     "a.conf:1: there is no option \"chunk_size\"; did you mean \"workers.chunk_size\"?"},
    {"workers: { port = 5; };",
     "a.conf:1: there is no option \"workers.port\"; did you mean \"database.port\"?"},
    {"TimeZone = \"UTC\";",
     "a.conf:1: there is no option \"TimeZone\"; did you mean \"timezone\"?"},
    {"database: { tls: {\n\n verfy = true; }; };",
     "a.conf:3: there is no option \"database.tls.verfy\"; did you mean \"database.tls.verify\"?"},
    {"jobs = ( { name = \"a\"; crom = \"@daily\"; } );",
     "a.conf:1: there is no option \"jobs.crom\"; did you mean \"jobs.cron\"?"},
    {"something_else = 1;",
     "a.conf:1: there is no option \"something_else\"; remove it, or look its name up in the list "
     "of options (docs/configuration.md)"},
    {"something: { workers: { threads = 1; }; };", "a.conf:1: there is no option \"something\""},
    /* types */
    {"workers: { threads = \"4\"; };",
     "a.conf:1: workers.threads is the text \"4\"; write a whole number from 0 to 256"},
    {"workers: { threads = 4.0; };",
     "workers.threads is a number with a fraction or an exponent; write a whole number"},
    {"workers: { threads = 1e2; };", "workers.threads is a number with a fraction or an exponent"},
    {"workers: { threads = true; };", "workers.threads is true; write a whole number"},
    {"workers: { threads = 0x10; };", "workers.threads is a hexadecimal number; write a whole"},
    {"workers: { threads = 0x10L; };", "workers.threads is a hexadecimal number; write a whole"},
    {"workers: { threads = { a = 1; }; };", "workers.threads is a group { ... }; write a whole"},
    {"workers: { threads = [ 1 ]; };", "workers.threads is an array [ ... ]; write a whole"},
    {"workers: { threads = ( 1 ); };", "workers.threads is a list ( ... ); write a whole"},
    {"database: { tls: { verify = 1; }; };",
     "database.tls.verify is the number 1; write true or false"},
    {"database: { tls: { verify = \"true\"; }; };",
     "database.tls.verify is the text \"true\"; write true or false"},
    {"database: { host = 5; };", "database.host is the number 5; write a text in double quotes"},
    {"timezone = 9;", "a.conf:1: timezone is the number 9; write the name of a time zone"},
    {"log: { level = 1; };", "log.level is the number 1; write \"error\", \"warn\""},
    {"workers = 5;", "a.conf:1: workers is the number 5; write a group: workers: { ... };"},
    {"workers = ( 5 );", "workers is a list ( ... ); write a group"},
    {"database: { tls = false; };", "database.tls is false; write a group: database.tls"},
    {"jobs = { name = \"a\"; };", "jobs is a group { ... }; write a list of groups: jobs = ("},
    {"jobs = [ 1 ];", "jobs is an array [ ... ]; write a list"},
    {"jobs = ( \"a\" );", "an entry of jobs is the text \"a\"; write a list"},
    {"jobs = ( ( { name = \"a\"; } ) );", "an entry of jobs is a list ( ... ); write a list"},
    /* ranges */
    {"database: {\n port = 0; };",
     "a.conf:2: database.port is the number 0; write a whole number from 1 to 65535"},
    {"database: { port = 65536; };", "is the number 65536; write"},
    {"database: { port = -1; };", "is the number -1; write"},
    {"database: { port = 4294970602; };", "is the number 4294970602; write"},
    {"database: { port = 99999999999999999999999; };", "is the number 9223372036854775807; write"},
    {"database: { port = -99999999999999999999999; };", "is the number -9223372036854775808;"},
    {"database: { connect_timeout_s = 0; };", "from 1 to 300"},
    {"workers: { threads = 257; };", "from 0 to 256"},
    {"workers: { chunk_size = 0; };", "from 1 to 100000"},
    {"workers: { chunk_size = 100001; };", "from 1 to 100000"},
    {"workers: { partition_items = 0; };", "from 1 to 1000000000000000"},
    {"workers: { max_partitions = 65537; };", "from 1 to 65536"},
    {"retry: { transaction_limit = 0; };", "from 1 to 100"},
    {"retry: { restart_limit = 101; };", "from 0 to 100"},
    {"lease: { heartbeat_s = 0; };", "from 1 to 3600"},
    {"lease: { ttl_s = 1; };", "from 2 to 86400"},
    {"settlement: { skip_limit = -1; };", "from 0 to"},
    {"housekeeping: { keep_days = 0; };", "from 1 to 36500"},
    {"housekeeping: { cron = \"daily\"; };", "housekeeping.cron is the text \"daily\"; "},
    {"jobs = ( { catchup_max = 0; } );",
     "jobs.catchup_max is the number 0; write a whole number "
     "from 1 to 3660"},
    /* texts */
    {"timezone = \"Mars/Base\";", "is the text \"Mars/Base\"; write the name of a time zone below"},
    {"timezone = \"\";", "is the text \"\"; write the name of a time zone"},
    {"timezone = \"../zoneinfo/UTC\";", "timezone is the text \"../zoneinfo/UTC\""},
    {"timezone = \"/etc/localtime\";", "timezone is the text \"/etc/localtime\""},
    {"state_directory = \"state\";",
     "state_directory is the text \"state\"; write the path of a directory, beginning with /"},
    {"jobs = ( { timezone = \"Mars\"; } );", "jobs.timezone is the text \"Mars\"; write the name"},
    {"jobs = ( { name = \"Daily\"; } );", "is the text \"Daily\"; write a name of small letters"},
    {"jobs = ( { name = \"\"; } );", "jobs.name is the text \"\"; write a name of small letters"},
    {"jobs = ( { cron = \"* * * *\"; } );", "jobs.cron is the text \"* * * *\"; write five fields"},
    {"jobs = (\n{ name = \"a\";\ncron = \"0 24 * * *\"; } );",
     "a.conf:3: jobs.cron is the text \"0 24 * * *\"; hour \"24\" is out of range; write numbers "
     "from 0 to 23"},
    {"jobs = ( { cron = 5; } );", "jobs.cron is the number 5; write a text in double quotes"},
    {"jobs = ( { cron = \"0 0 30 2 *\"; } );", "\"0 0 30 2 *\"; no date ever matches; write"},
    {"jobs = ( { misfire = \"all\"; } );", "is the text \"all\"; write \"once\" or \"skip\""},
    {"log: { level = \"loud\"; };", "write \"error\", \"warn\", \"info\" or \"debug\""},
    {"log: { format = \"xml\"; };", "write \"auto\", \"text\" or \"journal\""},
    {"database: { name = \"\"; };",
     "database.name is the text \"\"; write the name of the database"},
    {"database: { host = \"a\nb\"; };", "a.conf:1: database.host holds a line break or another"},
    {"database: { host = \"a\\x1bb\"; };", "a.conf:1: database.host holds a line break or another"},
    {"log: { level = \"123456789012345678901234567890123456789012345678901234567890and more\"; };",
     "\"123456789012345678901234567890123456789012345678901234567890...\"; write"},
    {"log: { level = \"loud\nb.conf:9: fine\"; };",
     "is the text \"loud\\x0Ab.conf:9: fine\"; write"},
    {"workers: { threads = \"\x9b\"; };", "workers.threads is the text \"\\x9B\"; write a whole"},
    {"jobs = ( { cron = \"\xc2\x9b 0 * * *\"; } );", "minute \"\\xC2\\x9B\" is not understood"},
    /* what must agree */
    {"database: { socket = \"/s\";\n host = \"h\"; };",
     "a.conf:2: database.host = \"h\" does not go with database.socket = \"/s\"; name the socket "
     "or"},
    {"database: { socket = \"/s\";\n host = \"\xff\"; };",
     "a.conf:2: database.host = \"\\xFF\" does not go with database.socket = \"/s\"; name"},
    {"lease: { heartbeat_s = 5;\n ttl_s = 9; };",
     "a.conf:2: lease.ttl_s = 9 does not go with lease.heartbeat_s = 5; make ttl_s at least twice"},
    {"\n\nlease: { heartbeat_s = 11; };", "a.conf:3: lease.ttl_s = 20 does not go with lease."},
    {"retry: { backoff_max_ms = 19; };",
     "retry.backoff_max_ms = 19 does not go with retry.backoff_ms = 20; make"},
    {"retry: { restart_backoff_s = 901; };",
     "retry.restart_backoff_max_s = 900 does not go with retry.restart_backoff_s = 901; make"},
    {"jobs = ( { name = \"a\"; },\n { name = \"b\"; },\n { enabled = true;\n name = \"a\"; } );",
     "a.conf:4: there is another job \"a\" above; remove one of them"},
    {"jobs = ( { },\n { } );", "a.conf:2: there is another job \"daily-settlement\" above"},
    {"jobs = ( { name = \"a\"; }, { name = \"b\"; }, { name = \"c\"; }, { name = \"d\"; },\n"
     " { name = \"e\"; }, { name = \"f\"; }, { name = \"g\"; }, { name = \"h\"; },\n"
     " { name = \"i\"; }, { name = \"j\"; }, { name = \"k\"; }, { name = \"l\"; },\n"
     " { name = \"m\"; }, { name = \"n\"; }, { name = \"o\"; }, { name = \"p\"; },\n"
     " { name = \"q\"; } );",
     "a.conf:5: there are more than 16 jobs; remove some"},
    /* form */
    {"workers: {\n threads = ;\n };",
     "a.conf:2: syntax error; look in this line and the one before for a missing ';'"},
    {"workers: {\n threads = 4", "a.conf:3: syntax error; look in this line"},
    {"timezone = \"UTC\";\ntimezone = \"UTC\";",
     "a.conf:2: duplicate setting name; remove one of the two"},
    {"workers: { };\n\nworkers: { };", "a.conf:3: duplicate setting name; remove one of the two"},
    {"timezone = [ \"a\",\n 1 ];", "a.conf:2: mismatched element type in array; give all elements"},
    {"\n/* never closed\n\n", "a.conf:2: this comment is not closed; end it with */"},
    {"/*/ timezone = \"UTC\";", "a.conf:1: this comment is not closed; end it with */"},
    {"\ntimezone = \"UTC;\n\n", "a.conf:2: this text is not closed; end it with a double quote"},
    {"timezone = \"UTC\\", "a.conf:1: this text is not closed; end it with a double quote"},
    {"timezone = \"UTC\\x00\";", "a.conf:1: \\x00 would end the text early; remove it"},
    {"timezone = \"UTC\";\n  @include \"/etc/passwd\"\n",
     "a.conf:2: @include is not followed; write the options into this file"},
    {"@include \"other.conf\"", "a.conf:1: @include is not followed"},
    {"@", "a.conf:1: syntax error"},
    {"\"UTC\";", "a.conf:1: a text is out of place here; look for a missing '='"},
    {"timezone \"UTC\";", "a.conf:1: a text is out of place here"},
    {"\ntimezone = 1 /* = */ \"UTC\";", "a.conf:2: a text is out of place here"},
    {"workers: { threads = 1, \"UTC\" };", "a.conf:1: a text is out of place here"},
    {"jobs = ( { } \"UTC\" );", "a.conf:1: a text is out of place here"},
    {"jobs = ( { }, \"UTC\" );", "a.conf:1: an entry of jobs is the text \"UTC\""},
    {"timezone = \"UTC\" # \"\n \"x\" = 1;", "a.conf:2: syntax error"},
    {"a = { b = { c = { d = { e = { f = { g = { h = {\n i = { } } } } } } } } };",
     "a.conf:2: this is deeper than any option; remove it"},
    {"} timezone = \"UTC\";", "a.conf:1: syntax error"},
    {"workers: { threads = 99999999999b = 1; };",
     "a.conf:1: workers.threads is the number 99999999999;"},
    {"workers: { threads = 99999999999 9; };", "a.conf:1: syntax error"},
};

START_TEST(what_cannot_be_meant_is_refused_in_words)
{
    struct config config;
    memset(&config, 0x5A, sizeof(config));
    struct config untouched = config;
    struct detail detail = {""};
    enum err err = config_parse("a.conf", refusals[_i].text, &config, &detail);
    ck_assert_msg(err == ERR_CONFIG, "accepted: %s", refusals[_i].text);
    ck_assert_msg(strstr(detail.text, refusals[_i].detail) != NULL, "\"%s\" instead of \"%s\"",
                  detail.text, refusals[_i].detail);
    ck_assert_msg(strncmp(detail.text, "a.conf:", 7) == 0, "%s", detail.text);
    ck_assert_mem_eq(&config, &untouched, sizeof(config));
    ck_assert_int_eq(config_parse("a.conf", refusals[_i].text, &config, NULL), ERR_CONFIG);
}
END_TEST

START_TEST(a_text_fits_up_to_its_last_byte)
{
    static const struct {
        const char *before, *after, *name;
        size_t limit;
    } cases[] = {
        {"database: { host = \"", "\"; };", "database.host", CONFIG_TEXT - 1},
        {"database: { tls: { key = \"", "\"; }; };", "database.tls.key", CONFIG_TEXT - 1},
        {"jobs = ( { name = \"", "\"; } );", "jobs.name", 63},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char longest[CONFIG_TEXT + 1], text[CONFIG_TEXT + 64], expected[128];
        struct config config;
        struct detail detail = {""};
        memset(longest, 'x', sizeof(longest));
        longest[cases[i].limit + 1] = '\0';
        (void)text_format(text, sizeof(text), "%s%s%s", cases[i].before, longest, cases[i].after);
        ck_assert_int_eq(config_parse("a.conf", text, &config, &detail), ERR_CONFIG);
        (void)text_format(expected, sizeof(expected),
                          "a.conf:1: %s is %zu bytes long; write at most %zu bytes", cases[i].name,
                          cases[i].limit + 1, cases[i].limit);
        ck_assert_str_eq(detail.text, expected);
        longest[cases[i].limit] = '\0';
        (void)text_format(text, sizeof(text), "%s%s%s", cases[i].before, longest, cases[i].after);
        ck_assert_msg(config_parse("a.conf", text, &config, &detail) == OK, "%s", detail.text);
    }
}
END_TEST

START_TEST(numbers_are_accepted_at_both_bounds)
{
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"database: { port = 1; };", true},
        {"database: { port = 65535; };", true},
        {"workers: { chunk_size = 1; threads = 256; max_partitions = 65536; };", true},
        {"workers: { partition_items = 1000000000000000; };", true},
        {"workers: { partition_items = 1000000000000001; };", false},
        {"settlement: { skip_limit = 0; };", true},
        {"housekeeping: { keep_days = 36500; };", true},
        {"housekeeping: { keep_days = 36501; };", false},
        {"retry: { transaction_limit = 100; restart_limit = 0; };", true},
        {"retry: { backoff_ms = 1000; };", true},
        {"retry: { backoff_ms = 1001; };", false},
        {"lease: { heartbeat_s = 10; };", true},
        {"lease: { heartbeat_s = 1; ttl_s = 2; };", true},
        {"lease: { heartbeat_s = 3600; ttl_s = 86400; };", true},
        {"database: { port = +3306; };", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config config;
        struct detail detail = {""};
        enum err err = config_parse("a.conf", cases[i].text, &config, &detail);
        ck_assert_msg((err == OK) == cases[i].ok, "%s: %s", cases[i].text, detail.text);
    }
}
END_TEST

START_TEST(time_zones_are_known_by_name)
{
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        {"Asia/Seoul", true},
        {"UTC", true},
        {"America/Argentina/Buenos_Aires", true},
        {"America/Port-au-Prince", true},
        {"Etc/GMT+8", true},
        {"", false},
        {"Asia", false},
        {"Asia/", false},
        {"Asia//Seoul", false},
        {"Asia/Seoul/", false},
        {"/Asia/Seoul", false},
        {"Asia/../Asia/Seoul", false},
        {"..", false},
        {"asia/seoul", false},
        {"right/Asia/Seoul", false},
        {"posixrules", false},
        {"Zone.tab", false},
        {"Asia/Seoul ", false},
        {"Asia/Se\xC3\xB6ul", false},
        {"Asia/Nowhere", false},
    };
    struct stat status;
    bool known = stat(ZONE_FOLDER, &status) == 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool by_shape = !known && (strcmp(cases[i].name, "Asia") == 0 ||
                                   strcmp(cases[i].name, "Asia/Nowhere") == 0);
        ck_assert_msg(config_accepts_zone(cases[i].name) == (cases[i].ok || by_shape), "%s",
                      cases[i].name);
    }
}
END_TEST

/* Which texts are a cron expression is tested where they are parsed. */
START_TEST(cron_expressions_are_parsed)
{
    struct detail detail = {""};
    ck_assert(config_accepts_cron("10 0 * * *", &detail));
    ck_assert(config_accepts_cron("@daily", NULL));
    ck_assert(!config_accepts_cron("x y z a b", NULL));
    ck_assert_str_eq(detail.text, "");
    ck_assert(!config_accepts_cron("0 24 * * *", &detail));
    ck_assert_msg(strstr(detail.text, "hour \"24\" is out of range; write") != NULL, "%s",
                  detail.text);
}
END_TEST

START_TEST(every_option_is_found_by_its_name)
{
    const struct config_option *option;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++)
        ck_assert_ptr_eq(config_option_find(option->name), option);
    ck_assert_ptr_nonnull(config_option_find("jobs.name"));
    ck_assert_ptr_null(config_option_find("jobs"));
    ck_assert(config_option_is_group("database.tls"));
    ck_assert(!config_option_is_group("timezone"));
    ck_assert(!config_option_is_group(""));
}
END_TEST

Suite *test_config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *texts = tcase_create("texts");
    tcase_set_timeout(texts, 60);
    tcase_add_test(texts, defaults_are_those_of_the_design);
    tcase_add_test(texts, every_default_is_accepted_when_written_in_a_file);
    tcase_add_test(texts, values_are_read);
    tcase_add_test(texts, an_empty_file_means_the_defaults_and_an_empty_list_no_jobs);
    tcase_add_loop_test(texts, what_cannot_be_meant_is_refused_in_words, 0,
                        (int)COUNT_OF(refusals));
    tcase_add_test(texts, a_text_fits_up_to_its_last_byte);
    tcase_add_test(texts, numbers_are_accepted_at_both_bounds);
    tcase_add_test(texts, time_zones_are_known_by_name);
    tcase_add_test(texts, cron_expressions_are_parsed);
    tcase_add_test(texts, every_option_is_found_by_its_name);
    suite_add_tcase(suite, texts);
    return suite;
}
