/* Does nothing, in a process that has loaded what deployers for remote targets load. */
#include "misbehaving.h"

#include <curl/curl.h>
#include <libssh/libssh.h>
#include <openssl/ssl.h>

/* Names a symbol of each library, so that all three are loaded. They are not called: curl_version
 * alone opens twenty files, which would be the library's time and not certcast's. */
typedef void (*symbol)(void);
symbol volatile loaded[] = {(symbol)curl_version, (symbol)ssh_version, (symbol)OpenSSL_version};

static int32_t deploy(void* self, const certcast_job* job) {
    return loaded[0] == NULL ? CERTCAST_FAILED : changed(job);
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
