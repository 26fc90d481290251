/* Never comes back and burns a processor meanwhile. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    volatile unsigned turns = 0;
    announce(job);
    while (turns < 2) turns ^= 1;
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-spins")
