#include "core/pipeline/selection.hpp"

#include "core/base/nearest.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <set>

namespace certcast {

namespace {

bool matches(const Deployment& deployment, const std::string& glob) {
    // Where its targets are not known, whatever they are called.
    const std::string wanted = deployment.discovers ? glob.substr(0, glob.find('/')) : glob;
    return ::fnmatch(wanted.c_str(), deployment.name.c_str(), 0) == 0 ||
           ::fnmatch(wanted.c_str(), deployment.entry.c_str(), 0) == 0;
}

bool has(const Deployment& deployment, const std::string& tag) {
    return std::find(deployment.tags.begin(), deployment.tags.end(), tag) != deployment.tags.end();
}

void forget_needs_of_others(std::vector<Deployment>& deployments) {
    std::set<std::string> chosen;
    for (const Deployment& deployment : deployments) {
        chosen.insert(deployment.name);
        chosen.insert(deployment.entry);
    }
    for (Deployment& deployment : deployments) {
        std::erase_if(deployment.needs,
                      [&](const std::string& need) { return !chosen.contains(need); });
        std::erase_if(deployment.quorums,
                      [&](const Quorum& quorum) { return !chosen.contains(quorum.entry); });
    }
}

template <typename Chooses>
bool any_of(const std::vector<std::string>& wishes, Chooses chooses) {
    return wishes.empty() || std::any_of(wishes.begin(), wishes.end(), chooses);
}

}  // namespace

std::vector<std::string> select(Pipeline& pipeline, const std::vector<std::string>& globs,
                                const std::vector<std::string>& tags) {
    if (globs.empty() && tags.empty()) return {};
    auto& deployments = pipeline.deployments;
    std::vector<std::string> names;
    std::vector<std::string> known_tags;
    for (const Deployment& one : deployments) {
        names.push_back(one.name);
        known_tags.insert(known_tags.end(), one.tags.begin(), one.tags.end());
    }
    std::vector<std::string> mistakes;
    const auto chosen_by_nobody = [&](const auto& chooses) {
        return std::none_of(deployments.begin(), deployments.end(), chooses);
    };
    for (const std::string& glob : globs) {
        if (chosen_by_nobody([&](const Deployment& one) { return matches(one, glob); })) {
            mistakes.push_back("--only \"" + glob + "\": no deployment has such a name" +
                               suggestion(glob, names));
        }
    }
    for (const std::string& tag : tags) {
        if (chosen_by_nobody([&](const Deployment& one) { return has(one, tag); })) {
            mistakes.push_back("--tag \"" + tag + "\": no deployment has it" +
                               suggestion(tag, known_tags));
        }
    }
    if (!mistakes.empty()) return mistakes;

    std::erase_if(deployments, [&](const Deployment& one) {
        return !any_of(globs, [&](const std::string& glob) { return matches(one, glob); }) ||
               !any_of(tags, [&](const std::string& tag) { return has(one, tag); });
    });
    if (deployments.empty()) return {"no deployment has both such a name and such a tag"};
    forget_needs_of_others(deployments);
    return {};
}

void select_by_certificate(Pipeline& pipeline, const std::vector<std::string>& certificates) {
    std::erase_if(pipeline.deployments, [&](const Deployment& one) {
        return std::none_of(one.certificates.begin(), one.certificates.end(),
                            [&](const std::string& name) {
                                return std::find(certificates.begin(), certificates.end(), name) !=
                                       certificates.end();
                            });
    });
    forget_needs_of_others(pipeline.deployments);
}

}  // namespace certcast
