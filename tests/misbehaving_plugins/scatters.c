/* Starts processes that are nobody's children, one after the other, without end. */
#include "misbehaving.h"

#include <sys/wait.h>

static int32_t deploy(void* self, const certcast_job* job) {
    for (;;) {
        const pid_t child = fork();
        if (child < 0) return CERTCAST_FAILED;
        if (child == 0) {
            if (fork() != 0) _exit(0);
            setsid();
            for (;;) pause();
        }
        waitpid(child, NULL, 0);
    }
}
MISBEHAVING_DEPLOYER("test-scatters", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_EXEC)
