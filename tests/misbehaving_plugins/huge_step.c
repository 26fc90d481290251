/* Records steps that are larger than any may be, then one that fits. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    static uint8_t undo[100 * 1024 * 1024];
    const certcast_str label = CERTCAST_STR("huge");
    certcast_bytes bytes = {undo, sizeof undo};
    if (job->host->step(job->host, label, bytes) != CERTCAST_E_TOO_LARGE) return CERTCAST_FAILED;
    bytes.size = 20 * 1024 * 1024;
    if (job->host->step(job->host, label, bytes) != CERTCAST_E_TOO_LARGE) return CERTCAST_FAILED;
    bytes.size = 15 * 1024 * 1024;
    if (job->host->step(job->host, label, bytes) != CERTCAST_OK) return CERTCAST_FAILED;
    return changed(job);
}
MISBEHAVING_PLUGIN("test-huge-step")
