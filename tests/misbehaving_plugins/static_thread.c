/* Starts a thread when it is loaded, so it cannot be forked afterwards. */
#include "misbehaving.h"

#include <pthread.h>

static void* rest(void* unused) {
    for (;;) pause();
    return unused;
}

__attribute__((constructor)) static void start(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, rest, NULL);
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-static-thread")
