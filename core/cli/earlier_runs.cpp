#include "core/cli/earlier_runs.hpp"

#include "core/scheduler/deployment_memory.hpp"

#include <algorithm>

namespace certcast {

Result<std::map<std::string, std::string>> done_in_runs(
    const History& history, const std::map<std::string, HalfWay>& half_way,
    const Pipeline& pipeline, const CertificateStore& certificates) {
    const std::string file = pipeline.real_file.string();
    const auto latest = history.latest(file);
    if (!latest) return latest.error();
    const auto known = history.certificates(file);
    if (!known) return known.error();
    const auto queued = history.queued(file);
    if (!queued) return queued.error();
    std::map<std::pair<std::string, std::string>, std::string> wanted;
    for (const KnownCertificate& one : *known) {
        wanted[{one.deployment, one.wanted.name}] = one.wanted.sha256;
    }
    std::map<std::string, std::string> done;
    for (const Deployment& deployment : pipeline.deployments) {
        const auto found = latest->find(deployment.name);
        if (found == latest->end() || !found->second.succeeded()) continue;
        if (half_way.contains(memory_key(deployment))) continue;
        if (queued->contains(deployment.name)) continue;
        if (found->second.digest != digest_of(deployment)) continue;
        const auto& names = deployment.certificates;
        const bool same = std::all_of(names.begin(), names.end(), [&](const auto& name) {
            const CertificateBundle* bundle = certificates.find(name);
            return bundle != nullptr && to_hex(bundle->sha256()) == wanted[{deployment.name, name}];
        });
        if (same) done[deployment.name] = found->second.run;
    }
    return done;
}

std::set<std::string> memory_keys(const Pipeline& pipeline) {
    std::set<std::string> keys;
    for (const Deployment& deployment : pipeline.deployments) {
        keys.insert(deployment.discovers ? deployment.entry + "/" : memory_key(deployment));
    }
    return keys;
}

std::vector<HalfWay> unclaimed(const std::map<std::string, HalfWay>& half_way,
                               const Pipeline& pipeline, const std::set<std::string>& keys) {
    std::vector<HalfWay> found;
    for (const auto& [key, one] : half_way) {
        // Whose it is was not written down at first.
        const bool is_ours =
            one.pipeline_file.empty() || one.pipeline_file == pipeline.real_file.string();
        const std::string entry = one.deployment.substr(0, one.deployment.find('/'));
        if (is_ours && !keys.contains(key) && !keys.contains(entry + "/")) found.push_back(one);
    }
    return found;
}

}  // namespace certcast
