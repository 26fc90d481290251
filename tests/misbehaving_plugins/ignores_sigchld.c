/* Loses the fork server every exit status, unless it looks after its signals after loading. */
#include "misbehaving.h"

#include <signal.h>

__attribute__((constructor)) static void ignore(void) {
    signal(SIGCHLD, SIG_IGN);
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-ignores-sigchld")
