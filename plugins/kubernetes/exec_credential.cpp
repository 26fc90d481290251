#include "plugins/kubernetes/exec_credential.hpp"

#include "plugins/json/base64.hpp"
#include "plugins/json/parts.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>
#include <certcast/files.hpp>
#include <certcast/pem.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace kubernetes {

namespace json = boost::json;
using json_parts::part_of;
using json_parts::text_in;

namespace {

using certcast::detail::OpenFile;

constexpr std::chrono::seconds patience{10};  // such a program may ask a service far away
constexpr std::chrono::minutes untold_lifetime{10};
constexpr std::chrono::seconds margin{30};  // what is to be done with a credential takes time, too

std::string exec_info(const Access& access) {
    json::object spec{{"interactive", false}};
    if (access.exec->wants_cluster) {
        json::object cluster{{"server", access.server}};
        if (!access.http.server_name.empty()) cluster["tls-server-name"] = access.http.server_name;
        if (!access.http.ca_pem.empty()) {
            cluster["certificate-authority-data"] =
                json_parts::to_base64(access.http.ca_pem).text();
        }
        spec["cluster"] = std::move(cluster);
    }
    return json::serialize(json::object{{"apiVersion", access.exec->api_version},
                                        {"kind", "ExecCredential"},
                                        {"spec", std::move(spec)}});
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

/// The process, whose standard output is `output`.
pid_t started(const Access& access, int output) {
    const ExecPlugin& plugin = *access.exec;
    std::vector<std::string> words{plugin.command};
    words.insert(words.end(), plugin.arguments.begin(), plugin.arguments.end());
    std::vector<std::string> variables = plugin.variables;
    variables.push_back("KUBERNETES_EXEC_INFO=" + exec_info(access));
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string inherited = *variable;
        const std::string name = inherited.substr(0, inherited.find('=') + 1);
        const bool is_given =
            std::any_of(variables.begin(), variables.end(),
                        [&](const std::string& other) { return other.starts_with(name); });
        if (!is_given) variables.push_back(inherited);
    }

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    pid_t process = 0;
    const int failure = posix_spawnp(&process, plugin.command.c_str(), &actions, nullptr,
                                     pointers(words).data(), pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    if (failure == 0) return process;
    throw certcast::config_error(plugin.where + ": '" + plugin.command +
                                 "' cannot be run: " + std::generic_category().message(failure) +
                                 (plugin.install_hint.empty() ? "" : "; " + plugin.install_hint));
}

/// A program that has been started, and does not outlive this.
class Program {
public:
    explicit Program(pid_t process)
        : process_(process), handle_(static_cast<int>(::syscall(SYS_pidfd_open, process, 0))) {
        if (handle_.get() < 0) {
            throw std::system_error(errno, std::generic_category(), "pidfd_open");
        }
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        if (process_ == 0) return;
        const bool is_killed = ::kill(process_, SIGKILL) == 0;
        ::waitpid(process_, nullptr, is_killed ? 0 : WNOHANG);
    }

    int handle() const { return handle_.get(); }  ///< readable once it has ended
    /// As waitpid gives it.
    int status() {
        int status = 0;
        if (::waitpid(std::exchange(process_, 0), &status, 0) < 0) {
            throw std::system_error(errno, std::generic_category(), "waitpid");
        }
        return status;
    }

private:
    pid_t process_;
    OpenFile handle_;
};

/// What it has written once it has ended with status 0.
certcast::Sensitive output_of(const Access& access, const certcast::Job& job) {
    const std::string what = access.exec->where + ": '" + access.exec->command + "'";
    constexpr std::size_t most = 1024 * 1024;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    const OpenFile near(ends[0]);
    std::optional<Program> program;
    {
        const OpenFile far(ends[1]);
        program.emplace(started(access, far.get()));
    }
    ::fcntl(near.get(), F_SETFL, O_NONBLOCK);
    certcast::Sensitive output;
    for (bool has_ended = false; !has_ended;) {
        job.throw_if_cancelled();
        if (job.remaining().count() == 0)
            throw certcast::timeout_error(what + " did not end in time");
        std::array<pollfd, 3> polled{{{near.get(), POLLIN, 0},
                                      {program->handle(), POLLIN, 0},
                                      {job.cancel_fd(), POLLIN, 0}}};
        ::poll(polled.data(), polled.size(), static_cast<int>(job.remaining().count()));
        // Somebody whom it has left behind may keep the pipe open, so its own end counts.
        has_ended = polled[1].revents != 0;
        std::array<char, 4096> piece{};
        ssize_t got = 0;
        while ((got = ::read(near.get(), piece.data(), piece.size())) > 0) {
            output += std::string_view(piece.data(), static_cast<std::size_t>(got));
            if (output.size() > most) throw certcast::config_error(what + " says too much");
        }
        if (got == 0 && !has_ended) {
            // It has closed its output; what is left is to wait for its end.
            pollfd end{program->handle(), POLLIN, 0};
            ::poll(&end, 1, static_cast<int>(std::min<std::int64_t>(job.remaining().count(), 50)));
        }
    }
    const int status = program->status();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
    throw certcast::auth_error(what +
                               (WIFEXITED(status)
                                    ? " ended with status " + std::to_string(WEXITSTATUS(status))
                                    : " was ended by signal " + std::to_string(WTERMSIG(status))) +
                               "; what it said is in the log");
}

/// As a program gives it.
struct Credential {
    certcast::Sensitive token;  ///< empty: none
    std::string certificate;    ///< empty: none
    certcast::Sensitive key;
    std::optional<std::chrono::system_clock::time_point> until;  ///< nullopt: it does not say
};

Credential credential_in(const certcast::Sensitive& output, const Access& access) {
    const std::string what = access.exec->where + ": '" + access.exec->command + "'";
    json::error_code error;
    const json::value parsed = json::parse(output.text(), error);
    const json::object none;
    const json::object& answer = !error && parsed.is_object() ? parsed.get_object() : none;
    if (text_in(answer, "kind") != "ExecCredential") {
        throw certcast::config_error(what + " gives no ExecCredential");
    }
    const std::string_view version = text_in(answer, "apiVersion").value_or("");
    if (version != access.exec->api_version) {
        throw certcast::config_error(what + " gives an ExecCredential of '" + std::string(version) +
                                     "', and was asked for '" + access.exec->api_version + "'");
    }
    const json::object& status = part_of(answer, "status");
    const std::string_view token = text_in(status, "token").value_or("");
    const std::string_view certificate = text_in(status, "clientCertificateData").value_or("");
    const std::string_view key = text_in(status, "clientKeyData").value_or("");
    if (certificate.empty() != key.empty() || (token.empty() && key.empty())) {
        throw certcast::config_error(what +
                                     " gives neither a token nor a certificate with its key");
    }
    if (!certificate.empty() && certcast::certificates_in(certificate).empty()) {
        throw certcast::config_error(what + " gives a client certificate that is no PEM");
    }
    Credential credential{
        certcast::Sensitive(token), std::string(certificate), certcast::Sensitive(key), {}};
    if (!text_in(status, "expirationTimestamp").value_or("").empty()) {
        credential.until = json_parts::time_in(status, "expirationTimestamp")
                               .value_or(std::chrono::system_clock::now());
    }
    return credential;
}

/// nullopt: it is none.
std::optional<Credential> usable(const certcast::Sensitive& output, const Access& access) {
    try {
        return credential_in(output, access);
    } catch (const certcast::config_error&) {
        return std::nullopt;
    }
}

std::chrono::milliseconds lifetime_of(const Credential& credential) {
    if (!credential.until) return untold_lifetime;
    const auto left = *credential.until - std::chrono::system_clock::now() - margin;
    return std::chrono::duration_cast<std::chrono::milliseconds>(left);
}

}  // namespace

void take_exec_credential(Access& access, const certcast::Job& job) {
    const auto run = [&] {
        certcast::Sensitive output = output_of(access, job);
        const auto lifetime = lifetime_of(credential_in(output, access));
        return certcast::Shared{std::move(output), lifetime};
    };
    const auto ask = [&] {
        access.exec_answer = job.shared("exec credential", patience, run, access.exec_answer);
        return usable(access.exec_answer, access);
    };
    std::optional<Credential> credential = ask();
    // Another process may have kept anything; what comes from its own program is good.
    if (!credential) credential = ask();
    if (!credential) {
        access.exec_answer = run().answer;
        credential = credential_in(access.exec_answer, access);
    }
    access.token = std::move(credential->token);
    access.http.certificate_pem = std::move(credential->certificate);
    access.http.key_pem = std::move(credential->key);
}

}  // namespace kubernetes
