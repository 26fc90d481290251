/* Leaves 64 chains of daemons behind, each in a session of its own and the parent of the next; or
 * asks its host all the time, where its work takes any. */
#include "asking.h"

enum { chains = 64, length = 3 };

static int32_t deploy(void* self, const certcast_job* job) {
    int link[2];
    char byte = 0;
    int i;
    int depth = 0;
    if (config_of(job, "milliseconds")->integer != 0) return ask_on(job);
    if (pipe(link) != 0) return CERTCAST_FAILED;
    for (i = 0; i < chains; ++i) {
        if (fork() != 0) continue;
        while (setsid() != -1 && ++depth < length && fork() == 0) {
        }
        if (write(link[1], &byte, 1) != 1) _exit(1);
        for (;;) pause();
    }
    for (i = 0; i < chains * length; ++i) {
        if (read(link[0], &byte, 1) != 1) return CERTCAST_FAILED;
    }
    return changed(job);
}
MISBEHAVING_DEPLOYER("test-leaves-chains", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_EXEC)
