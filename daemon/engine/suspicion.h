/* When a process whose lease runs on is believed to be gone: its named lock is free, and was so at
 * every look for longer than a process needs to notice that its session was ended and to take the
 * lock again. A guess that saves the wait for the lease; the epochs make a wrong one harmless. One
 * thread owns the suspicions; {0} knows of nobody. */
#ifndef DAEMON_ENGINE_SUSPICION_H
#define DAEMON_ENGINE_SUSPICION_H

#include "common/clock.h"
#include "daemon/engine/node.h"

enum { SUSPECTS = 8 };

struct suspicions {
    struct suspect {
        char node_id[NODE_ID];       /* empty: nobody */
        int64_t since_us, looked_us; /* the first look at which its lock was free, and the last */
    } suspects[SUSPECTS];
};

/* What a look at a process showed. True: it is gone. */
bool suspicion_look(struct suspicions *suspicions, const struct clock *clock, const char *node_id,
                    bool lock_held);

#endif
