/* Fails and does not say why. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    return CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN("test-fails-silently")
