/* Hands the host a descriptor that it never asked for. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    if (send_descriptor(frame_log, 0, 0, socket(AF_INET, SOCK_STREAM, 0)) != 0) _exit(9);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-sends-descriptor")
