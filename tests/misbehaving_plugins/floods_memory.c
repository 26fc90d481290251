/* Records steps that are as large as steps can be, without end, whatever it is told. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    static uint8_t undo[16 * 1024 * 1024];
    const certcast_bytes bytes = {undo, sizeof undo};
    const certcast_str label = CERTCAST_STR("large");
    for (;;) job->host->step(job->host, label, bytes);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-floods-memory")
