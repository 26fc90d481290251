/* Closes every descriptor, as a careless daemonising library does, and claims success. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    int fd;
    for (fd = 0; fd < 4096; ++fd) close(fd);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-closes-descriptors")
