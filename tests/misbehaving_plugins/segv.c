/* Dies by a segmentation fault. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    volatile int* nowhere = (volatile int*)(uintptr_t)16;
    *nowhere = 1;
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-segv")
