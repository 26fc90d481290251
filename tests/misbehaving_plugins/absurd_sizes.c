/* Describes itself in sizes that no memory could hold. */
#include <certcast/plugin.h>

static int32_t deploy(void* self, const certcast_job* job) {
    return CERTCAST_OK;
}

static const certcast_param params[1] = {{.name = CERTCAST_STR("one"), .type = CERTCAST_TEXT}};

const certcast_plugin* certcast_plugin_v1(void) {
    static const certcast_descriptor descriptor = {
        .size = sizeof descriptor,
        .id = CERTCAST_STR("test-absurd-sizes"),
        .version = {"1.0.0", UINT64_MAX},
        .name = {"x", (uint64_t)1 << 60},
        .params = params,
        .param_count = (uint64_t)1 << 60,
        .param_stride = (uint64_t)1 << 40,
    };
    static const certcast_deployer deployer = {
        .size = sizeof deployer, .descriptor = &descriptor, .deploy = deploy};
    static const certcast_plugin plugin = {.size = sizeof plugin,
                                           .abi_major = CERTCAST_ABI_MAJOR,
                                           .deployers = &deployer,
                                           .deployer_count = UINT64_MAX,
                                           .deployer_stride = sizeof deployer};
    return &plugin;
}
