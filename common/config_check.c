#include "common/config_check.h"

#include <string.h>
#include <sys/stat.h>

#include "common/schedule/cron.h"
#include "common/tzif.h"

/* A minimal system may come without the zone files; then only the shape can be judged. */
bool config_accepts_zone(const char *name)
{
    struct stat status;
    if (!tzif_name_has_shape(name)) return false;
    if (stat(ZONE_FOLDER, &status) != 0) return true;
    CLEANUP(zone_cleanup) struct zone *zone = NULL;
    enum err err = tzif_load(ZONE_FOLDER, name, &zone, NULL);
    /* Short memory says nothing about the name; whoever uses the zone loads it anew. */
    return err == OK || err == ERR_MEMORY;
}

bool config_accepts_zone_or_nothing(const char *name)
{
    return name[0] == '\0' || config_accepts_zone(name);
}

bool config_accepts_absolute_or_nothing(const char *path)
{
    return path[0] == '\0' || path[0] == '/';
}

bool config_accepts_something(const char *text)
{
    return text[0] != '\0';
}

bool config_accepts_job_name(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

bool config_accepts_cron(const char *text, struct detail *reason)
{
    struct cron cron;
    return cron_parse(text, &cron, reason) == OK;
}
