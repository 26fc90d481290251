/* Fills its socket with frames that are as large as frames can be, and dies. */
#include "raw_frames.h"

#include <sys/mman.h>

static int32_t deploy(void* self, const certcast_job* job) {
    const uint32_t size = 16u * 1024 * 1024;
    const int memory = memfd_create("large", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ftruncate(memory, size) != 0) _exit(9);
    if (fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) != 0) _exit(9);
    while (send_descriptor(frame_step, size, 1, memory) == 0) {
    }
    _exit(0);
}
MISBEHAVING_PLUGIN("test-floods-memory")
