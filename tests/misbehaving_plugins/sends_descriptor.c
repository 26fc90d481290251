/* Hands the host a descriptor that it never asked for. */
#include "raw_frames.h"

static int32_t deploy(void* self, const certcast_job* job) {
    uint32_t frame[4] = {frame_log, 0, 0, 0};
    const int given = socket(AF_INET, SOCK_STREAM, 0);
    struct iovec part = {frame, sizeof frame};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {0};
    struct cmsghdr* rights;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &given, sizeof given);
    if (sendmsg(host_socket, &message, MSG_NOSIGNAL) < 0) _exit(9);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-sends-descriptor")
