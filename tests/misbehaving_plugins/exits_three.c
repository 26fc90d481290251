/* Ends the process with a status of its own. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    _exit(3);
}
MISBEHAVING_PLUGIN("test-exits-three")
