/* What has to be true of a database before anything is run on it: the server's settings are
 * durable, and the schema is exactly the one of this version. */
#ifndef DAEMON_STARTUP_H
#define DAEMON_STARTUP_H

#include "common/db/connection.h"

/* OK, ERR_SETTING, ERR_SCHEMA or what the server said, with words in `detail`. */
enum err startup_check(struct db *db, struct detail *detail) MUST_CHECK;

#endif
