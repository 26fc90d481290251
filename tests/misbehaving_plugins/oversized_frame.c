/* Sends a message that is longer than a frame can be. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    static const char bytes[100000];
    if (send_raw(frame_log, 0, bytes, sizeof bytes) != 0) _exit(9);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-oversized-frame")
