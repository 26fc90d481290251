/* Ends the process from another thread while the stage waits. */
#include "misbehaving.h"

#include <pthread.h>
#include <stdlib.h>

static void* ends(void* nothing) {
    exit(0);
    return nothing;
}

static int32_t deploy(void* self, const certcast_job* job) {
    pthread_t thread;
    pthread_create(&thread, NULL, ends, NULL);
    pthread_join(thread, NULL);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-exits-from-thread")
