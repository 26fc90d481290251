#include "core/cli/commands.hpp"
#include "core/cli/pipeline_context.hpp"

#include <certcast/plugin.h>

#include <iostream>

namespace certcast {

namespace {

std::string needs_in_words(const Descriptor& deployer) {
    struct Need {
        std::uint64_t flag;
        std::string_view words;
    };
    constexpr Need all[] = {{CERTCAST_NEEDS_NETWORK, "network"},
                            {CERTCAST_NEEDS_KEY, "private key"},
                            {CERTCAST_NEEDS_EXEC, "programs"},
                            {CERTCAST_NEEDS_SIGNALS, "signals"},
                            {CERTCAST_NEEDS_NO_FORK, "a fresh process each time"}};
    std::string words;
    for (const Need& need : all) {
        if (!deployer.needs_flag(need.flag)) continue;
        words.append(words.empty() ? "" : ", ").append(need.words);
    }
    return words.empty() ? "nothing" : words;
}

void print_problems(const Catalog& catalog, const TextFilter& filter) {
    for (const Error& problem : catalog.problems()) {
        std::cerr << "not usable: " << filter.line(problem.text()) << '\n';
    }
}

std::string flags_in_words(const Parameter& param) {
    struct Flag {
        std::uint64_t flag;
        std::string_view words;
    };
    constexpr Flag all[] = {{CERTCAST_REQUIRED, "required"}, {CERTCAST_READS, "read"},
                            {CERTCAST_WRITES, "written"},    {CERTCAST_MUST_EXIST, "must exist"},
                            {CERTCAST_IDENTITY, "identity"}, {CERTCAST_EXCLUSIVE, "exclusive"},
                            {CERTCAST_ACCOUNT, "account"},   {CERTCAST_DEPRECATED, "deprecated"},
                            {CERTCAST_ADVANCED, "advanced"}};
    std::string words;
    for (const Flag& flag : all) {
        if (param.has(flag.flag)) words.append(", ").append(flag.words);
    }
    return words;
}

void print_params(const std::vector<Parameter>& params, const std::string& indent,
                  const TextFilter& filter) {
    for (const Parameter& param : params) {
        std::cout << indent << param.name << ": " << in_words(param.type);
        if (param.element_type != ParameterType::none) {
            std::cout << " (each " << in_words(param.element_type) << ')';
        }
        std::cout << flags_in_words(param);
        if (param.default_value) std::cout << ", default " << filter.line(*param.default_value);
        std::cout << '\n';
        for (const std::string& choice : param.choices) {
            std::cout << indent << "    - " << filter.line(choice) << '\n';
        }
        if (!param.doc.empty()) std::cout << indent << "    " << filter.line(param.doc) << '\n';
        print_params(param.fields, indent + "    ", filter);
    }
}

}  // namespace

int plugins_command(const Places& places) {
    const Redactor redactor;
    const TextFilter filter(redactor);
    Catalog catalog = make_catalog(places, true);
    for (const Library* library : catalog.all()) {
        for (const Descriptor& deployer : library->deployers) {
            std::cout << padded(deployer.id, 24) << ' ' << padded(deployer.version, 10) << ' '
                      << padded(filter.line(deployer.name), 44) << ' ' << "needs "
                      << needs_in_words(deployer) << "; " << filter.line(library->path.string())
                      << '\n';
        }
    }
    print_problems(catalog, filter);
    return exit_good;
}

int plugin_show_command(const std::string& id, const Places& places) {
    const Redactor redactor;
    const TextFilter filter(redactor);
    Catalog catalog = make_catalog(places, true);
    const auto found = catalog.find(id);
    if (!found) {
        std::cerr << "certcast: " << filter.line(found.error().text()) << '\n';
        print_problems(catalog, filter);
        return exit_invalid;
    }
    const Descriptor& deployer = *found->second;
    std::cout << deployer.id << ' ' << filter.line(deployer.version) << ": "
              << filter.line(deployer.name) << '\n'
              << "file: " << filter.line(found->first->path.string()) << '\n';
    if (!deployer.vendor.empty()) std::cout << "by: " << filter.line(deployer.vendor) << '\n';
    if (!deployer.url.empty()) std::cout << "see: " << filter.line(deployer.url) << '\n';
    std::cout << "needs: " << needs_in_words(deployer) << '\n' << "stages:";
    for (std::uint32_t stage = 0; stage < stage_count; ++stage) {
        if (deployer.has(static_cast<Stage>(stage))) {
            std::cout << ' ' << name_of(static_cast<Stage>(stage));
        }
    }
    std::cout << "\nfiles beside its parameters:";
    if (deployer.files.empty()) std::cout << " none";
    for (const FileGrant& file : deployer.files) std::cout << ' ' << filter.line(file.path);
    std::cout << "\nparameters:\n";
    print_params(deployer.params, "    ", filter);
    std::cout << "\nin a pipeline:\n    [deploy.NAME]\n    plugin = \"" << deployer.id
              << "\"\n    certificate = \"...\"\n    [deploy.NAME.config]\n";
    for (const Parameter& param : deployer.params) {
        if (param.has(CERTCAST_REQUIRED)) {
            std::cout << "    " << param.name << " = ...  # " << in_words(param.type) << '\n';
        }
    }
    return exit_good;
}

}  // namespace certcast
