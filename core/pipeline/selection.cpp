#include "core/pipeline/selection.hpp"

#include "core/base/nearest.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace certcast {

namespace {

bool matches(const Deployment& deployment, const std::string& glob) {
    return ::fnmatch(glob.c_str(), deployment.name.c_str(), 0) == 0 ||
           ::fnmatch(glob.c_str(), deployment.entry.c_str(), 0) == 0;
}

}  // namespace

std::vector<std::string> select(Pipeline& pipeline, const std::vector<std::string>& globs) {
    if (globs.empty()) return {};
    auto& deployments = pipeline.deployments;
    std::vector<std::string> names;
    std::transform(deployments.begin(), deployments.end(), std::back_inserter(names),
                   [](const Deployment& one) { return one.name; });
    std::vector<std::string> mistakes;
    for (const std::string& glob : globs) {
        const bool chooses = std::any_of(deployments.begin(), deployments.end(),
                                         [&](const Deployment& one) { return matches(one, glob); });
        if (chooses) continue;
        mistakes.push_back("--only \"" + glob + "\": no deployment has such a name" +
                           suggestion(glob, names));
    }
    if (!mistakes.empty()) return mistakes;

    std::erase_if(deployments, [&](const Deployment& one) {
        return std::none_of(globs.begin(), globs.end(),
                            [&](const std::string& glob) { return matches(one, glob); });
    });
    std::set<std::string> chosen;
    for (const Deployment& deployment : deployments) chosen.insert(deployment.name);
    for (Deployment& deployment : deployments) {
        std::erase_if(deployment.needs,
                      [&](const std::string& need) { return !chosen.contains(need); });
    }
    return {};
}

}  // namespace certcast
