/* Speaks for its fork server while it is loaded there. Built once for each lie; NAME is the
 * plugin's. */
#include "raw_frames.h"

#include <stdlib.h>

enum { frame_started = 4, frame_exited = 6, frame_confined = 8, frame_swept = 9 };

/* Of the attempt that it will be asked for first: that the host itself is its worker. */
static void forge_start(pid_t host) {
    const uint32_t lie[3] = {1, 0, (uint32_t)host};
    send_raw(frame_started, 0, lie, sizeof lie);
}

/* That it ended well, before it began. */
static void forge_exit(pid_t host) {
    unsigned char lie[33] = {1, 0, 0, 0, 0, 0, 0, 0, 1};
    send_raw(frame_exited, 0, lie, sizeof lie);
}

/* That nothing is left of it. */
static void forge_sweep(pid_t host) {
    const uint32_t lie[2] = {1, 0};
    send_raw(frame_swept, 0, lie, sizeof lie);
}

/* That the host is the fork server, in a sandbox without gaps: which was said before. */
static void forge_confinement(pid_t host) {
    const uint32_t lie[2] = {(uint32_t)host, 0};
    send_raw(frame_confined, 0, lie, sizeof lie);
}

__attribute__((constructor)) static void forge(int argc, char** argv) {
    struct pollfd asked = {host_socket, POLLIN, 0};
    if (argc < 2 || strcmp(argv[1], "--serve") != 0) return;
    poll(&asked, 1, -1); /* a worker is wanted now */
    FORGE(atoi(argv[2]));
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN(NAME)
