/* Tidies up until it is asked to stop. */
#include "misbehaving.h"

static const certcast_job* the_job;

static void wait_instead(void* self) {
    (void)self;
    wait_for_cancel(the_job);
}
#define misbehaving_destroy wait_instead

static int32_t deploy(void* self, const certcast_job* job) {
    the_job = job;
    return changed(job);
}
MISBEHAVING_PLUGIN("test-waits-in-destroy")
