/* Starts a child while it is loaded, which holds whatever is open, and later kills the process that
 * its workers are forked from. */
#include "misbehaving.h"

#include <signal.h>

__attribute__((constructor)) static void start_child(void) {
    if (fork() == 0)
        for (;;) pause();
}

static int32_t deploy(void* self, const certcast_job* job) {
    kill(getppid(), SIGKILL);
    for (;;) pause();
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-child-in-constructor")
