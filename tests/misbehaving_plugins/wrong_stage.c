/* Calls what deploy may not call, and reports what it was answered. */
#include "misbehaving.h"

static void report(const certcast_host* host, const char* call, int32_t answer) {
    char text[16];
    certcast_str name, value;
    snprintf(text, sizeof text, "%d", (int)answer);
    name.data = call;
    name.size = strlen(call);
    value.data = text;
    value.size = strlen(text);
    host->output(host, name, value);
}

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_host* host = job->host;
    const certcast_str nonsense = CERTCAST_STR("nonsense");
    certcast_live live = {.size = sizeof live, .certificate = 0, .presence = CERTCAST_PRESENT};
    certcast_material_query query = {.size = sizeof query, .kind = CERTCAST_KEY_PEM};
    certcast_command_result result = {.size = sizeof result};
    certcast_bytes bytes = {NULL, 0};
    report(host, "live", host->live(host, &live));
    report(host, "step_undone", host->step_undone(host, 0));
    report(host, "key", host->material(host, &query, &bytes));
    query.kind = CERTCAST_LEAF_PEM;
    query.certificate = 7;
    report(host, "material", host->material(host, &query, &bytes));
    query.certificate = 0;
    report(host, "leaf", host->material(host, &query, &bytes));
    report(host, "secret", host->secret(host, nonsense, 0, &bytes));
    report(host, "run_command", host->run_command(host, nonsense, NULL, 0, &result));
    report(host, "set_changed", host->set_changed(host, 7, 1));
    report(host, "diagnose", host->diagnose(host, CERTCAST_ERROR, nonsense, nonsense, nonsense));
    return changed(job);
}
MISBEHAVING_PLUGIN("test-wrong-stage")
