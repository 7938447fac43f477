/* `settlementd` without a command: the daemon, in the foreground, as a service manager wants it.
 * Wires the loop's thread and the coordinator's together. */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "common/config.h"

/* Runs until SIGTERM or SIGINT. Gives the exit code of the process: 0 after an orderly stop, 1 when
 * it could not start, 78 when a restart would not help since the configuration or the server's
 * settings have to be changed. */
int service_run(const struct config *config);

#endif
