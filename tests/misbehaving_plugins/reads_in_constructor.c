/* Looks for secrets while it is loaded, and tells later what it found. */
#include "misbehaving.h"

static int found = -1;

__attribute__((constructor)) static void look(void) {
    found = open("/etc/shadow", O_RDONLY);
}

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_str name = CERTCAST_STR("shadow");
    const certcast_str seen = CERTCAST_STR("seen"), hidden = CERTCAST_STR("hidden");
    job->host->output(job->host, name, found >= 0 ? seen : hidden);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-reads-in-constructor")
