/* Calls itself until its stack is used up. */
#include "misbehaving.h"

static volatile int go_on = 1;

static int deeper(volatile char* above) {
    volatile char here[4096];
    here[0] = above[0];
    return go_on ? deeper(here) + here[0] : 0;
}

static int32_t deploy(void* self, const certcast_job* job) {
    volatile char top[1] = {1};
    return deeper(top);
}
MISBEHAVING_PLUGIN("test-stack-overflow")
