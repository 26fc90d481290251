/* Cannot even be loaded. */
#include "misbehaving.h"

__attribute__((constructor)) static void spin(void) {
    volatile unsigned turns = 0;
    while (turns < 2) turns ^= 1;
}

static int32_t deploy(void* self, const certcast_job* job) {
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-spins-in-constructor")
