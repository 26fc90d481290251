/* Says who it is and when its deadline is, and does not stop. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    announce_with(job, job->host->deadline_ns(job->host));
    while (pause() == -1) {
    }
    return CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN("bench-hung")
