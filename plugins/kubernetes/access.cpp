#include "plugins/kubernetes/access.hpp"

#include <certcast/errors.hpp>
#include <certcast/files.hpp>
#include <certcast/pem.hpp>

#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

namespace kubernetes {

namespace {

constexpr const char* account = "/var/run/secrets/kubernetes.io/serviceaccount";

}  // namespace

certcast::Sensitive read_credential(const std::filesystem::path& file,
                                    const std::string& what_for) {
    try {
        certcast::FileImage image = certcast::read_file(file);
        if (image.present) return std::move(image.contents);
    } catch (const std::system_error& error) {
        const bool is_kept_away = error.code() == std::errc::permission_denied;
        throw certcast::config_error(
            file.string() + ": " + error.code().message() + "; it is " + what_for +
            (is_kept_away ? "; 'credential_files' names the files that may be read" : ""));
    }
    throw certcast::config_error(file.string() + " is not there; it is " + what_for);
}

std::string authorities_in(const certcast::Sensitive& pem, const std::string& where) {
    if (!certcast::certificates_in(pem.text()).empty()) return std::string(pem.text());
    throw certcast::config_error(
        where + " has no certificate in it, and the API server is to be known by one");
}

certcast::Sensitive read_token(const std::filesystem::path& file, const std::string& what_for) {
    certcast::Sensitive token = read_credential(file, what_for);
    const std::size_t end = token.text().find_last_not_of(" \t\r\n");
    token.resize(end == std::string_view::npos ? 0 : end + 1);
    if (token.empty()) throw certcast::config_error(file.string() + " is empty; it is " + what_for);
    return token;
}

void take_token(Access& access, const std::filesystem::path& file, const std::string& what_for) {
    access.token = read_token(file, what_for);
    access.renew = [file, what_for](Access& own, const certcast::Job&) {
        own.token = read_token(file, what_for);
    };
}

Access in_cluster() {
    const char* const host = std::getenv("KUBERNETES_SERVICE_HOST");
    const char* const port = std::getenv("KUBERNETES_SERVICE_PORT");
    Access access;
    access.text = "the service account of the pod";
    // Without the variables by the name that every cluster has for it.
    std::string address = host != nullptr ? host : "kubernetes.default.svc";
    if (address.find(':') != std::string::npos) address = "[" + address + "]";
    access.server = "https://" + address + ":" + (port != nullptr ? port : "443");
    const std::filesystem::path folder = account;
    take_token(access, folder / "token", "the token of a pod's service account");
    access.http.ca_pem =
        authorities_in(read_credential(folder / "ca.crt", "what a pod knows the API server by"),
                       (folder / "ca.crt").string());
    access.name_space = read_token(folder / "namespace", "the namespace of a pod").text();
    return access;
}

}  // namespace kubernetes
