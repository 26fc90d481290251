/* Never comes back from being loaded but to be described, and wants to outlive its host. Built once
 * for each right that makes a difference; NAME is the plugin's. */
#include "misbehaving.h"

#include <sys/prctl.h>

__attribute__((constructor)) static void stay(int argc, char** argv) {
    if (argc < 2 || strcmp(argv[1], "--describe") == 0) return;
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    for (;;) pause();
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_DEPLOYER(NAME, CERTCAST_ABI_MAJOR, NEEDS)
