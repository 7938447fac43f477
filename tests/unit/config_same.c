#include "tests/unit/config_same.h"

#include <check.h>
#include <string.h>

#include "common/config_options.h"

void config_check_same(const struct config *config, const struct config *expected)
{
    ck_assert_int_eq(config->job_count, expected->job_count);
    const struct config_option *option;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        bool of_job = option->owner == OPTION_OF_config_job;
        for (int job = 0; job < (of_job ? expected->job_count : 1); job++) {
            char text[300], wanted[300];
            config_option_print(option, of_job ? (const void *)&config->jobs[job] : config, text,
                                sizeof(text));
            config_option_print(option, of_job ? (const void *)&expected->jobs[job] : expected,
                                wanted, sizeof(wanted));
            ck_assert_msg(strcmp(text, wanted) == 0, "%s is %s, not %s", option->name, text,
                          wanted);
        }
    }
}
