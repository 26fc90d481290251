#include "core/cli/commands.hpp"
#include "core/cli/pipeline_context.hpp"
#include "core/pipeline/timing.hpp"
#include "core/plugin/example.hpp"
#include "core/plugin/identity.hpp"

#include <certcast/plugin.h>

#include <iostream>

namespace certcast {

namespace {

std::string flags_in_words(const Parameter& param) {
    struct Flag {
        std::uint64_t flag;
        std::string_view words;
    };
    constexpr Flag all[] = {{CERTCAST_REQUIRED, "required"}, {CERTCAST_READS, "read"},
                            {CERTCAST_WRITES, "written"},    {CERTCAST_MUST_EXIST, "must exist"},
                            {CERTCAST_IDENTITY, "identity"}, {CERTCAST_EXCLUSIVE, "exclusive"},
                            {CERTCAST_ACCOUNT, "account"},   {CERTCAST_DEPRECATED, "deprecated"},
                            {CERTCAST_ADVANCED, "advanced"}, {CERTCAST_CONNECTS, "connected to"},
                            {CERTCAST_STARTS, "started"}};
    std::string words;
    for (const Flag& flag : all) {
        if (param.has(flag.flag)) words.append(", ").append(flag.words);
    }
    return words;
}

/// What a plugin says of itself is shown through the filter.
class PluginText {
public:
    PluginText(const Library& library, const Descriptor& deployer, const TextFilter& filter)
        : library_(library), deployer_(deployer), filter_(filter) {}

    void print() const {
        std::cout << deployer_.id << ' ' << filter_.line(deployer_.version) << ": "
                  << filter_.line(deployer_.name) << '\n';
        line("file", library_.path.string());
        if (!deployer_.vendor.empty()) line("by", deployer_.vendor);
        if (!deployer_.url.empty()) line("see", deployer_.url);
        line("needs", needs_in_words(deployer_));
        times();
        limits();
        std::string files;
        for (const FileGrant& file : deployer_.files)
            files += (files.empty() ? "" : " ") + file.path;
        line("files beside its parameters", files.empty() ? "none" : files);
        sandbox();
        std::cout << "parameters:" << (deployer_.params.empty() ? " none" : "") << '\n';
        params(deployer_.params, "    ");
        example();
    }

private:
    void line(std::string_view label, std::string_view text) const {
        std::cout << label << ": " << filter_.line(text) << '\n';
    }

    /// What its sandbox lets it do, which is never more than it declares.
    void sandbox() const {
        struct Right {
            std::uint64_t need;
            std::uint64_t flag;  ///< of parameters that are granted it where they are given
            ParameterType type;  ///< of these
            std::string_view granted;
            std::string_view refused;
        };
        constexpr Right all[] = {
            {CERTCAST_NEEDS_NETWORK, 0, {}, "connect to any address and listen", "use the network"},
            {CERTCAST_NEEDS_UNIX_SOCKETS, CERTCAST_CONNECTS, ParameterType::path,
             "connect to the sockets of local services", "connect to local services"},
            {CERTCAST_NEEDS_EXEC, CERTCAST_STARTS, ParameterType::text, "run the system's programs",
             "run programs"},
            {CERTCAST_NEEDS_SIGNALS,
             0,
             {},
             "send signals to other processes",
             "send signals to other processes"},
            {CERTCAST_NEEDS_KEY, 0, {}, "ask for the private key", "ask for the private key"},
        };
        std::cout << "its sandbox lets it:\n";
        for (const Right& right : all) {
            const std::string given = names_with(right.flag, right.type);
            if (deployer_.needs_flag(right.need)) {
                std::cout << "    " << right.granted << '\n';
            } else if (!given.empty()) {
                std::cout << "    " << right.granted << ", where it is given "
                          << filter_.line(given) << '\n';
            } else {
                std::cout << "    not " << right.refused << '\n';
            }
        }
        paths(CERTCAST_READS, "read");
        paths(CERTCAST_WRITES, "make, write and remove files in the folder of");
        paths(CERTCAST_DEVICE, "use the device");
    }

