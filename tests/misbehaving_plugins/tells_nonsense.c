/* Goes round its worker to tell of a certificate that the deployment does not have. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    static const uint32_t certificate_seven_changed[3] = {7, 0, 1};
    if (send_raw(frame_set_changed, 0, certificate_seven_changed,
                 sizeof certificate_seven_changed) != 0) {
        _exit(9);
    }
    wait_for_cancel(job);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-tells-nonsense")
