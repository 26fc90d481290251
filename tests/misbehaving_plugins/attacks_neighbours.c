/* Tries to trace, read and signal whatever has a number near its own: its neighbours among them. */
#include "misbehaving.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

static int32_t deploy(void* self, const certcast_job* job) {
    const pid_t own = getpid();
    int reached = 0;
    pid_t other;
    for (other = own - 100; other < own + 100; ++other) {
        if (other == own || other < 2) continue;
        reached += ptrace(PTRACE_SEIZE, other, 0, 0) == 0;
        reached += syscall(SYS_process_vm_readv, other, 0, 0, 0, 0, 0) == 0;
        reached += kill(other, SIGKILL) == 0;
    }
    return reached == 0 ? changed(job) : CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN("test-attacks-neighbours")
