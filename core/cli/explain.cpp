#include "core/base/nearest.hpp"
#include "core/cli/commands.hpp"
#include "core/cli/pipeline_context.hpp"
#include "core/report/explanation.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iostream>

namespace certcast {

int explain_command(const ExplainArguments& arguments, const Places& places) {
    const Redactor redactor;
    const TextFilter filter(redactor);
    Catalog catalog = make_catalog(places, false);
    WrittenDeployment written{.name = arguments.deployment};
    const std::optional<Pipeline> pipeline =
        read_or_explain(arguments.pipeline, catalog, filter, &written);
    if (!pipeline) return exit_invalid;
    const auto& all = pipeline->deployments;
    const auto found = std::find_if(all.begin(), all.end(), [&](const Deployment& one) {
        return one.name == arguments.deployment;
    });
    if (found == all.end()) {
        std::vector<std::string> names;
        names.reserve(all.size());
        for (const Deployment& one : all) names.push_back(one.name);
        std::cerr << "certcast: there is no deployment \"" << filter.line(arguments.deployment)
                  << '"' << filter.line(suggestion(arguments.deployment, names)) << '\n';
        return exit_invalid;
    }
    const std::vector<Setting> explained = explain(*pipeline, *found, written);
    if (arguments.json) {
        std::cout << boost::json::serialize(to_json(explained, filter)) << '\n';
    } else {
        std::cout << in_a_table(explained, filter);
    }
    return exit_good;
}

}  // namespace certcast
