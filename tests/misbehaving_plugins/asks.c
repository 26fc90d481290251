/* Asks its host all the time. */
#include "asking.h"

static int32_t deploy(void* self, const certcast_job* job) {
    return ask_on(job);
}
MISBEHAVING_PLUGIN("test-asks")
