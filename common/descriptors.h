/* Standard input, output and error are open, whatever the process was started with: else the next
 * file or connection would get their numbers, and what is said would be written into it. */
#ifndef COMMON_DESCRIPTORS_H
#define COMMON_DESCRIPTORS_H

#include <stdbool.h>

/* Opens /dev/null for those that are closed. The first call of a program. false: not even that can
 * be opened, and there is nowhere to say so. */
bool descriptors_fill(void);

#endif
