#pragma once

#include "tests/unit/temporary_folder.hpp"
#include "tests/unit/test_certificates.hpp"
#include "tests/worker/process.hpp"

#include <boost/json.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast::testing {

/// What `certcast run` came to. `report` is empty where there was no run.
struct Run {
    int status = 0;
    boost::json::object report;
    std::string output;
    std::string errors;
    long max_rss_kb = 0;
    Milliseconds took{0};

    /// The report of one deployment. Throws, with everything that was said, when it is not there.
    const boost::json::object& operator[](std::string_view deployment) const;
    std::string text(std::string_view deployment, std::string_view field) const;
    std::int64_t number(std::string_view deployment, std::string_view field) const;
    /// error.message, or nothing.
    std::string message(std::string_view deployment) const;
};

/// What a command of certcast's came to.
struct Said {
    int status = 0;
    std::string output;
    std::string errors;

    boost::json::value parsed() const { return boost::json::parse(output); }
};

inline bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

inline std::size_t count_of(const std::string& text, std::string_view part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

/// `text` with one word for another, wherever it stands.
std::string with(std::string text, std::string_view from, std::string_view to);

/// A piece of a pipeline, written line by line.
class Toml {
public:
    Toml& table(std::string_view name);
    Toml& text(std::string_view key, std::string_view text);
    /// `value` stands in the file as it is given.
    Toml& value(std::string_view key, std::string_view value);
    operator const std::string&() const { return content_; }

    static std::string list(const std::vector<std::string>& texts);

private:
    std::string content_;
};

/// `[deploy.NAME]` of a plugin that puts the certificate `shop` somewhere, without a probe.
Toml deployment(std::string_view name, std::string_view plugin);

/// A certcast program with state and plugins of its own, and certificates to deploy. Its locks are
/// its own, too, but for root, whose locks are the machine's.
class Workspace {
public:
    Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    /// Ends what a run left behind, so that one test's fault is not another's.
    ~Workspace() { end_leftovers(); }

    const TemporaryFolder& folder() const { return folder_; }
    Environment& environment() { return environment_; }
    const Environment& environment() const { return environment_; }
    /// Words before the program, with which it is started.
    std::vector<std::string>& launcher() { return launcher_; }
    std::filesystem::path operator/(std::string_view name) const { return folder_ / name; }

    /// Issues NAME.pem and NAME.key, for the host shop.example unless another is wished.
    Issued issue(std::string_view name, CertificateWish wish = {}) const;
    const Issued& authority() const { return authority_; }

    /// `format`, `[certificate.NAME]`s and defaults that retry nothing, to be continued.
    std::string head(const std::vector<std::string>& certificates = {"shop"}) const;

    std::unique_ptr<Process> start(std::vector<std::string> arguments) const;
    Said say(std::vector<std::string> arguments) const;
    /// Writes the pipeline and starts `certcast run` on it; collect() then waits for its end.
    std::unique_ptr<Process> start_run(std::string_view pipeline,
                                       std::vector<std::string> arguments = {},
                                       std::string_view name = "pipeline") const;
    Run collect(Process& process, std::string_view name = "pipeline",
                Milliseconds limit = 60s) const;
    Run run(std::string_view pipeline, std::vector<std::string> arguments = {}) const;

private:
    TemporaryFolder folder_;
    Environment environment_;
    std::vector<std::string> launcher_;
    Issued authority_;
};

/// Contents of a file; empty where there is none.
std::string read_text(const std::filesystem::path& path);

}  // namespace certcast::testing
