#include "plugins/ssh/far_host.hpp"

namespace ssh {

std::string pack(const FarTask& task) {
    std::string step = task.token;
    for (const FarTarget& file : task.files) step += '\0' + file.path;
    return step;
}

FarTask unpack(std::string_view step) {
    FarTask task;
    task.token = step.substr(0, step.find('\0'));
    while (step.find('\0') != std::string_view::npos) {
        step.remove_prefix(step.find('\0') + 1);
        task.files.push_back({.path = std::string(step.substr(0, step.find('\0')))});
    }
    return task;
}

}  // namespace ssh
