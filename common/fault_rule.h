/* The text of a fault rule, and which calls it means. Pure; see common/fault.h for the language. */
#ifndef COMMON_FAULT_RULE_H
#define COMMON_FAULT_RULE_H

#include "common/fault.h"

enum fault_action { FAULT_KILL, FAULT_STOP, FAULT_STALL, FAULT_ERROR, FAULT_LOST };

/* What is to be done; `value` is stall's milliseconds or the number of the error. */
struct fault_deed {
    enum fault_action action;
    int value;
};

enum { FAULT_DEEDS = 16, FAULT_RULES = 64 };

struct fault_rule {
    bool is_random;
    enum fault_place place;
    uint64_t first, last; /* numbers of calls */
    enum fault_when when;
    uint64_t seed;
    int permille;
    struct fault_deed deeds[FAULT_DEEDS]; /* one, but for a random rule */
    int deed_count;
};

struct fault_rules {
    struct fault_rule items[FAULT_RULES];
    int count;
};

/* ERR_CONFIG, with the rule and what is wrong with it in `detail`. */
enum err fault_rules_parse(const char *text, struct fault_rules *ret_rules,
                           struct detail *detail) MUST_CHECK;

/* What the rule wants at this point of the call; NULL: nothing. */
const struct fault_deed *fault_rule_match(const struct fault_rule *rule,
                                          const struct fault_call *call, enum fault_when when);

/* "db", "commit", … */
const char *fault_place_name(enum fault_place place);

#endif
