#include "common/config_check.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An IANA name: parts of letters, digits, '_', '+', '-', divided by single slashes. Every such name
 * begins with a capital, which tells it from the folder's other files (posixrules, zone.tab) and
 * from right/, whose zones count leap seconds. */
static bool zone_has_shape(const char *name)
{
    if (!isupper((unsigned char)name[0])) return false;
    for (const char *at = name; *at != '\0'; at++) {
        bool slash = *at == '/';
        if (slash && !isalnum((unsigned char)at[1])) return false;
        if (!slash && !isalnum((unsigned char)*at) && strchr("_+-", *at) == NULL) return false;
    }
    return true;
}

/* A minimal system may come without the zone files; then only the shape can be judged. */
bool config_accepts_zone(const char *name)
{
    if (!zone_has_shape(name)) return false;
    struct stat status;
    if (stat(ZONE_FOLDER, &status) != 0) return true;

    char path[PATH_MAX];
    if (!text_format(path, sizeof(path), "%s/%s", ZONE_FOLDER, name)) return false;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return false;
    char magic[4];
    bool zone = read(file, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
                memcmp(magic, "TZif", sizeof(magic)) == 0;
    close(file);
    return zone;
}

bool config_accepts_zone_or_nothing(const char *name)
{
    return name[0] == '\0' || config_accepts_zone(name);
}

bool config_accepts_something(const char *text)
{
    return text[0] != '\0';
}

bool config_accepts_job_name(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* Only the outline: whether the fields mean anything is for the parser of cron expressions to say.
 */
bool config_accepts_cron(const char *text)
{
    static const char BLANK[] = " \t";
    if (text[0] == '@') {
        size_t letters = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz");
        return letters > 0 && text[1 + letters] == '\0';
    }
    int fields = 0;
    for (const char *at = text + strspn(text, BLANK); *at != '\0'; at += strspn(at, BLANK)) {
        fields++;
        at += strcspn(at, BLANK);
    }
    return fields == 5;
}
