/* Logs, prints and names outputs in bytes that are no UTF-8. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_str bad = {"\xff\xfe\xc0\x80 \x1b[31m", 10};
    job->host->log(job->host, CERTCAST_INFO, bad, NULL, 0);
    job->host->output(job->host, bad, bad);
    puts("\xff\xfe\xc0\x80");
    return changed(job);
}
MISBEHAVING_PLUGIN("test-invalid-utf8")
