/* Starts threads until none can be had. */
#include "misbehaving.h"

#include <pthread.h>

static void* sleeps(void* nothing) {
    pause();
    return nothing;
}

static int32_t deploy(void* self, const certcast_job* job) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, &small, sleeps, NULL) != 0) pause();
    }
    return changed(job);
}
MISBEHAVING_PLUGIN("test-thread-bomb")
