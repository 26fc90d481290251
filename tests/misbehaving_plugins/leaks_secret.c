/* Puts its password wherever an author might put one by mistake. */
#include "misbehaving.h"

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_host* host = job->host;
    const certcast_str code = CERTCAST_STR("");
    certcast_bytes password = {NULL, 0};
    certcast_str text;
    char sentence[1000];
    if (host->secret(host, config_of(job, "password")->text, 0, &password) != CERTCAST_OK)
        return CERTCAST_FAILED;
    snprintf(sentence, sizeof sentence, "login with %.*s was refused", (int)password.size,
             (const char*)password.data);
    text.data = sentence;
    text.size = strlen(sentence);
    puts(sentence);
    fflush(stdout);
    host->log(host, CERTCAST_ERROR, text, NULL, 0);
    host->progress(host, 500, text);
    host->output(host, text, text);
    host->fail(host, CERTCAST_AUTH_ERROR, CERTCAST_RETRY_NEVER, 0, code, text);
    return CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN("test-leaks-secret")
