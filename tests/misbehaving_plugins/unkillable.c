/* Has its end held up by a tracer, as the kernel holds up that of a process which waits for a dead
 * disk. */
#include "misbehaving.h"

#include <sys/ptrace.h>

static int32_t deploy(void* self, const certcast_job* job) {
    int ready[2];
    char byte = 0;
    const long milliseconds = (long)config_of(job, "milliseconds")->integer;
    if (milliseconds != 0) {
        take(milliseconds);
        return changed(job);
    }
    if (pipe(ready) != 0) return CERTCAST_FAILED;
    if (fork() == 0) {
        if (ptrace(PTRACE_SEIZE, getppid(), 0, PTRACE_O_TRACEEXIT) != 0) _exit(1);
        announce(job);
        if (write(ready[1], &byte, 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) return CERTCAST_FAILED;
    for (;;) pause();
    return CERTCAST_OK;
}
MISBEHAVING_DEPLOYER("test-unkillable", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_EXEC)
