/* Writes a file without end. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    static const char block[1 << 16];
    const int fd = open("bomb", O_WRONLY | O_CREAT, 0600);
    while (write(fd, block, sizeof block) > 0) {
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("test-file-bomb")
