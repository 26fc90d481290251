/* Succeeds while a child of its own keeps standard output and every other descriptor open. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    if (fork() == 0) {
        announce(job, getpid(), getppid());
        for (;;) pause();
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("test-holds-stdout")
