/* The key that tells job instances apart, as Spring Batch 5.x computes it: the MD5 of the
 * identifying parameters, in the order of their names, each as `NAME={value=V, type=class C,
 * identifying=true};`. 6.x joins them differently; the keys are not the same. Source:
 * DefaultJobKeyGenerator, tag v5.2.6. Pure. */
#ifndef DAEMON_ENGINE_JOB_KEY_H
#define DAEMON_ENGINE_JOB_KEY_H

#include "common/base.h"

enum { JOB_KEY_TEXT = 33 };

struct job_parameter {
    const char *name, *type, *value; /* type: the Java class's full name */
    bool identifying;
};

/* `parameters` in the order of their names. ERR_MEMORY, or ERR_INVALID when they are longer than
 * any table column. */
enum err job_key(const struct job_parameter *parameters, int count,
                 char ret_key[JOB_KEY_TEXT]) MUST_CHECK;

/* The key of a job whose one identifying parameter is targetDate, a java.lang.String: so are all
 * jobs here. */
extern const char JOB_KEY_PARAMETER[], JOB_KEY_PARAMETER_TYPE[];
enum err job_key_of_date(const char *date, char ret_key[JOB_KEY_TEXT]) MUST_CHECK;

#endif
