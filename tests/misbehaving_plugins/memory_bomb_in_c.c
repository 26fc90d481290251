/* Wants more and more memory by malloc, and never asks whether it got it. */
#include "misbehaving.h"

#include <stdlib.h>

static int32_t deploy(void* self, const certcast_job* job) {
    for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-memory-bomb-in-c")
