/* Wants to wait for a year, whatever it is told. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_str why = CERTCAST_STR("for better times");
    for (;;) job->host->wait(job->host, 365ull * 24 * 3600 * 1000, why);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-waits-a-year")
