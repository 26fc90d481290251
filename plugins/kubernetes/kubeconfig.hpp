#pragma once

#include "plugins/kubernetes/access.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kubernetes {

/// What a context of these kubeconfig files stands for; empty: the current one. Of several files
/// the first that has something decides, as kubectl does it. Throws config_error with file and
/// line.
Access read_kubeconfig(const std::vector<std::filesystem::path>& files, const std::string& context);

}  // namespace kubernetes
