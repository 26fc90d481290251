/* Asks to wait for a minute and ends its stage without the answer, to get on without a slot. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    struct {
        uint64_t milliseconds;
        uint32_t size_of_why;
    } __attribute__((packed)) wait = {60000, 0};
    job->host->set_changed(job->host, 0, 1);
    send_raw(frame_wait, 77, &wait, sizeof wait);
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-outlasting-call")
