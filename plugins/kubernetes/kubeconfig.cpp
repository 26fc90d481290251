#include "plugins/kubernetes/kubeconfig.hpp"

#include "plugins/json/base64.hpp"

#include <yaml-cpp/yaml.h>
#include <certcast/errors.hpp>
#include <certcast/files.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kubernetes {

namespace {

namespace fs = std::filesystem;

/// A part of a file, which knows where it is.
class Entry {
public:
    Entry(fs::path file, const YAML::Node& node) : file_(std::move(file)), node_(node) {}

    std::string where() const {
        return file_.string() + ":" + std::to_string(node_.Mark().line + 1);
    }
    /// Nothing where it is not there.
    std::optional<Entry> part(const std::string& key) const {
        if (!node_.IsMap()) return std::nullopt;
        const YAML::Node found = node_[key];
        if (!found.IsDefined() || found.IsNull()) return std::nullopt;
        return Entry(file_, found);
    }
    std::string text() const {
        if (node_.IsScalar()) return node_.Scalar();
        throw certcast::config_error(where() + ": expected a text");
    }
    /// Empty where it is not there.
    std::string text(const std::string& key) const {
        const std::optional<Entry> found = part(key);
        if (!found) return {};
        if (!found->node_.IsScalar()) {
            throw certcast::config_error(found->where() + ": '" + key + "' has to be a text");
        }
        return found->node_.Scalar();
    }
    bool is_true(const std::string& key) const {
        const std::string said = text(key);
        return !said.empty() && said != "false";
    }
    std::vector<Entry> list(const std::string& key) const {
        std::vector<Entry> entries;
        const std::optional<Entry> found = part(key);
        if (!found) return entries;
        if (!found->node_.IsSequence()) {
            throw certcast::config_error(found->where() + ": '" + key + "' has to be a list");
        }
        for (const YAML::Node& node : found->node_) entries.emplace_back(file_, node);
        return entries;
    }
    /// Names are relative to the file that they stand in.
    fs::path path(const std::string& key) const {
        const std::string name = text(key);
        return name.empty() ? fs::path() : (file_.parent_path() / name).lexically_normal();
    }
    /// What KEY-data holds, or the file that KEY names; nothing where neither is there.
    std::optional<certcast::Sensitive> contents(const std::string& key) const {
        if (const std::string data = text(key + "-data"); !data.empty()) {
            std::optional<certcast::Sensitive> bytes = json_parts::from_base64(data);
            if (bytes) return bytes;
            throw certcast::config_error(part(key + "-data")->where() + ": '" + key +
                                         "-data' is not base64");
        }
        const fs::path file = path(key);
        if (file.empty()) return std::nullopt;
        return read_credential(file, "'" + key + "' of " + part(key)->where());
    }

private:
    fs::path file_;
    YAML::Node node_;
};

Entry parsed(const fs::path& file) {
    const certcast::Sensitive text = read_credential(file, "a kubeconfig");
    try {
        // Copied by yaml-cpp in any case.
        return {file, YAML::Load(std::string(text.text()))};
    } catch (const YAML::Exception& error) {
        throw certcast::config_error(file.string() + ":" + std::to_string(error.mark.line + 1) +
                                     ": no kubeconfig: " + error.msg);
    }
}

class Kubeconfig {
public:
    explicit Kubeconfig(const std::vector<fs::path>& files) {
        for (const fs::path& file : files) {
            files_.push_back(parsed(file));
            text_ += (text_.empty() ? "" : ", ") + file.string();
        }
    }

