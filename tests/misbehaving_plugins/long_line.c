/* Prints one line of ten megabytes, and logs another. */
#include "misbehaving.h"

#include <stdlib.h>

static int32_t deploy(void* self, const certcast_job* job) {
    const size_t size = 10 * 1000 * 1000;
    char* line = malloc(size);
    certcast_str text = {line, size};
    memset(line, 'x', size);
    fwrite(line, 1, size, stdout);
    job->host->log(job->host, CERTCAST_INFO, text, NULL, 0);
    free(line);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-long-line")
