/* Says while it is loaded that the host itself is the worker that it will be asked for. */
#include "raw_frames.h"

enum { frame_started = 4 };

__attribute__((constructor)) static void forge(int argc, char** argv) {
    /* Attempt 1, and the process. */
    uint32_t frame[7] = {frame_started, 0, 12, 0, 1, 0, (uint32_t)getppid()};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {frame, sizeof frame};
    struct msghdr message = {0};
    const int given = open("/dev/null", O_RDONLY);
    struct pollfd asked = {host_socket, POLLIN, 0};
    if (argc < 2 || strcmp(argv[1], "--serve") != 0) return;
    poll(&asked, 1, -1); /* a worker is wanted now */
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.align), &given, sizeof given);
    sendmsg(host_socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-forges-start-in-constructor")
