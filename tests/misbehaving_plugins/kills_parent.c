/* Kills the process that it was forked from. */
#include "misbehaving.h"

#include <signal.h>

static int32_t deploy(void* self, const certcast_job* job) {
    kill(getppid(), SIGKILL);
    while (pause() == -1) {
    }
    return CERTCAST_OK;
}
MISBEHAVING_DEPLOYER("test-kills-parent", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_SIGNALS)
