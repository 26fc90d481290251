/* Logs a text that the host functions would have shortened. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    enum { length = 20000 };
    static unsigned char payload[4 + 4 + length + 4];
    const uint32_t level = CERTCAST_INFO, size = length;
    memcpy(payload, &level, sizeof level);
    memcpy(payload + 4, &size, sizeof size);
    memset(payload + 8, 'x', length);
    send_raw(frame_log, 0, payload, sizeof payload);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-long-text")
