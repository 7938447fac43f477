/* Refuses memory at each place where a scenario asks for it: at the first, the second, the third
 * and so on, until it runs through untouched; once so that only that one is refused, and once so
 * that all after it are, too. Each time the scenario must fail with ERR_MEMORY and leave nothing
 * behind (the address sanitizer sees to that), and in the end succeed. */
#ifndef TESTS_UNIT_EXHAUST_H
#define TESTS_UNIT_EXHAUST_H

#include <check.h>

#include "common/fault.h"

#ifdef SETTLEMENTD_TEST_SEAMS

struct exhaust_scenario {
    const char *name;
    enum err (*run)(void *context); /* of programs' code only: nothing that asserts */
    int least;                      /* so many pieces of memory it asks for, at least */
    bool copes;                     /* it may also do without a piece */
};

static inline uint64_t exhaust_once(const struct exhaust_scenario *scenario, void *context,
                                    uint64_t number, bool later)
{
    char rule[80];
    struct detail detail = {""};
    (void)text_format(rule, sizeof(rule), "malloc:%llu%s:before:error=ENOMEM",
                      (unsigned long long)number, later ? "+" : "");
    enum err set = fault_use(rule, &detail);
    enum err err = scenario->run(context);
    uint64_t asked = fault_counted(FAULT_MALLOC);
    enum err unset = fault_use(NULL, NULL);
    ck_assert(set == OK && unset == OK);
    bool right = asked < number ? err == OK : err == ERR_MEMORY || (scenario->copes && err == OK);
    ck_assert_msg(right, "%s, %s: %llu asked for, %s", scenario->name, rule,
                  (unsigned long long)asked, err_name(err));
    return asked;
}

/* How many pieces of memory it asked for. */
static inline int exhaust(const struct exhaust_scenario *scenario, void *context)
{
    enum { MOST = 5000 };
    int reached = 0;
    for (int later = 0; later < 2; later++) {
        int number = 1;
        while (number < MOST &&
               exhaust_once(scenario, context, (uint64_t)number, later != 0) >= (uint64_t)number)
            number++;
        ck_assert_int_lt(number, MOST);
        ck_assert_msg(number - 1 >= scenario->least, "%s asks for %d pieces of memory only",
                      scenario->name, number - 1);
        reached = number - 1;
    }
    return reached;
}

#endif
#endif
