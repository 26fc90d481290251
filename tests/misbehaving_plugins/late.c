/* Finishes well, and only when asked to stop. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    announce(job);
    wait_for_cancel(job);
    announce(job);
    take((long)config_of(job, "milliseconds")->integer);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-late")
