#pragma once

#include "core/pipeline/read_pipeline.hpp"
#include "core/report/text_filter.hpp"

#include <boost/json/array.hpp>

#include <string>
#include <vector>

namespace certcast {

/// One thing that is in force for a deployment, and who said so: a place in a file, a default.
struct Setting {
    std::string key;
    std::string value;
    std::string origin;
};

/// All that is in force for a deployment, in the order of the pipeline's grammar.
std::vector<Setting> explain(const Pipeline& pipeline, const Deployment& deployment,
                             const WrittenDeployment& written);

std::string in_a_table(const std::vector<Setting>& all, const TextFilter& filter);
boost::json::array to_json(const std::vector<Setting>& all, const TextFilter& filter);

}  // namespace certcast
