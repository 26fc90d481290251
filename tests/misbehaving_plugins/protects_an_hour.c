/* Wants not to be killed for an hour, and does nothing. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    job->host->protect(job->host, 3600 * 1000);
    for (;;) pause();
    return changed(job);
}
MISBEHAVING_PLUGIN("test-protects-an-hour")
