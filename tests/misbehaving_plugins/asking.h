/* A neighbour that asks its host all the time, and notices when the answers are late. */
#ifndef CERTCAST_TESTS_ASKING_H
#define CERTCAST_TESTS_ASKING_H

#include "misbehaving.h"

static inline long microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Until the host refuses. Tells the longest time from one answer to the next. */
static inline int32_t ask_on(const certcast_job* job) {
    const certcast_bytes nothing = {NULL, 0};
    long longest = 0;
    long before = microseconds();
    char text[32];
    const certcast_str name = CERTCAST_STR("longest");
    certcast_str value = {text, 0};
    while (job->host->set_state(job->host, nothing) == CERTCAST_OK) {
        const long now = microseconds();
        if (now - before > longest) longest = now - before;
        before = now;
    }
    value.size = (uint64_t)snprintf(text, sizeof text, "%ld", longest);
    job->host->output(job->host, name, value);
    return CERTCAST_OK;
}

#endif
