#include "tests/e2e/cloud_double.hpp"

#include "core/certificate/certificate_bundle.hpp"
#include "tests/cdn/installed.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace certcast::testing {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

std::string text_of(const json::object& object, const char* key) {
    const json::value* const found = object.if_contains(key);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

}  // namespace

CloudDouble::CloudDouble(const Workspace& workspace, const std::string& script,
                         const json::object& settings)
    : folder_(workspace / ("double-" + fs::path(script).stem().string())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    workspace.issue("double", {.names = {"IP:127.0.0.1", "DNS:localhost"}});
    fs::copy_file(workspace / "double.pem", folder_ / "server.pem");
    fs::copy_file(workspace / "double.key", folder_ / "server.key");
    const fs::path fifo = folder_ / "stdin";
    if (::mkfifo(fifo.c_str(), 0600) != 0) throw std::runtime_error("no FIFO");
    stdin_ = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);
    std::ofstream(folder_ / "double.json") << settings;
    const std::string path = (fs::path(CERTCAST_CLOUD_DOUBLES) / script).string();
    const std::string program = script.ends_with(".py") ? "/usr/bin/python3" : "node";
    process_ = std::make_unique<Process>(
        std::vector<std::string>{"/bin/sh", "-c", "exec \"$0\" \"$1\" \"$2\" <\"$2/stdin\"",
                                 program, path, folder_.string()},
        Environment{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                    {"CERTCAST_CDN", installed_cdn().string()}});
    wait_until(
        "the double listens or gives up",
        [&] {
            return process_->output().find('\n') != std::string::npos ||
                   state_of(process_->pid()) == 'Z';
        },
        60s);
    std::istringstream(process_->output()) >> port_;
    if (port_ == 0) throw std::runtime_error(path + ": " + process_->errors());
}

CloudDouble::~CloudDouble() {
    process_.reset();
    ::close(stdin_);
}

std::string CloudDouble::url(const std::string& scheme) const {
    return scheme + "://127.0.0.1:" + std::to_string(port_);
}

json::object CloudDouble::state() const {
    return json::parse(read_text(folder_ / "state.json")).as_object();
}

std::vector<CloudRequest> CloudDouble::requests() const {
    std::vector<CloudRequest> all;
    std::vector<std::size_t> open;  // without an answer yet
    std::istringstream lines(read_text(folder_ / "requests.jsonl"));
    for (std::string line; std::getline(lines, line);) {
        const json::object entry = json::parse(line).as_object();
        if (entry.contains("method")) {
            open.push_back(all.size());
            all.push_back({.action = text_of(entry, "action"),
                           .method = text_of(entry, "method"),
                           .url = text_of(entry, "url"),
                           .headers = json::serialize(entry.at("headers")),
                           .body = text_of(entry, "body")});
            continue;
        }
        const auto mine = std::find_if(open.begin(), open.end(), [&](std::size_t i) {
            return all[i].action == text_of(entry, "action");
        });
        if (mine == open.end()) continue;
        const json::value& answer = entry.at("answer");
        if (answer.is_int64()) all[*mine].answer = answer.get_int64();
        const json::value* const code = entry.if_contains("code");
        if (code != nullptr && !code->is_null()) {
            all[*mine].code =
                code->is_string() ? std::string(code->get_string()) : json::serialize(*code);
        }
        open.erase(mine);
    }
    return all;
}

std::size_t CloudDouble::count(std::string_view action) const {
    const auto all = requests();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const CloudRequest& one) { return one.action == action; }));
}

void CloudDouble::set_faults(const std::string& faults) const {
    std::ofstream(folder_ / "faults.new") << faults;
    fs::rename(folder_ / "faults.new", folder_ / "faults.json");
}

}  // namespace certcast::testing
