#include "common/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/fault_rule.h"

static struct fault_rules rules;
static _Atomic uint64_t counters[FAULT_PLACES];
static _Atomic uint64_t fired;
static const char *counts_path;

uint64_t fault_counted(enum fault_place place)
{
    return atomic_load(&counters[place]);
}

uint64_t fault_fired(void)
{
    return atomic_load(&fired);
}

static bool write_count(int file, const char *name, uint64_t count)
{
    char line[64];
    (void)text_format(line, sizeof(line), "%s %llu\n", name, (unsigned long long)count);
    return write(file, line, strlen(line)) >= 0;
}

static void write_counts(void)
{
    if (counts_path == NULL) return;
    int file = open(counts_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) return;
    bool written = write_count(file, "fired", fault_fired());
    for (int i = 0; written && i < FAULT_PLACES; i++) {
        enum fault_place place = (enum fault_place)i;
        written = write_count(file, fault_place_name(place), fault_counted(place));
    }
    (void)close(file);
}

enum err fault_use(const char *text, struct detail *detail)
{
    rules.count = 0;
    for (int i = 0; i < FAULT_PLACES; i++)
        atomic_store(&counters[i], 0);
    atomic_store(&fired, 0);
    return text == NULL || text[0] == '\0' ? OK : fault_rules_parse(text, &rules, detail);
}

bool fault_begin(const char *program)
{
    struct detail detail = {""};
    if (fault_use(getenv("SETTLEMENTD_TEST_FAULTS"), &detail) != OK) {
        fprintf(stderr, "%s: SETTLEMENTD_TEST_FAULTS: %s\n", program, detail.text);
        return false;
    }
    counts_path = getenv("SETTLEMENTD_TEST_FAULT_COUNTS");
    if (counts_path != NULL) (void)atexit(write_counts);
    return true;
}

struct fault_call fault_count(enum fault_place place)
{
    struct fault_call call = {.place = place};
    call.number = atomic_fetch_add(&counters[place], 1) + 1;
    if (place == FAULT_DB)
        call.db_number = call.number;
    else if (place == FAULT_COMMIT || place == FAULT_CONNECT)
        call.db_number = atomic_fetch_add(&counters[FAULT_DB], 1) + 1;
    return call;
}

bool fault_is_due(const struct fault_call *call, enum fault_when when)
{
    for (int i = 0; i < rules.count && call->number > 0; i++)
        if (fault_rule_match(&rules.items[i], call, when) != NULL) return true;
    return false;
}

static void stall(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0)
        ;
}

static int act(const struct fault_deed *deed)
{
    (void)atomic_fetch_add(&fired, 1);
    switch (deed->action) {
    case FAULT_KILL:
        write_counts();
        (void)kill(getpid(), SIGKILL);
        for (;;)
            (void)pause();
    case FAULT_STOP:
        write_counts();
        /* To this thread, so that it does not get a step further before all stand. */
        (void)raise(SIGSTOP);
        return 0;
    case FAULT_STALL:
        stall(deed->value);
        return 0;
    case FAULT_ERROR:
        return deed->value;
    case FAULT_LOST:
        return FAULT_LOSE;
    }
    return 0;
}

int fault_at(const struct fault_call *call, enum fault_when when)
{
    for (int i = 0; i < rules.count && call->number > 0; i++) {
        const struct fault_deed *deed = fault_rule_match(&rules.items[i], call, when);
        int error = deed == NULL ? 0 : act(deed);
        if (error != 0) return error;
    }
    return 0;
}

int64_t fault_clock_shift_us(void)
{
    long long shift = 0;
    const char *path = getenv("SETTLEMENTD_TEST_CLOCK");
    CLEANUP(close_file) FILE *file = path == NULL ? NULL : fopen(path, "re");
    if (file != NULL && fscanf(file, "%lld", &shift) != 1) shift = 0;
    return shift;
}
