/* Asks not to be killed, and finishes well long after deadline and grace. Letting go of the
 * protection before the end would be the end. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    if (job->host->protect(job->host, 5000) != CERTCAST_OK) return CERTCAST_FAILED;
    wait_for_cancel(job);
    take((long)config_of(job, "milliseconds")->integer);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-protects")
