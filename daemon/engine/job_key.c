#include "daemon/engine/job_key.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

const char JOB_KEY_PARAMETER[] = "targetDate";
const char JOB_KEY_PARAMETER_TYPE[] = "java.lang.String";

enum err job_key(const struct job_parameter *parameters, int count, char ret_key[JOB_KEY_TEXT])
{
    char text[4096] = "";
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        ASSERT(i == 0 || strcmp(parameters[i - 1].name, parameters[i].name) < 0);
        if (!parameters[i].identifying) continue;
        if (!text_format(text + used, sizeof(text) - used,
                         "%s={value=%s, type=class %s, identifying=true};", parameters[i].name,
                         parameters[i].value, parameters[i].type))
            return ERR_INVALID;
        used += strlen(text + used);
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(text, used, digest, &length, EVP_md5(), NULL) != 1) return ERR_MEMORY;
    ASSERT(length * 2 < JOB_KEY_TEXT);
    for (unsigned i = 0; i < length; i++)
        (void)snprintf(ret_key + (size_t)i * 2, 3, "%02x", digest[i]);
    return OK;
}

enum err job_key_of_date(const char *date, char ret_key[JOB_KEY_TEXT])
{
    const struct job_parameter parameter = {
        .name = JOB_KEY_PARAMETER,
        .type = JOB_KEY_PARAMETER_TYPE,
        .value = date,
        .identifying = true,
    };
    return job_key(&parameter, 1, ret_key);
}
