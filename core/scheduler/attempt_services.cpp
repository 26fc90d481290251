#include "core/scheduler/attempt_services.hpp"

namespace certcast {

SessionRequest request_for(const Deployment& deployment, std::uint32_t attempt) {
    SessionRequest request;
    request.library = deployment.library;
    request.descriptor = deployment.descriptor;
    request.deployment = deployment.name;
    request.target = deployment.target;
    request.target_values = deployment.target_values;
    request.certificates = deployment.certificates;
    request.config = deployment.config;
    request.attempt = attempt;
    request.limits = deployment.limits;
    request.sandbox = deployment.sandbox;
    return request;
}

StageRequest request_for(const Deployment& deployment, Stage stage) {
    StageRequest request;
    request.stage = stage;
    request.timeout = deployment.timeouts[static_cast<std::size_t>(stage)];
    request.grace = deployment.grace;
    return request;
}

}  // namespace certcast
