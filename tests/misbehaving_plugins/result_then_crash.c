/* Says that all went well, and crashes. */
#include "raw_frames.h"

#include <signal.h>

enum { frame_result_ = 61 };

static int32_t deploy(void* self, const certcast_job* job) {
    send_raw(frame_result_, 0, "", 0);
    raise(SIGSEGV);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-result-then-crash")
