/* Says things on both standard streams, one without an end of line. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    puts("a line on standard output");
    fputs("a line on standard error\n", stderr);
    fputs("no end of line", stdout);
    fflush(stdout);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-prints")
