/* Says that its stage has ended, and calls all the same. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const uint32_t status = CERTCAST_OK;
    const uint64_t milliseconds = 1000;
    if (send_raw(frame_stage_ended, 0, &status, sizeof status) != 0) _exit(9);
    if (send_raw(frame_protect, 1, &milliseconds, sizeof milliseconds) != 0) _exit(9);
    if (send_raw(frame_wait, 2, &milliseconds, sizeof milliseconds) != 0) _exit(9);
    for (;;) pause();
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-calls-after-stage")
