#include "core/cli/usage_mistake.hpp"

#include "core/base/nearest.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

namespace certcast {

namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> options_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
}

}  // namespace

std::string usage_mistake(const CLI::App& app, const CLI::ParseError& error,
                          std::span<char* const> words) {
    const CLI::App* command = &app;
    std::string called = "certcast";
    std::string wrong;
    for (const std::string word : words) {
        if (word.starts_with("--")) {
            const std::vector<std::string> known = options_of(*command);
            const std::string name = word.substr(0, word.find('='));
            if (std::count(known.begin(), known.end(), name) != 0) continue;
            wrong = "there is no option \"" + name + "\"" + suggestion(name, known);
            break;
        }
        const std::vector<const CLI::App*> inner = commands_of(*command);
        if (word.starts_with('-') || inner.empty()) continue;
        std::vector<std::string> known;
        std::transform(inner.begin(), inner.end(), std::back_inserter(known),
                       [](const CLI::App* one) { return one->get_name(); });
        const auto found = std::find(known.begin(), known.end(), word);
        if (found == known.end()) {
            wrong = "there is no command \"" + word + "\"" + suggestion(word, known);
            break;
        }
        command = inner[static_cast<std::size_t>(found - known.begin())];
        called += " " + word;
    }
    const bool unfinished = wrong.empty() && !commands_of(*command).empty();
    if (unfinished) wrong = "a command is missing";
    if (wrong.empty()) wrong = error.what();
    return wrong + "\n" + called + " --help shows what there is";
}

}  // namespace certcast
