/* Fills its socket with log lines that are as long as log lines can be, and dies. */
#include "raw_frames.h"

#include <sys/mman.h>

enum { fields = 64, longest_text = 16 * 1024 };

static size_t put(unsigned char* to, uint32_t number) {
    memcpy(to, &number, sizeof number);
    return sizeof number;
}

static int32_t deploy(void* self, const certcast_job* job) {
    /* Level and text, then fields with name and value; each text follows its length. */
    const uint32_t size = 3 * sizeof(uint32_t) + fields * 2 * (sizeof(uint32_t) + longest_text);
    const int memory = memfd_create("large", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    unsigned char* const line = calloc(1, size);
    unsigned char* end = line;
    int i;
    end += put(end, 0);
    end += put(end, 0);
    end += put(end, fields);
    for (i = 0; i < fields * 2; ++i) {
        end += put(end, longest_text);
        memset(end, 'x', longest_text);
        end += longest_text;
    }
    if (write(memory, line, size) != (ssize_t)size) _exit(9);
    if (fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) != 0) _exit(9);
    while (send_descriptor(frame_log, size, 1, memory) == 0) {
    }
    _exit(0);
}
MISBEHAVING_PLUGIN("test-floods-memory")
