#include "tests/worker/workspace.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace certcast::testing {

namespace {

/// Descriptions of plugins are worth keeping from one test to the next.
const TemporaryFolder& shared_cache() {
    static const TemporaryFolder folder;
    return folder;
}

}  // namespace

const boost::json::object& Run::operator[](std::string_view deployment) const {
    if (const boost::json::value* all = report.if_contains("deployments"))
        for (const boost::json::value& one : all->as_array())
            if (one.at("name").as_string() == deployment) return one.as_object();
    throw std::runtime_error("nothing reported of " + std::string(deployment) +
                             "; certcast said:\n" + output + errors);
}

std::string Run::text(std::string_view deployment, std::string_view field) const {
    const boost::json::value* value = (*this)[deployment].if_contains(field);
    if (value == nullptr || value->is_null()) return {};
    return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}

std::int64_t Run::number(std::string_view deployment, std::string_view field) const {
    return (*this)[deployment].at(field).to_number<std::int64_t>();
}

std::string Run::message(std::string_view deployment) const {
    const boost::json::value* error = (*this)[deployment].if_contains("error");
    if (error == nullptr || !error->is_object()) return {};
    return std::string(error->at("message").as_string());
}

Toml& Toml::table(std::string_view name) {
    content_ += "[" + std::string(name) + "]\n";
    return *this;
}

Toml& Toml::text(std::string_view key, std::string_view text) {
    return value(key, "\"" + std::string(text) + "\"");
}

Toml& Toml::value(std::string_view key, std::string_view value) {
    content_ += std::string(key) + " = " + std::string(value) + "\n";
    return *this;
}

std::string Toml::list(const std::vector<std::string>& texts) {
    std::string list;
    for (const std::string& text : texts) list += (list.empty() ? "\"" : ", \"") + text + "\"";
    return "[" + list + "]";
}

Toml deployment(std::string_view name, std::string_view plugin) {
    return Toml()
        .table("deploy." + std::string(name))
        .text("plugin", plugin)
        .text("certificate", "shop")
        .value("probe", "false");
}

Workspace::Workspace()
    : authority_(make_certificate({.subject = "Test Authority", .is_ca = true})) {
    const char* path = std::getenv("PATH");
    environment_ = {
        {"PATH", path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin"},
        {"HOME", folder_.path().string()},
        {"LANG", "C.UTF-8"},
        {"TMPDIR", folder_.path().string()},
        {"XDG_STATE_HOME", (folder_ / "state").string()},
        {"XDG_RUNTIME_DIR", folder_.path().string()},
        {"XDG_CACHE_HOME", shared_cache().path().string()},
        {"CERTCAST_PLUGIN_PATH", CERTCAST_TEST_PLUGINS},
    };
    // Programs that cannot be traced cannot be searched for leaks either, and freed memory that a
    // sanitizer holds back is not the program's own.
    environment_["ASAN_OPTIONS"] = "detect_leaks=0:quarantine_size_mb=16";
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "GCOV_PREFIX"})
        if (const char* value = std::getenv(name)) environment_[name] = value;
    folder_.write("authority.pem", pem(authority_.certificate));
    issue("shop");
}

Issued Workspace::issue(std::string_view name, CertificateWish wish) const {
    wish.issuer = &authority_;
    if (wish.names.empty()) wish.names = {"DNS:" + wish.subject};
    Issued issued = make_certificate(wish);
    folder_.write(std::string(name) + ".pem", pem(issued.certificate));
    folder_.write(std::string(name) + ".key", pem(issued.key));
    return issued;
}

std::string Workspace::head(const std::vector<std::string>& certificates) const {
    Toml head;
    head.value("format", "1");
    for (const std::string& name : certificates)
        head.table("certificate." + name)
            .text("certificate", name + ".pem")
            .text("key", name + ".key");
    return head.table("defaults")
        .text("timeout", "20s")
        .text("grace", "300ms")
        .value("retry", "{ attempts = 1 }");
}

std::unique_ptr<Process> Workspace::start(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), CERTCAST_PROGRAM);
    arguments.insert(arguments.begin(), launcher_.begin(), launcher_.end());
    return std::make_unique<Process>(std::move(arguments), environment_);
}

Said Workspace::say(std::vector<std::string> arguments) const {
    const auto process = start(std::move(arguments));
    const int status = process->wait().status;
    return {status, process->output(), process->errors()};
}

std::unique_ptr<Process> Workspace::start_run(std::string_view pipeline,
                                              std::vector<std::string> arguments,
                                              std::string_view name) const {
    const std::string stem(name);
    const std::filesystem::path file = folder_.write(stem + ".toml", pipeline);
    std::filesystem::remove(folder_ / (stem + ".json"));
    std::vector<std::string> all{"run", file.string(), "--report",
                                 (folder_ / (stem + ".json")).string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return start(std::move(all));
}

Run Workspace::collect(Process& process, std::string_view name, Milliseconds limit) const {
    const Ending ending = process.wait(limit);
    Run run{.status = ending.status,
            .report = {},
            .output = process.output(),
            .errors = process.errors(),
            .max_rss_kb = ending.max_rss_kb,
            .took = ending.took};
    const std::string report = read_text(folder_ / (std::string(name) + ".json"));
    if (!report.empty()) run.report = boost::json::parse(report).as_object();
    return run;
}

Run Workspace::run(std::string_view pipeline, std::vector<std::string> arguments) const {
    const std::unique_ptr<Process> process = start_run(pipeline, std::move(arguments));
    return collect(*process);
}

std::string with(std::string text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

std::string read_text(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace certcast::testing
