/* Starts processes that start processes, until none can be had. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    for (;;) fork();
    return changed(job);
}
MISBEHAVING_DEPLOYER("test-fork-bomb", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_EXEC)
