/* test_fuzz [TARGET [FILE...]]: gives targets the inputs that were kept for them in
 * tests/fuzz/corpus/TARGET/, or the files named. Ends the hard way at the first one that does harm,
 * and at one that takes too long. Run it from the top of the tree. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static const char CORPUS[] = "tests/fuzz/corpus";

enum { SECONDS_FOR_AN_INPUT = 60, SIZE_MAX_BYTES = 1024 * 1024 };

/* What is being run, for the words when it ends badly. */
static char running[PATH_MAX];

/* Where the sanitizers are built in. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void say_what_ran(void)
{
    static const char words[] = "test_fuzz: it was the input ";
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    (void)!write(STDERR_FILENO, running, strlen(running));
    (void)!write(STDERR_FILENO, "\n", 1);
}

static void on_signal(int signal)
{
    (void)signal;
    say_what_ran();
    _exit(EXIT_FAILURE);
}

static void name_the_input_at_the_end(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGABRT, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    if (__sanitizer_set_death_callback != NULL) __sanitizer_set_death_callback(say_what_ran);
}

static bool replay_file(const struct target *target, const char *path)
{
    CLEANUP(close_file) FILE *file = fopen(path, "rb");
    CLEANUP(free_pointer) uint8_t *bytes = malloc(SIZE_MAX_BYTES);
    if (file == NULL || bytes == NULL) {
        fprintf(stderr, "test_fuzz: %s: %s\n", path, strerror(errno));
        return false;
    }
    size_t size = fread(bytes, 1, SIZE_MAX_BYTES, file);
    /* Memory of exactly the input's size, so that the sanitizer sees who reads further. */
    CLEANUP(free_pointer) uint8_t *exact = malloc(size + (size == 0 ? 1 : 0));
    if (exact == NULL) return false;
    memcpy(exact, bytes, size);
    (void)text_format(running, sizeof(running), "%s", path);
    struct input input = {exact, size};
    alarm(SECONDS_FOR_AN_INPUT);
    target->run(&input);
    alarm(0);
    return true;
}

/* How many inputs were kept for the target; -1 when one could not be read. A target without any is
 * as bad: then nothing was tested. */
static int replay_corpus(const struct target *target)
{
    char folder[PATH_MAX], path[PATH_MAX];
    (void)text_format(folder, sizeof(folder), "%s/%s", CORPUS, target->name);
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort), inputs = 0;
    for (int i = 0; i < count; i++) {
        bool good = entries[i]->d_name[0] == '.' ||
                    (text_format(path, sizeof(path), "%s/%s", folder, entries[i]->d_name) &&
                     replay_file(target, path));
        if (!good) inputs = -1;
        if (inputs >= 0 && entries[i]->d_name[0] != '.') inputs++;
        free(entries[i]);
    }
    free(entries);
    if (inputs == 0) fprintf(stderr, "test_fuzz: there are no inputs in %s\n", folder);
    return inputs > 0 ? inputs : -1;
}

static int replay_all(const struct target *only)
{
    int total = 0, targets = 0, outcome = EXIT_SUCCESS;
    const struct target *target;
    for (size_t i = 0; (target = target_at(i)) != NULL; i++) {
        if (only != NULL && target != only) continue;
        int inputs = replay_corpus(target);
        if (inputs < 0) outcome = EXIT_FAILURE;
        total += inputs > 0 ? inputs : 0;
        targets++;
        printf("%-10s %5d inputs\n", target->name, inputs);
    }
    printf("%d inputs given to %d targets\n", total, targets);
    return outcome;
}

int main(int argc, char **argv)
{
    const struct target *target = argc > 1 ? target_find(argv[1]) : NULL;
    if (argc > 1 && target == NULL) {
        fprintf(stderr, "test_fuzz: there is no target %s; see tests/fuzz/targets.h\n", argv[1]);
        return 2;
    }
    name_the_input_at_the_end();
    if (argc <= 2) return replay_all(target);
    for (int i = 2; i < argc; i++)
        if (!replay_file(target, argv[i])) return EXIT_FAILURE;
    printf("%d inputs given to %s\n", argc - 2, target->name);
    return EXIT_SUCCESS;
}
