/* Says, as only a fork server may, that an attempt has ended well. */
#include "raw_frames.h"

enum { frame_exited = 6 };

static int32_t deploy(void* self, const certcast_job* job) {
    static const char attempt_one[32] = {1};
    if (send_raw(frame_exited, 0, attempt_one, sizeof attempt_one) != 0) _exit(9);
    wait_for_cancel(job);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-forged-frame")
