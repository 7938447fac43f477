#include "cli/commands.h"

#include <string.h>

#include "cli/import.h"

/* clang-format off: one line here is one line there. */
static const struct cli_command commands[] = {
    {"migrate", "", "Bring the database to the schema of this version",
     "Applies the migrations that the database lacks, in order, and prints each. The database\n"
     "is created first when it does not exist. Safe to run twice, and by two at once. A\n"
     "migration that was changed after it was applied, or that this version does not know, is\n"
     "refused before anything is done. Takes the owner of the schema: name that user in a\n"
     "configuration of its own. Grants the rights of worker and reader, if their roles exist,\n"
     "each time.\n",
     false, cli_migrate},
    {"import", "member|content|advertisement|watch-log|ad-log FILE.csv [--max-rejects N]",
     "Load a CSV file into a table of the platform",
     "The file is RFC 4180 in UTF-8; its header names columns of the table in any order,\n"
     "columns with a default may be absent. Times are YYYY-MM-DD HH:MM:SS[.ffffff] in UTC. All\n"
     "or nothing, unless --max-rejects allows N bad rows: then the rest is loaded. Bad rows go\n"
     "to FILE.rejected.csv as they were, their line numbers and reasons to FILE.rejected.log.\n"
     "The same content is not loaded twice.\n",
     false, cli_import},
    {"run", "JOB --date D [--wait [--timeout SECONDS]] [--reason TEXT]",
     "Ask a daemon to run a job for a business day",
     "Stores a request and waits until a daemon answers it, which takes about a second. A\n"
     "request that no daemon answers within 10 s is taken back, and the command ends with 4.\n"
     "--wait follows the progress to the end and ends with the job's result; with --timeout at\n"
     "most that long, then with 4. An interrupt (Ctrl-C) ends the waiting, not the work. A day\n"
     "that is closed is answered with 0 and the execution that closed it. --reason is kept\n"
     "with the request.\n",
     false, cli_run},
    {"backfill", "JOB --from D --to D [--wait [--timeout SECONDS]] [--reason TEXT]",
     "Ask a daemon to run a job for each day of a range",
     "Runs the days from --from to --to, both included, in order, one after the other. Days\n"
     "that are closed are passed over. With --wait there is a line for each day. Stopping the\n"
     "execution that runs for it (settlectl stop) ends the backfill; the days that were closed\n"
     "stay closed.\n",
     false, cli_backfill},
    {"stop", "EXECUTION [--wait [--timeout SECONDS]] [--reason TEXT]",
     "Ask a daemon to stop an execution",
     "The chunks that run are finished, then the execution is STOPPED, and stays so until\n"
     "somebody restarts it. --wait waits until it has ended.\n",
     false, cli_stop},
    {"restart", "EXECUTION [--wait [--timeout SECONDS]] [--reason TEXT]",
     "Ask a daemon to go on with an execution that failed or was stopped",
     "A new execution of the same job instance goes on at the failed step, from its\n"
     "checkpoints.\n",
     false, cli_restart},
    {"abandon", "EXECUTION [--reason TEXT]", "Give an execution up for good",
     "It is marked ABANDONED and is not restarted any more. Refused for a day that has logs:\n"
     "it would leave a hole.\n",
     false, cli_abandon},
    {"pause", "JOB [--reason TEXT]", "Hold a job's schedule",
     "Slots that come due are held, with who and why. What runs goes on, and what is asked for\n"
     "with `settlectl run` is run.\n",
     false, cli_pause},
    {"resume", "JOB [--reason TEXT]", "Let a paused schedule go on",
     "Slots that were held are treated like missed ones: see misfire in the configuration.\n",
     false, cli_resume},
    {"status", "[--check | --check-daemon]", "What runs, what is settled, what waits",
     "Shows the last settled day and the lag behind it, the processes, the executions that run\n"
     "now with their progress, the latest execution and the last success of each job,\n"
     "schedules, automatic restarts to come, requests that are not done with, and the days\n"
     "that have logs but are not settled. Logs of a day before the last settled one came late:\n"
     "such a day is not settled any more. Ends with 0 whenever the database answers, unless\n"
     "asked to judge:\n"
     "  --check         ends with 1 when something needs attention: no daemon is alive, a day that\n"
     "                  has logs was due more than an hour ago and is neither settled nor being\n"
     "                  settled, or an execution failed and is not started again by itself\n"
     "  --check-daemon  looks at nothing else, and ends with 1 when no daemon is alive on this host:\n"
     "                  cheap, for health checks of a container\n",
     false, cli_status},
    {"runs", "[JOB] [--limit N]", "List job executions, the latest first",
     "Lists executions of one job or of all, 20 unless --limit says otherwise (up to 1000).\n",
     true, cli_runs},
    {"show", "EXECUTION", "Show one execution: steps, partitions, checks",
     "EXECUTION is the id that `settlectl runs` lists. The figures of a step that is running\n"
     "are those committed so far. Partitions belong to the job instance: a restarted execution\n"
     "goes on with the same ones, from their checkpoints. Lower bounds are exclusive, upper\n"
     "bounds inclusive.\n",
     false, cli_show},
    {"next", "[JOB] [--count N]", "When jobs are due, and what holds them up",
     "For each job: its schedule, whether it is paused, by whom and why, what was decided last\n"
     "and when, the slots that are not done with and what they wait for, and the coming ones\n"
     "(5 unless --count says otherwise) in the job's time zone and in UTC, with the business\n"
     "day that each settles up to.\n",
     false, cli_next},
    {"nodes", "", "List the processes that work on this database",
     "A line for each daemon and each run in the foreground: since when it is there and when\n"
     "it was heard of last, the execution that it runs, the partitions that it has of\n"
     "executions which others run, and what it says about itself.\n",
     true, cli_nodes},
    {"drain", "NODE [--wait [--timeout SECONDS]]\n       settlectl drain NODE --undo",
     "Make a daemon hand over what it has, and take on nothing more",
     "NODE is the beginning of an id as settlectl nodes prints it. At the next chunk boundary\n"
     "the daemon gives back the partitions that it has of others' executions, and stops an\n"
     "execution of its own for another daemon to go on with, which costs no attempt; without\n"
     "another daemon it finishes it. The process stays, and says that it is drained; --wait\n"
     "waits for that, --undo takes it back.\n",
     false, cli_drain},
    {"purge", "--older-than AGE [--dry-run]", "Delete job metadata that nobody needs any more",
     "AGE is in days or weeks: 90d, 12w. Goes: job instances that ended longer ago, with their\n"
     "executions, steps and partitions; requests, slots and dead processes of that age. Stays:\n"
     "the last success of each job, what failed or was stopped and can still be restarted, and\n"
     "all statistics, settlements and closed days. Works in small transactions beside\n"
     "everything else. A daemon does the same each day: see housekeeping in the configuration.\n",
     false, cli_purge},
    {"accept-loss", "--reason TEXT", "Go on with a database that has lost acknowledged work",
     "For daemons that are HALTED because the database lacks what it had acknowledged: after a\n"
     "failover to a replica that lagged, or a restored backup. They go on from what is there,\n"
     "and settle the days that were lost once more. Point them back at the server that has\n"
     "them when there still is one, and make sure that nothing is paid twice. Who accepted it,\n"
     "and why, is kept.\n",
     false, cli_accept_loss},
    {"top",
     "--by views|watch-time|ad-views --period daily|weekly|monthly|yearly --date D [--limit N]",
     "List the contents with the most views, watch time or ad views",
     "Takes the day, ISO week, month or year that D lies in. 10 contents unless --limit says\n"
     "otherwise (up to 10000).\n",
     true, cli_top},
    {"report",
     "settlement [--period daily|weekly|monthly|yearly] --date D [--by creator|content|day]\n"
     "       settlectl report settlement --from D --to D [--by creator|content|day]",
     "Sum up what was earned",
     "Sums the settlement of the day, ISO week, month or year that D lies in, or of the days\n"
     "from --from to --to, both included: a line for each creator (or content, or day), the\n"
     "largest sum first, days in order, and a total. Says when days are not settled yet or\n"
     "contents are unpaid. CSV has no total line, so that a sum over a column counts nothing\n"
     "twice.\n",
     true, cli_report},
    {"explain", "--content ID --date D", "Show how an amount came about, and prove it",
     "Shows the views, the tiers and prices in force on D, what each tier yields, and the\n"
     "sums; then computes the day again and compares it with what is stored. Ends with 1 when\n"
     "they differ.\n",
     false, cli_explain},
};
/* clang-format on */

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    }
    return NULL;
}

