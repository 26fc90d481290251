/* Tries to start processes, which it does not declare, while its fork server starts workers. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    int i;
    for (i = 0; i < 2000; ++i) {
        const pid_t child = fork();
        if (child == 0) _exit(0);
        if (child > 0) return CERTCAST_FAILED;
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("test-forks-undeclared")
