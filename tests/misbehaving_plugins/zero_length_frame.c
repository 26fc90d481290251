/* Sends a message without a byte, which no frame is. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    if (send(host_socket, "", 0, MSG_DONTWAIT) != 0) _exit(9);
    wait_for_cancel(job);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-zero-length-frame")
