/* Asks not to be killed, over and over, and never ends. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    for (;;) {
        if (job->host->protect(job->host, 5000) != CERTCAST_OK) return CERTCAST_FAILED;
        take(200);
    }
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-renews-protection")
