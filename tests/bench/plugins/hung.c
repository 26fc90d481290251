/* Says who it is and when its deadline is, and never returns. */
#include "misbehaving.h"

static int32_t deploy(void *self, const certcast_job *job) {
    announce(job, getpid(), job->host->deadline_ns(job->host));
    for (;;) pause();
}
MISBEHAVING_PLUGIN("bench-hung")
