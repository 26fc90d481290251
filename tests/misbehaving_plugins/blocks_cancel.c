/* Does to the cancel descriptor what would make the host wait, if it shared more than the socket.
 */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const uint64_t full = UINT64_MAX - 1;
    const int fd = job->host->cancel_fd(job->host);
    fcntl(fd, F_SETFL, 0);
    if (write(fd, &full, sizeof full) < 0) _exit(9);
    for (;;) pause();
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-blocks-cancel")
