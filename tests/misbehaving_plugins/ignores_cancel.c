/* Sleeps on, with every polite signal ignored. */
#include "misbehaving.h"

#include <signal.h>

static int32_t deploy(void* self, const certcast_job* job) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    announce(job);
    while (pause() == -1) {
    }
    return CERTCAST_OK;
}
MISBEHAVING_PLUGIN("test-ignores-cancel")
