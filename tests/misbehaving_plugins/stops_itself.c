/* Stops, so that only a signal which cannot be held back ends it. */
#include "misbehaving.h"

#include <signal.h>

static int32_t deploy(void* self, const certcast_job* job) {
    while (kill(getpid(), SIGSTOP) == 0) {
    }
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-stops-itself")
