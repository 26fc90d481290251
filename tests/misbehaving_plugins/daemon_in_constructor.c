/* Leaves a daemon behind while it is loaded. */
#include "misbehaving.h"

#include <sys/wait.h>

__attribute__((constructor)) static void leave_daemon(void) {
    const pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() == 0)
            for (;;) pause();
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-daemon-in-constructor")
