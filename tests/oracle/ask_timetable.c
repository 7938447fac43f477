/* ask_timetable [FOLDER]: asks the timetable what test_timetable.py wants to compare. Reads one
 * question a line from stdin, parts divided by tabs, and answers with one line each, parts divided
 * by blanks. FOLDER holds the zone files.
 *
 *   slots ZONE CRON AFTER UNTIL    all slots after AFTER, up to UNTIL
 *   next ZONE CRON AFTER...        for each AFTER the first slot after it, or -
 *   day ZONE CRON INSTANT...       for each INSTANT the date before the one that it lies in
 *
 * Instants are seconds since 1970 UTC. A timetable that is refused is answered with "refused: " and
 * the reason. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timetable.h"
#include "common/tzif.h"

enum { PARTS_FIXED = 3 };

/* The timetable of the last question is kept, because many questions in a row are about the
 * same. */
struct answers {
    const char *folder;
    char *zone, *cron;
    struct timetable *timetable;
};

static void forget(struct answers *answers)
{
    free(answers->zone);
    free(answers->cron);
    timetable_free(answers->timetable);
    *answers = (struct answers){.folder = answers->folder};
}

static bool have_timetable(struct answers *answers, const char *zone, const char *cron)
{
    bool same = answers->timetable != NULL && strcmp(answers->zone, zone) == 0 &&
                strcmp(answers->cron, cron) == 0;
    if (same) return true;
    forget(answers);
    const struct timetable_options options = {cron, zone, zone};
    struct detail detail = {""};
    if (timetable_new_from(answers->folder, &options, &answers->timetable, &detail) != OK) {
        printf("refused: %s\n", detail.text);
        return false;
    }
    answers->zone = strdup(zone);
    answers->cron = strdup(cron);
    ASSERT(answers->zone != NULL && answers->cron != NULL);
    return true;
}

static int64_t instant_of(const char *text)
{
    char *end;
    int64_t instant_s = strtoll(text, &end, 10);
    ASSERT(text[0] != '\0' && *end == '\0');
    return instant_s;
}

static void print_slots(const struct timetable *timetable, char *rest)
{
    int64_t slot_s = instant_of(strsep(&rest, "\t"));
    ASSERT(rest != NULL);
    int64_t until_s = instant_of(rest);
    while (timetable_next(timetable, slot_s, &slot_s) && slot_s <= until_s)
        printf("%" PRId64 " ", slot_s);
}

static void print_next(const struct timetable *timetable, char *rest)
{
    for (const char *part; (part = strsep(&rest, "\t")) != NULL;) {
        int64_t slot_s;
        if (timetable_next(timetable, instant_of(part), &slot_s))
            printf("%" PRId64 " ", slot_s);
        else
            printf("- ");
    }
}

static void print_days(const struct timetable *timetable, char *rest)
{
    for (const char *part; (part = strsep(&rest, "\t")) != NULL;) {
        char day[CIVIL_TEXT];
        civil_format(timetable_day_before(timetable, instant_of(part)), day);
        printf("%s ", day);
    }
}

static void answer(struct answers *answers, char *line)
{
    char *rest = line;
    const char *parts[PARTS_FIXED];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        parts[i] = strsep(&rest, "\t");
        ASSERT(rest != NULL);
    }
    if (!have_timetable(answers, parts[1], parts[2])) return;
    if (strcmp(parts[0], "slots") == 0)
        print_slots(answers->timetable, rest);
    else if (strcmp(parts[0], "next") == 0)
        print_next(answers->timetable, rest);
    else
        print_days(answers->timetable, rest);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct answers answers = {.folder = argc > 1 ? argv[1] : ZONE_FOLDER};
    CLEANUP(free_pointer) char *line = NULL;
    size_t size = 0;
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        if (line[length - 1] == '\n') line[length - 1] = '\0';
        answer(&answers, line);
    }
    forget(&answers);
    return EXIT_SUCCESS;
}
