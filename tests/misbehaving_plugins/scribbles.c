/* Writes noise into whatever descriptors there are, its host's socket among them. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    unsigned char noise[64];
    unsigned seed = 12345;
    int fd;
    size_t i;
    for (fd = 0; fd < 1024; ++fd) {
        for (i = 0; i < sizeof noise; ++i) {
            seed = seed * 1103515245u + 12345u;
            noise[i] = (unsigned char)(seed >> 16);
        }
        if (write(fd, noise, sizeof noise) < 0) continue;
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("test-scribbles")
