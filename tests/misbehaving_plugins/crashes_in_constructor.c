/* Crashes while it is loaded. */
#include "misbehaving.h"

#include <stdlib.h>

__attribute__((constructor)) static void crash(void) {
    abort();
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-crashes-in-constructor")
