/* Dies as a failed assertion does. */
#include "misbehaving.h"

#include <stdlib.h>

static int32_t deploy(void* self, const certcast_job* job) {
    abort();
}
MISBEHAVING_PLUGIN("test-aborts")
