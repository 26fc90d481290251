/* Writes 100 MB to standard output. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    char line[1000];
    int i;
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (i = 0; i < 100 * 1000; ++i) {
        if (write(STDOUT_FILENO, line, sizeof line) != (ssize_t)sizeof line) return CERTCAST_FAILED;
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("test-floods-stdout")
