/* Hands the host a descriptor that it never asked for. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) _exit(9);
    if (send_descriptor(frame_log, 0, 0, pair[0]) != 0) _exit(9);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-sends-descriptor")
