/* Records two steps of a kilobyte, and does nothing else. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    static const uint8_t former[1024] = {1};
    const certcast_bytes undo = {former, sizeof former};
    const certcast_str labels[] = {{"one", 3}, {"two", 3}};
    int i;
    for (i = 0; i < 2; ++i) {
        const int32_t answer = job->host->step(job->host, labels[i], undo);
        if (answer != CERTCAST_OK) return answer;
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("bench-steps")
