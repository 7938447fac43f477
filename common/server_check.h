/* Settings of the server that no session can set and without which an acknowledged commit can be
 * lost. Both programs refuse to handle money on such a server; each refusal names the setting, its
 * value, the value that it must have, and how it gets it. */
#ifndef COMMON_SERVER_CHECK_H
#define COMMON_SERVER_CHECK_H

#include "common/db/connection.h"

enum { SERVER_IDENTITY = 1024 };

/* ERR_SETTING with words, or ERR_READ_ONLY for a server that takes no writes now: a replica, or one
 * that is about to be promoted. The tables are those of the current database, which must all be
 * InnoDB's. A node of a Galera cluster is refused unless database.galera_single_writer is set. */
enum err server_check(struct db *db, const struct config_database *database,
                      struct detail *detail) MUST_CHECK;

/* The same but for the tables, which costs a single look at the variables. */
enum err server_check_settings(struct db *db, const struct config_database *database,
                               struct detail *detail) MUST_CHECK;

/* Which server this is, as text: two servers differ in it, also when they answer at the same
 * address one after the other. */
enum err server_identity(struct db *db, char ret_identity[SERVER_IDENTITY]) MUST_CHECK;

#endif
