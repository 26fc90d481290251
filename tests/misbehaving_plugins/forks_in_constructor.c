/* Starts a process in the place of the worker that it is asked for, while it is loaded, and tries
 * to start many more. */
#include "raw_frames.h"

#include <sys/prctl.h>

__attribute__((constructor)) static void stay_behind(int argc, char** argv) {
    struct pollfd asked = {host_socket, POLLIN, 0};
    int i;
    if (argc < 2 || strcmp(argv[1], "--serve") != 0) return;
    poll(&asked, 1, -1);
    for (i = 0; i < 100; ++i) {
        if (fork() != 0) continue;
        setsid();
        for (;;) pause();
    }
    prctl(PR_SET_NAME, "has-tried");
}

static int32_t deploy(void* self, const certcast_job* job) {
    take(60000);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-forks-in-constructor")
