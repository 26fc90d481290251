#include "core/scheduler/probe_request.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <iterator>

namespace certcast {

namespace {

Value text(ParameterType type, std::string content) {
    Value value;
    value.type = type;
    value.text = std::move(content);
    return value;
}

Value number(ParameterType type, std::int64_t content) {
    Value value;
    value.type = type;
    value.integer = content;
    return value;
}

}  // namespace

Value probe_config(const Deployment& deployment, const std::vector<ProbeCheck>& checks) {
    Value list;
    list.type = ParameterType::list;
    for (const ProbeCheck& check : checks) {
        Value certificate =
            number(ParameterType::certificate, static_cast<std::int64_t>(check.certificate));
        if (check.certificate < deployment.certificates.size()) {
            certificate.text = deployment.certificates[check.certificate];
        }
        Value one;
        one.type = ParameterType::object;
        one.entries = {
            {"address", text(ParameterType::endpoint, check.address)},
            {"server_name", text(ParameterType::text, check.server_name)},
            {"protocol", text(ParameterType::text, check.protocol)},
            {"certificate", std::move(certificate)},
            {"timeout", number(ParameterType::duration, check.timeout.count())},
            {"consecutive", number(ParameterType::integer, check.consecutive)},
            {"ocsp_staple", number(ParameterType::boolean, check.ocsp_staple ? 1 : 0)},
        };
        list.entries.push_back({{}, std::move(one)});
    }
    Value config;
    config.type = ParameterType::object;
    config.entries.push_back({"checks", std::move(list)});
    return config;
}

Duration probe_timeout(const std::vector<ProbeCheck>& checks) {
    constexpr Duration margin{2'000};
    Duration all = margin;
    for (const ProbeCheck& check : checks) all += check.timeout;
    return all;
}

std::vector<ProbeCheck> checks_of_former(const Deployment& deployment,
                                         const std::vector<Live>& former) {
    std::vector<ProbeCheck> checks;
    std::copy_if(deployment.probes.begin(), deployment.probes.end(), std::back_inserter(checks),
                 [&](const ProbeCheck& check) {
                     return std::any_of(former.begin(), former.end(), [&](const Live& live) {
                         return live.certificate == check.certificate &&
                                live.presence == CERTCAST_PRESENT &&
                                (live.evidence_kind == CERTCAST_EVIDENCE_DER ||
                                 live.evidence_kind == CERTCAST_EVIDENCE_SHA256);
                     });
                 });
    // Whether it came with a staple is not known.
    for (ProbeCheck& check : checks) check.ocsp_staple = false;
    return checks;
}

}  // namespace certcast
