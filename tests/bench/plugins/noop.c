/* Does nothing, in a process that has loaded what deployers for remote targets load. */
#include "misbehaving.h"

#include <curl/curl.h>
#include <libssh/libssh.h>
#include <openssl/ssl.h>

static int32_t deploy(void* self, const certcast_job* job) {
    /* Names a symbol of each library, so that all three are there. */
    if (curl_version() == NULL || ssh_version(0) == NULL ||
        OpenSSL_version(OPENSSL_VERSION) == NULL)
        return CERTCAST_FAILED;
    return changed(job);
}

#ifdef BENCH_COLD_START
/* A thread at load time: this library cannot be forked after loading. */
#include <pthread.h>

static void* idle(void* nothing) {
    for (;;) pause();
    return nothing;
}

__attribute__((constructor)) static void start_a_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, idle, NULL) != 0) _exit(9);
}

MISBEHAVING_PLUGIN("bench-cold")
#else
MISBEHAVING_PLUGIN("bench-noop")
#endif
