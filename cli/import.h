/* settlectl import KIND FILE.csv [--max-rejects N]: loads a CSV file (RFC 4180, UTF-8) into a table
 * of the platform's. All or nothing: one bad row, and nothing is loaded, but the whole file is
 * checked and every bad row reported. With --max-rejects the good rows are loaded as long as there
 * are at most N bad ones. The same content is not loaded twice. Ends with 0, or 1 when nothing was
 * loaded, 2 for the command line, 3 when there is no such file. */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli/cli.h"

int cli_import(struct cli *cli, int argc, char **argv);

#endif
