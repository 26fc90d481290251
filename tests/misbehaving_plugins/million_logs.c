/* Logs faster than anyone reads. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_str message = CERTCAST_STR("one of a million lines that nobody wants to read");
    int i;
    announce(job);
    for (i = 0; i < 1000 * 1000; ++i) job->host->log(job->host, CERTCAST_DEBUG, message, NULL, 0);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-million-logs")
