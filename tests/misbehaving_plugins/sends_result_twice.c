/* Sends a result itself, twice, before it comes back with another. */
#include "raw_frames.h"

enum { frame_result = 61 };

static int32_t deploy(void* self, const certcast_job* job) {
    send_raw(frame_result, 0, "", 0);
    send_raw(frame_result, 0, "", 0);
    return CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN("test-sends-result-twice")
