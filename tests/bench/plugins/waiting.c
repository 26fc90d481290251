/* Waits for its time to pass, as a deployer waits for a slow remote side. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    struct pollfd cancel = {.fd = job->host->cancel_fd(job->host), .events = POLLIN};
    if (poll(&cancel, 1, (int)config_of(job, "milliseconds")->integer) != 0)
        return CERTCAST_E_CANCELLED;
    return changed(job);
}
MISBEHAVING_PLUGIN("bench-waiting")
