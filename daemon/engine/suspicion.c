#include "daemon/engine/suspicion.h"

#include <string.h>

/* A process looks after its session five times a second, tries once a second to have it back, and
 * then twice a second to have its lock (all in node.c); it needs a moment to connect. After a pause
 * nobody knows what was in the meantime. */
enum { GONE_AFTER_US = 1500000, PAUSE_US = 5000000 };

static struct suspect *find(struct suspicions *suspicions, const char *node_id)
{
    for (int i = 0; i < SUSPECTS; i++)
        if (strcmp(suspicions->suspects[i].node_id, node_id) == 0) return &suspicions->suspects[i];
    return NULL;
}

/* A free place, or that of the one that was not looked at for longest. */
static struct suspect *make_place(struct suspicions *suspicions)
{
    struct suspect *place = find(suspicions, "");
    if (place != NULL) return place;
    place = &suspicions->suspects[0];
    for (int i = 1; i < SUSPECTS; i++)
        if (suspicions->suspects[i].looked_us < place->looked_us) place = &suspicions->suspects[i];
    return place;
}

bool suspicion_look(struct suspicions *suspicions, const struct clock *clock, const char *node_id,
                    bool lock_held)
{
    int64_t now_us = clock_monotonic_us(clock);
    struct suspect *suspect = find(suspicions, node_id);
    ASSERT(node_id[0] != '\0');
    if (lock_held) {
        if (suspect != NULL) *suspect = (struct suspect){0};
        return false;
    }
    if (suspect == NULL || now_us - suspect->looked_us > PAUSE_US) {
        if (suspect == NULL) suspect = make_place(suspicions);
        suspect->since_us = now_us;
        (void)text_format(suspect->node_id, NODE_ID, "%s", node_id);
    }
    suspect->looked_us = now_us;
    return now_us - suspect->since_us >= GONE_AFTER_US;
}
