/* Writes a file where it should only look. */
#define MISBEHAVING_INSPECT inspect
#include "misbehaving.h"

static int32_t inspect(void* self, const certcast_job* job) {
    certcast_live live = {.size = sizeof live, .presence = CERTCAST_ABSENT};
    char path[4096] = "";
    const certcast_value* file = config_of(job, "announce");
    if (file->text.size < sizeof path) memcpy(path, file->text.data, file->text.size);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    return job->host->live(job->host, &live);
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-writes-in-inspect")
