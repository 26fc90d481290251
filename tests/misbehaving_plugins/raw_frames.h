/* Frames written by hand, as a plugin could that goes round the host functions. */
#ifndef CERTCAST_TESTS_RAW_FRAMES_H
#define CERTCAST_TESTS_RAW_FRAMES_H

#include "misbehaving.h"

#include <stdlib.h>
#include <sys/socket.h>

/* Where a worker finds its host, and the numbers of core/worker/frame.hpp. */
enum {
    host_socket = 3,
    frame_log = 62,
    frame_set_changed = 67,
    frame_step = 82,
    frame_wait = 85,
    frame_protect = 86
};

/* 0: sent. -1: the host takes no more for now. */
static inline int send_raw(uint32_t type, uint32_t call, const void* payload, uint32_t size) {
    const uint32_t header[4] = {type, call, size, 0};
    unsigned char* frame = malloc(sizeof header + size);
    ssize_t sent;
    if (frame == NULL) _exit(9);
    memcpy(frame, header, sizeof header);
    memcpy(frame + sizeof header, payload, size);
    sent = send(host_socket, frame, sizeof header + size, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(frame);
    return sent < 0 ? -1 : 0;
}

/* A header with a descriptor. `large`: the payload of `size` bytes lies in it. */
static inline int send_descriptor(uint32_t type, uint32_t size, int large, int given) {
    uint32_t frame[4] = {type, 0, size, (uint32_t)large};
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
    return sendmsg(host_socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

#endif
