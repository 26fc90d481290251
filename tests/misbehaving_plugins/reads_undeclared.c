/* Reads what none of its parameters names, and says what came of it. */
#include "misbehaving.h"

#include <errno.h>

static int32_t deploy(void* self, const certcast_job* job) {
    char text[256];
    certcast_str message = {text, 0};
    if (open("/etc/shadow", O_RDONLY) >= 0) return changed(job);
    snprintf(text, sizeof text, "cannot read /etc/shadow: %s", strerror(errno));
    message.size = strlen(text);
    job->host->fail(job->host, CERTCAST_CONFIG_ERROR, CERTCAST_RETRY_NEVER, 0,
                    (certcast_str){NULL, 0}, message);
    return CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN("test-reads-undeclared")
