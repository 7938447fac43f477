#include "daemon/startup.h"

#include <limits.h>

#include "common/schema.h"
#include "common/server_check.h"

enum err startup_check(struct db *db, struct detail *detail)
{
    char migrations[PATH_MAX];
    TRY(server_check(db, detail));
    TRY(schema_directory(migrations, sizeof(migrations), detail));
    return schema_check(db, migrations, detail);
}
