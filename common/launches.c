#include "common/launches.h"

static const char HOLD_SQL[] = "SELECT job_name FROM job_control LOCK IN SHARE MODE";

enum err launches_hold(struct db *db)
{
    return db_execute(db, HOLD_SQL);
}
