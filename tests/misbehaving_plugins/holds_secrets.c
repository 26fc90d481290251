/* Has asked for its password and the private key, and keeps both until it is told to end. */
#include "misbehaving.h"

#include <stdlib.h>

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_host* host = job->host;
    const certcast_material_query query = {.size = sizeof query, .kind = CERTCAST_KEY_PEM};
    certcast_bytes password = {NULL, 0};
    certcast_bytes key = {NULL, 0};
    if (host->secret(host, config_of(job, "password")->text, 0, &password) != CERTCAST_OK ||
        host->material(host, &query, &key) != CERTCAST_OK)
        return CERTCAST_FAILED;
    announce(job);
    wait_for_cancel(job);
    return changed(job);
}
MISBEHAVING_DEPLOYER("test-holds-secrets", CERTCAST_ABI_MAJOR, CERTCAST_NEEDS_KEY)
