/* What the tests of the configuration share. */
#ifndef TESTS_UNIT_CONFIG_SAME_H
#define TESTS_UNIT_CONFIG_SAME_H

#include "common/config.h"

/* Fails the running test, naming the option, unless all options of both are equal. */
void config_check_same(const struct config *config, const struct config *expected);

#endif
