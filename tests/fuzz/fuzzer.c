/* The program that libFuzzer drives. The target is the one that FUZZ_TARGET names in the
 * environment. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct target *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("FUZZ_TARGET");
    chosen = target_find(name != NULL ? name : "");
    if (chosen == NULL) {
        fprintf(stderr, "%s: FUZZ_TARGET names none of the targets in tests/fuzz/targets.h\n",
                *argc > 0 ? (*argv)[0] : "fuzz");
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    chosen->run(&input);
    return 0;
}