    void paths(std::uint64_t flag, std::string_view what) const {
        const std::string names = names_with(flag, ParameterType::path);
        if (!names.empty()) std::cout << "    " << what << ' ' << filter_.line(names) << '\n';
    }

    /// Of files, and of parameters of this type or lists of it.
    std::string names_with(std::uint64_t flag, ParameterType type) const {
        std::string names;
        const auto add = [&names](const std::string& name) {
            names += (names.empty() ? "" : ", ") + name;
        };
        for (const FileGrant& file : deployer_.files) {
            if ((file.flags & flag) != 0) add(file.path);
        }
        gather(flag, type, deployer_.params, {}, add);
        return names;
    }

    template <typename Add>
    static void gather(std::uint64_t flag, ParameterType type, const std::vector<Parameter>& params,
                       const std::string& path, const Add& add) {
        for (const Parameter& param : params) {
            const bool is_meant = param.type == type || param.element_type == type;
            if (is_meant && param.has(flag)) add(path + param.name);
            gather(flag, type, param.fields, path + param.name + ".", add);
        }
    }

    void times() const {
        Deployment timed;
        apply_timing({}, {}, &deployer_, timed);
        std::string stages;
        for (std::uint32_t i = 0; i < stage_count; ++i) {
            const auto stage = static_cast<Stage>(i);
            if (!deployer_.has(stage)) continue;
            stages += stages.empty() ? "" : ", ";
            stages += std::string(name_of(stage)) + " " + to_string(timed.timeouts[i]);
        }
        line("stages, each with its default timeout", stages);
        line("grace after a timeout", to_string(timed.grace));
        if (deployer_.longest_protect.count() != 0) {
            line("may put off being killed for", to_string(deployer_.longest_protect));
        }
    }

    void limits() const {
        const auto most = [](std::uint32_t limit) {
            return limit == 0 ? std::string("any number") : "at most " + std::to_string(limit);
        };
        line("certificates in one deployment", most(deployer_.max_certificates));
        line(
            has_account(deployer_) ? "deployments at once, of each account" : "deployments at once",
            most(deployer_.max_parallel));
    }

    void params(const std::vector<Parameter>& all, const std::string& indent) const {
        for (const Parameter& param : all) {
            std::cout << indent << param.name << ": " << in_words(param.type);
            if (param.element_type != ParameterType::none) {
                std::cout << " (each " << in_words(param.element_type) << ')';
            }
            std::cout << flags_in_words(param);
            if (param.default_value) {
                std::cout << ", default " << filter_.line(*param.default_value);
            }
            std::cout << '\n';
            for (const std::string& choice : param.choices) {
                std::cout << indent << "    - " << filter_.line(choice) << '\n';
            }
            if (!param.doc.empty()) {
                std::cout << indent << "    " << filter_.line(param.doc) << '\n';
            }
            params(param.fields, indent + "    ");
        }
    }

    void example() const {
        std::cout << "a pipeline:\n"
                     "    format = 1\n"
                     "    [certificate.shop]\n"
                     "    source = \"/etc/letsencrypt/live/shop.example\"\n"
                     "    [deploy.here]\n"
                     "    plugin = \""
                  << deployer_.id
                  << "\"\n"
                     "    certificate = \"shop\"\n";
        if (deployer_.id == "probe") {
            std::cout << "    probe = false\n";
        } else {
            std::cout << "    probe = [{ address = \"shop.example:443\" }]\n";
        }
        if (deployer_.params.empty()) return;
        std::cout << "    [deploy.here.config]\n" << example_config(deployer_, "shop", "    ");
    }

    const Library& library_;
    const Descriptor& deployer_;
    const TextFilter& filter_;
};

}  // namespace

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
    PluginText(*found->first, *found->second, filter).print();
    return exit_good;
}

}  // namespace certcast