/* How much of two words is alike from their beginnings. */
static size_t common_prefix(const char *a, const char *b)
{
    size_t length = 0;
    while (a[length] != '\0' && a[length] == b[length])
        length++;
    return length;
}

const struct cli_command *cli_command_guess(const char *name)
{
    const struct cli_command *best = NULL;
    size_t most = 1;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        size_t alike = common_prefix(commands[i].name, name);
        if (alike <= most) continue;
        most = alike;
        best = &commands[i];
    }
    return best;
}

void cli_print_overview(FILE *file)
{
    fputs("Usage: settlectl [--config FILE] [--json] COMMAND [ARGUMENTS]\n\nCommands:\n", file);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        fprintf(file, "  %-11s  %s\n", commands[i].name, commands[i].summary);
    }
    fputs(
        "\n"
        "Options, before or after the command:\n"
        "  --config FILE   configuration (default: $SETTLEMENTD_CONFIG, then\n"
        "                  /etc/settlementd/settlementd.conf)\n"
        "  --json          print JSON; amounts are integers in micros, times are UTC\n"
        "  --format FORMAT table, csv or json\n"
        "  --help          help on a command: settlectl COMMAND --help\n"
        "  --version       print the version\n"
        "\n"
        "Exit codes: 0 done, 1 failed, refused or stopped, 2 wrong usage, 3 not found,\n"
        "4 timed out, 78 bad configuration.\n",
        file);
}

void cli_print_help(const struct cli_command *command, FILE *file)
{
    const char *blank = command->usage[0] == '\0' ? "" : " ";
    fprintf(file, "Usage: settlectl %s%s%s\n\n%s.\n\n%s", command->name, blank, command->usage,
            command->summary, command->help);
}
