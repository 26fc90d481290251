/* Starts a process in the place of the worker that it is asked for, while it is loaded. */
#include "raw_frames.h"

#include <sys/prctl.h>

__attribute__((constructor)) static void stay_behind(int argc, char** argv) {
    struct pollfd asked = {host_socket, POLLIN, 0};
    if (argc < 2 || strcmp(argv[1], "--serve") != 0) return;
    poll(&asked, 1, -1);
    if (fork() != 0) return;
    setsid();
    prctl(PR_SET_NAME, "left-behind");
    for (;;) pause();
}

static int32_t deploy(void* self, const certcast_job* job) {
    take(60000);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-forks-in-constructor")
