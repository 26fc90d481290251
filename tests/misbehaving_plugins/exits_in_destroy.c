/* Does its work, and ends its process where it should only tidy up. */
#include "misbehaving.h"

static void exit_instead(void* self) {
    (void)self;
    _exit(0);
}
#define misbehaving_destroy exit_instead

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-exits-in-destroy")
