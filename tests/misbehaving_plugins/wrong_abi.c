/* Speaks a major that this host does not. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    return CERTCAST_OK;
}
MISBEHAVING_ABI("test-wrong-abi", 99)
