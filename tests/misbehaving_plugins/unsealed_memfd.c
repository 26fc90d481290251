/* Sends a large frame in a memfd that it can still change. */
#include "raw_frames.h"

#include <sys/mman.h>

static int32_t deploy(void* self, const certcast_job* job) {
    const int memfd = memfd_create("frame", MFD_ALLOW_SEALING);
    if (ftruncate(memfd, 100000) != 0) _exit(9);
    if (send_descriptor(frame_step, 100000, 1, memfd) != 0) _exit(9);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-unsealed-memfd")
