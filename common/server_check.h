/* Settings of the server that no session can set and without which an acknowledged commit can be
 * lost. Checked at start; both programs refuse to handle money on such a server. */
#ifndef COMMON_SERVER_CHECK_H
#define COMMON_SERVER_CHECK_H

#include "common/db/connection.h"

/* ERR_SETTING with the setting's name, the value found and the value that it must have. */
enum err server_check(struct db *db, struct detail *detail) MUST_CHECK;

#endif
