/* Does not survive being asked what is there. */
#define MISBEHAVING_INSPECT inspect
#include "misbehaving.h"

static int32_t inspect(void* self, const certcast_job* job) {
    _exit(3);
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-dies-in-inspect")
