/* settlementd: reads the command line, loads the configuration, and hands over. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/db/connection.h"
#include "common/descriptors.h"
#include "common/domain/civil.h"
#include "common/fault.h"
#include "common/log.h"
#include "common/utf8.h"
#include "daemon/jobs/jobs.h"
#include "daemon/run_once.h"
#include "daemon/schedule_report.h"
#include "daemon/service.h"
#include "daemon/settings.h"

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND = 3, EXIT_BAD_CONFIG = 78 };

/* clang-format off: one line here is one line there. */
static const char HELP[] =
    "settlementd - turns a day's viewing logs into statistics and revenue, exactly once\n"
    "\n"
    "usage:\n"
    "  settlementd [--config FILE]\n"
    "  settlementd run JOB --date YYYY-MM-DD [--config FILE] [--quiet]\n"
    "  settlementd --check-config [--config FILE]\n"
    "  settlementd --help | --version\n"
    "\n"
    "  Without a command it is the daemon, in the foreground, as systemd wants it: it runs the jobs of\n"
    "  the configuration when they are due, does what settlectl asks for, and restarts what failed.\n"
    "\n"
    "  run JOB         runs one job in the foreground: shows its progress on stderr, prints its steps\n"
    "                  and the day's totals on stdout. Interrupted or failed, the same command goes on\n"
    "                  where it stopped; for a day that is closed it changes nothing.\n"
    "                  Jobs: daily-settlement\n"
    "  --date          the business day to settle; days are settled in order\n"
    "  --config FILE   the configuration; default: $SETTLEMENTD_CONFIG, else\n"
    "                  /etc/settlementd/settlementd.conf, else built-in defaults\n"
    "  --quiet         no progress; events of level info are logged instead\n"
    "  --check-config  checks the configuration and says what is wrong with it, with file and line\n"
    "\n"
    "signals: SIGTERM and SIGINT finish the running chunks and stop; a second one rolls them back.\n"
    "  SIGHUP makes the daemon read its configuration again; a run in the foreground takes it like SIGTERM.\n"
    "\n"
    "exit: 0 done (or done before), 1 failed, refused or stopped, 2 usage, 3 no such job,\n"
    "      78 bad configuration\n"
    "\n"
    "Statistics, reports and job tables are shown by settlectl; see settlectl --help.\n";
/* clang-format on */

struct arguments {
    const char *config, *date, *command, *job;
    bool check_config, quiet;
};

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "settlementd: %s", what);
    utf8_print(stderr, which);
    fputs("; see: settlementd --help\n", stderr);
    return EXIT_USAGE;
}

/* -1: go on; else an exit code. */
static int read_options(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"date", required_argument, NULL, 'd'},
        {"quiet", no_argument, NULL, 'q'},
        {"check-config", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":c:d:qhv", options, NULL)) != -1;) {
        switch (letter) {
        case 'c':
            if (arguments->config != NULL) return usage("--config is given twice", "");
            arguments->config = optarg;
            break;
        case 'd':
            if (arguments->date != NULL) return usage("--date is given twice", "");
            arguments->date = optarg;
            break;
        case 'q':
            arguments->quiet = true;
            break;
        case 'k':
            arguments->check_config = true;
            break;
        case 'h':
            fputs(HELP, stdout);
            return EXIT_DONE;
        case 'v':
            puts("settlementd " SETTLEMENTD_VERSION);
            return EXIT_DONE;
        case ':':
            return usage("a value is missing after ", argv[optind - 1]);
        default:
            return usage("unknown option ", argv[optind - 1]);
        }
    }
    if (optind < argc) arguments->command = argv[optind++];
    if (optind < argc) arguments->job = argv[optind++];
    if (optind < argc) return usage("one argument too many: ", argv[optind]);
    return -1;
}

/* A service manager starts no second time after 78: want of memory is no bad configuration. */
static int refuse_config(enum err err, const struct detail *detail)
{
    fprintf(stderr, "settlementd: %s\n", detail->text[0] != '\0' ? detail->text : err_text(err));
    return err == ERR_MEMORY ? EXIT_NOT_DONE : EXIT_BAD_CONFIG;
}

static int load_config(const struct arguments *arguments, struct config *ret_config)
{
    struct detail detail = {0};
    enum err err = config_find(arguments->config, ret_config, &detail);
    if (err == OK) {
        /* "Today" is the business day's; everything else here is UTC. */
        if (setenv("TZ", ret_config->timezone, 1) == 0) tzset();
        log_init((enum log_level)ret_config->log_level, (int)ret_config->log_format);
        return -1;
    }
    return refuse_config(err, &detail);
}

/* No error: who checks need not be who runs the daemon, and may read less than that one, or be
 * handed no credentials. */
static void warn_about_password(const struct config *config)
{
    char password[sizeof(((struct db_options *)0)->password)];
    struct detail detail = {""};
    enum err err = config_password(&config->database, password, sizeof(password), &detail);
    explicit_bzero(password, sizeof(password));
    if (err != OK) fprintf(stderr, "warning: %s\n", detail.text);
}

static int check_config(const struct arguments *arguments)
{
    struct config config;
    if (arguments->command != NULL)
        return usage("--check-config takes no command: ", arguments->command);
    int code = load_config(arguments, &config);
    if (code >= 0) return code;
    struct detail detail = {""};
    settings_warn(&config, stderr);
    warn_about_password(&config);
    enum err err = schedule_report(&config, (int64_t)time(NULL), stdout, stderr, &detail);
    if (err != OK) return refuse_config(err, &detail);
    utf8_print(stdout, config.path[0] != '\0' ? config.path : "built-in defaults");
    puts(": no errors");
    return EXIT_DONE;
}

static int run_command(const struct arguments *arguments)
{
    struct config config;
    struct civil date;
    if (arguments->job == NULL) return usage("run needs the name of a job: ", JOBS_NAMES);
    if (arguments->date == NULL) return usage("run needs --date YYYY-MM-DD", "");
    if (civil_parse(arguments->date, &date) != OK)
        return usage("not a date of the form YYYY-MM-DD that exists: ", arguments->date);
    const struct job *job = jobs_find(arguments->job);
    if (job == NULL) {
        fputs("settlementd: there is no job ", stderr);
        utf8_print(stderr, arguments->job);
        fprintf(stderr, "; there is: %s\n", JOBS_NAMES);
        return EXIT_NOT_FOUND;
    }
    int code = load_config(arguments, &config);
    if (code >= 0) return code;
    /* The progress display says what the events of level info say. */
    if (!arguments->quiet && config.log_level == LOG_LEVEL_INFO)
        log_init(LOG_LEVEL_WARN, (int)config.log_format);
    const struct run_once_options options = {&config, job, arguments->date, arguments->quiet};
    return run_once(&options);
}

static int run_service(const struct arguments *arguments)
{
    struct config config;
    if (arguments->date != NULL) return usage("--date goes with a command: ", "run JOB");
    int code = load_config(arguments, &config);
    return code >= 0 ? code : service_run(&config);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    if (!descriptors_fill()) return EXIT_NOT_DONE;
    if (!fault_begin("settlementd")) return EXIT_BAD_CONFIG;
    (void)signal(SIGPIPE, SIG_IGN);
    int code = read_options(argc, argv, &arguments);
    if (code >= 0) return code;
    if (arguments.check_config) return check_config(&arguments);
    if (arguments.command == NULL) return run_service(&arguments);
    if (strcmp(arguments.command, "run") != 0) return usage("unknown command ", arguments.command);
    return run_command(&arguments);
}
