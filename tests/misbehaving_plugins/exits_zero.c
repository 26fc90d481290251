/* Ends the process with success and no result. */
#include "misbehaving.h"

#include <stdlib.h>

static int32_t deploy(void* self, const certcast_job* job) {
    exit(0);
}
MISBEHAVING_PLUGIN("test-exits-zero")
