/* Tells its progress for ever. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_str what = CERTCAST_STR("still at it");
    for (;;) job->host->progress(job->host, 500, what);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-endless-progress")
