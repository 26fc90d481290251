/* Opens descriptors until there are none. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    while (open("/dev/null", O_RDONLY) >= 0) {
    }
    return CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN("test-descriptor-leak")