    std::string current_context() const {
        for (const Entry& file : files_) {
            std::string name = file.text("current-context");
            if (!name.empty()) return name;
        }
        throw certcast::config_error(text_ +
                                     ": there is no current-context; 'context' has to name one");
    }
    /// The entry NAME of contexts, clusters or users.
    Entry named(const std::string& kind, const std::string& name,
                const std::string& what_for) const {
        std::string known;
        for (const Entry& file : files_) {
            for (const Entry& entry : file.list(kind + "s")) {
                const std::string own = entry.text("name");
                if (own != name) {
                    known += (known.empty() ? "" : ", ") + own;
                    continue;
                }
                if (const std::optional<Entry> found = entry.part(kind)) return *found;
                throw certcast::config_error(entry.where() + ": nothing is said of the " + kind +
                                             " '" + name + "'");
            }
        }
        throw certcast::config_error(text_ + ": there is no " + kind + " '" + name + "', " +
                                     what_for + "; there " +
                                     (known.empty() ? "is none" : "are: " + known));
    }

private:
    std::vector<Entry> files_;
    std::string text_;
};

void take_cluster(const Entry& cluster, Access& access) {
    access.server = cluster.text("server");
    if (!access.server.starts_with("https://")) {
        throw certcast::config_error(cluster.where() +
                                     ": 'server' has to be an https URL, and is '" +
                                     certcast::http::shown(access.server) + "'");
    }
    if (cluster.is_true("insecure-skip-tls-verify")) {
        throw certcast::config_error(
            cluster.where() +
            ": 'insecure-skip-tls-verify' leaves open whom the key is sent "
            "to; give 'certificate-authority' instead");
    }
    if (const auto ca = cluster.contents("certificate-authority")) {
        access.http.ca_pem = authorities_in(*ca, "'certificate-authority' of " + cluster.where());
    }
    access.http.server_name = cluster.text("tls-server-name");
    access.http.proxy = certcast::Sensitive(cluster.text("proxy-url"));
}

ExecPlugin exec_plugin(const Entry& exec) {
    ExecPlugin plugin;
    plugin.where = exec.where();
    plugin.command = exec.text("command");
    if (plugin.command.empty())
        throw certcast::config_error(exec.where() + ": 'command' is missing");
    // Like all paths in it, where it is one.
    if (plugin.command.find('/') != std::string::npos) plugin.command = exec.path("command");
    plugin.api_version = exec.text("apiVersion");
    if (plugin.api_version != "client.authentication.k8s.io/v1" &&
        plugin.api_version != "client.authentication.k8s.io/v1beta1") {
        throw certcast::config_error(exec.where() + ": 'apiVersion' is '" + plugin.api_version +
                                     "'; known are client.authentication.k8s.io/v1 and v1beta1");
    }
    if (exec.text("interactiveMode") == "Always") {
        throw certcast::config_error(
            exec.where() + ": 'interactiveMode: Always' wants a terminal, and there is none");
    }
    for (const Entry& argument : exec.list("args")) plugin.arguments.push_back(argument.text());
    for (const Entry& variable : exec.list("env")) {
        plugin.variables.push_back(variable.text("name") + "=" + variable.text("value"));
    }
    plugin.wants_cluster = exec.is_true("provideClusterInfo");
    plugin.install_hint = exec.text("installHint");
    return plugin;
}

void take_user(const Entry& user, Access& access) {
    if (const auto certificate = user.contents("client-certificate")) {
        const auto key = user.contents("client-key");
        if (!key)
            throw certcast::config_error(user.where() +
                                         ": 'client-certificate' needs 'client-key'");
        access.http.certificate_pem = certificate->text();
        access.http.key_pem = *key;
    }
    const fs::path token_file = user.path("tokenFile");
    if (!token_file.empty()) {
        take_token(access, token_file, "'tokenFile' of " + user.where());
    } else {
        access.token = certcast::Sensitive(user.text("token"));
    }
    if (const std::optional<Entry> exec = user.part("exec")) access.exec = exec_plugin(*exec);
    for (const char* kind : {"auth-provider", "username"}) {
        if (!user.part(kind)) continue;
        throw certcast::config_error(user.part(kind)->where() + ": '" + kind +
                                     "' is not supported; give a token or a client certificate");
    }
}

}  // namespace

Access read_kubeconfig(const std::vector<fs::path>& files, const std::string& context) {
    const Kubeconfig config(files);
    const std::string name = context.empty() ? config.current_context() : context;
    const Entry chosen = config.named("context", name, "which is wanted");
    Access access;
    access.text = "context '" + name + "' (" + chosen.where() + ")";
    const std::string name_space = chosen.text("namespace");
    if (!name_space.empty()) access.name_space = name_space;
    const std::string of_context = "which " + access.text + " names";
    take_cluster(config.named("cluster", chosen.text("cluster"), of_context), access);
    const std::string user = chosen.text("user");
    if (!user.empty()) take_user(config.named("user", user, of_context), access);
    return access;
}

}  // namespace kubernetes
