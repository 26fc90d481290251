/* Succeeds and leaves a daemon behind, in a session of its own and with another parent. */
#include "misbehaving.h"

#include <sys/wait.h>

static int32_t deploy(void* self, const certcast_job* job) {
    int link[2];
    pid_t child;
    char byte = 0;
    if (pipe(link) != 0) return CERTCAST_FAILED;
    child = fork();
    if (child == 0) {
        setsid();
        if (fork() != 0) _exit(0);
        setsid();
        announce(job);
        if (write(link[1], &byte, 1) != 1) _exit(1);
        for (;;) pause();
    }
    waitpid(child, NULL, 0);
    if (read(link[0], &byte, 1) != 1) return CERTCAST_FAILED;
    take((long)config_of(job, "milliseconds")->integer);
    return changed(job);
}
MISBEHAVING_DEPLOYER("test-daemon", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_EXEC)
