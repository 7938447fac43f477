/* test_db [SUITE]: runs all suites or the one named ("test_connection" or "connection") against the
 * server whose socket is in $SETTLEMENTD_TEST_SOCKET. CK_FORK=no runs them in this process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/db/harness.h"
#include "tests/db/suites.h"

struct suite_entry {
    const char *name;
    Suite *(*make)(void);
};

static const struct suite_entry SUITES[] = {
#define SUITE(name) {#name, name##_suite},
#include "tests/db/suites.h"
    {NULL, NULL},
};

static bool wanted(const char *name, const char *filter)
{
    const char *prefix = "test_";
    return filter == NULL || strcmp(name, filter) == 0 ||
           strcmp(name + strlen(prefix), filter) == 0;
}

static int refuse(const char *filter)
{
    fprintf(stderr, "test_db: there is no suite %s; choose one of:\n", filter);
    for (const struct suite_entry *entry = SUITES; entry->name != NULL; entry++)
        fprintf(stderr, "  %s\n", entry->name);
    return 2;
}

int main(int argc, char **argv)
{
    const char *filter = argc > 1 ? argv[1] : NULL;
    if (!harness_begin()) return 2;
    SRunner *runner = srunner_create(NULL);
    int chosen = 0;
    for (const struct suite_entry *entry = SUITES; entry->name != NULL; entry++) {
        if (!wanted(entry->name, filter)) continue;
        srunner_add_suite(runner, entry->make());
        chosen++;
    }
    if (filter != NULL && chosen == 0) {
        srunner_free(runner);
        return refuse(filter);
    }
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    harness_end();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
