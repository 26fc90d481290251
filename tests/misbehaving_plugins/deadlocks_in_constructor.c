/* Waits for itself while it is loaded. */
#include "misbehaving.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void wait_for_itself(void) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&mutex);
}

static int32_t deploy(void* self, const certcast_job* job) {
    return changed(job);
}
MISBEHAVING_PLUGIN("test-deadlocks-in-constructor")
