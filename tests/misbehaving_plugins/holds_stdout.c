/* Succeeds while a child of its own keeps standard output and every other descriptor open. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    int link[2];
    char byte = 0;
    if (pipe(link) != 0) return CERTCAST_FAILED;
    if (fork() == 0) {
        announce(job);
        if (write(link[1], &byte, 1) != 1) _exit(1);
        for (;;) pause();
    }
    return read(link[0], &byte, 1) == 1 ? changed(job) : CERTCAST_FAILED;
}
MISBEHAVING_DEPLOYER("test-holds-stdout", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_EXEC)
