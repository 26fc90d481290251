/* Asks and asks, and reads no answer. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const uint64_t milliseconds = 1000;
    for (;;) {
        if (send_raw(frame_protect, 1, &milliseconds, sizeof milliseconds) != 0) take(1);
    }
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-floods-calls")
