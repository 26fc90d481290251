/* Wants more and more memory that only all of an attempt together can be made to account for. */
#include "misbehaving.h"

#include <sys/mman.h>

static int32_t deploy(void* self, const certcast_job* job) {
    const size_t piece = 16 << 20;
    int pieces;
    for (pieces = 0; pieces < 64; ++pieces) {
        void* const more =
            mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED) return CERTCAST_FAILED;
        memset(more, 1, piece);
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("test-shared-memory-bomb")
