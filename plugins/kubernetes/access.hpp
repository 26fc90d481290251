#pragma once

#include <certcast/http.hpp>
#include <certcast/job.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kubernetes {

/// A program that gives a credential (client.authentication.k8s.io).
struct ExecPlugin {
    std::string command;  ///< a path, or a name to be found in PATH
    std::vector<std::string> arguments;
    std::vector<std::string> variables;  ///< "NAME=VALUE"
    std::string api_version;
    bool wants_cluster = false;  ///< to be told which cluster it is for
    std::string install_hint;
    std::string where;  ///< it is asked for
};

/// How an API server is reached, and as whom.
struct Access {
    std::string server;  ///< "https://HOST[:PORT][/PATH]"
    certcast::http::Settings http;
    certcast::Sensitive token;        ///< shown as a bearer's; empty: none
    std::optional<ExecPlugin> exec;   ///< who gives token or client certificate
    certcast::Sensitive exec_answer;  ///< what that has given; empty: nothing yet
    /// Gets its token or client certificate once more, where the former was refused; empty: there
    /// is no other.
    std::function<void(Access&, const certcast::Job&)> renew;
    std::string name_space = "default";
    std::string text;  ///< for messages: whose access it is
};

/// As a pod has it: from its service account.
Access in_cluster();

/// A file that holds a credential, whole. Throws config_error: what it is for, and where that was
/// asked for.
certcast::Sensitive read_credential(const std::filesystem::path& file, const std::string& what_for);

/// For http::Settings. Throws config_error where there is no certificate in it, because then
/// whoever the system trusts would count.
std::string authorities_in(const certcast::Sensitive& pem, const std::string& where);

/// A token without the line break at its end.
certcast::Sensitive read_token(const std::filesystem::path& file, const std::string& what_for);

/// Takes it from a file, which may hold another one when it is refused.
void take_token(Access& access, const std::filesystem::path& file, const std::string& what_for);

}  // namespace kubernetes
