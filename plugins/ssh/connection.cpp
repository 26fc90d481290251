#include "plugins/ssh/connection.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

namespace ssh {

namespace {

using std::chrono::steady_clock;

struct FreeKey {
    void operator()(ssh_key key) const { ssh_key_free(key); }
};
using Key = std::unique_ptr<ssh_key_struct, FreeKey>;

struct FreeEntry {
    void operator()(ssh_knownhosts_entry* entry) const { ssh_knownhosts_entry_free(entry); }
};
using KnownHost = std::unique_ptr<ssh_knownhosts_entry, FreeEntry>;

struct FreeAddresses {
    void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

/// For libssh, which takes secrets as C strings.
certcast::Sensitive with_end(const certcast::Sensitive& text) {
    return text + std::string_view("\0", 1);
}

/// Waits for `events`. Throws where the job is to stop or the time is up.
void wait_for(int fd, short events, steady_clock::time_point until, const std::string& what,
              const certcast::Job& job) {
    const auto deadline = std::min(until, job.deadline());
    for (;;) {
        job.throw_if_cancelled();
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
        if (left.count() <= 0) throw certcast::timeout_error(what + " did not answer in time");
        std::array<pollfd, 2> fds{{{fd, events, 0}, {job.cancel_fd(), POLLIN, 0}}};
        const int count = ::poll(fds.data(), fds.size(), static_cast<int>(left.count()));
        if (count < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "poll");
        }
        if (count > 0 && fds[0].revents != 0) return;
    }
}

Addresses addresses_of(const Login& login) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status =
        getaddrinfo(login.host.c_str(), std::to_string(login.port).c_str(), &hints, &found);
    if (status == 0) return Addresses(found);
    const std::string message = login.host + " does not resolve: " + gai_strerror(status);
    if (status == EAI_AGAIN) throw certcast::network_error(message);
    throw certcast::network_error(message).permanent();
}

/// The first address that answers; one that says nothing gets its share of the time. Belongs to
/// whoever called.
int connected(const Login& login, steady_clock::time_point until, const certcast::Job& job) {
    const Addresses addresses = addresses_of(login);
    int left = 0;
    for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next) ++left;
    int error = 0;
    for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next, --left) {
        const certcast::detail::OpenFile fd(::socket(
            next->ai_family, next->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, next->ai_protocol));
        if (fd.get() < 0) {
            error = errno;
            continue;
        }
        error = ::connect(fd.get(), next->ai_addr, next->ai_addrlen) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            const auto now = steady_clock::now();
            try {
                wait_for(fd.get(), POLLOUT, now + (until - now) / left, login.text(), job);
            } catch (const certcast::timeout_error&) {
                if (left == 1) throw;
                continue;
            }
            socklen_t size = sizeof(error);
            ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        }
        if (error != 0) continue;
        const int own = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
        if (own >= 0) return own;
        error = errno;
    }
    throw std::system_error(error, std::generic_category(), login.text() + ": cannot connect");
}

/// What the file has for the host, of the same kind of key.
std::string known_fingerprints(const Login& login, ssh_key shown) {
    const std::string host =
        login.port == 22 ? login.host : "[" + login.host + "]:" + std::to_string(login.port);
    std::string found;
    std::ifstream file(login.known_hosts);
    for (std::string line; std::getline(file, line);) {
        ssh_knownhosts_entry* raw = nullptr;
        const int status = ssh_known_hosts_parse_line(host.c_str(), line.c_str(), &raw);
        const KnownHost entry(raw);
        if (status != SSH_OK || !entry || ssh_key_type(entry->publickey) != ssh_key_type(shown)) {
            continue;
        }
        found += (found.empty() ? "" : ", ") + fingerprint(entry->publickey);
    }
    return found.empty() ? "another one" : found;
}

/// Which libssh does not look for.
bool is_revoked(const Login& login, ssh_key shown) {
    char* raw = nullptr;
    if (ssh_pki_export_pubkey_base64(shown, &raw) != SSH_OK) return true;
    const std::string text = raw;
    ssh_string_free_char(raw);
    std::ifstream file(login.known_hosts);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("@revoked") && line.find(text) != std::string::npos) return true;
    }
    return false;
}

std::string methods_in(int list) {
    static constexpr std::array names{
        std::pair{SSH_AUTH_METHOD_PUBLICKEY, "publickey"},
        std::pair{SSH_AUTH_METHOD_PASSWORD, "password"},
        std::pair{SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive"},
        std::pair{SSH_AUTH_METHOD_HOSTBASED, "hostbased"},
        std::pair{SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic"}};
    std::string text;
    for (const auto& [bit, name] : names) {
        if ((static_cast<unsigned>(list) & bit) != 0)
            text += (text.empty() ? "" : ", ") + std::string(name);
    }
    return text.empty() ? "nothing" : text;
}

}  // namespace

std::string Login::text() const {
    return user + "@" + host + ":" + std::to_string(port);
}

std::string fingerprint(ssh_key key) {
    unsigned char* hash = nullptr;
    std::size_t size = 0;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0) return "?";
    char* const text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
    std::string words = text != nullptr ? text : "?";
    ssh_string_free_char(text);
    ssh_clean_pubkey_hash(&hash);
    return words;
}

Connection::Connection(const Login& login, const certcast::Job& job)
    : login_(login), session_(ssh_new()), patience_(steady_clock::now() + login.connect_timeout) {
    if (!session_) throw std::bad_alloc();
    // libssh writes to connections that may be closed already.
    std::signal(SIGPIPE, SIG_IGN);
    const bool process_config = false;
    const unsigned port = login_.port;
    set(SSH_OPTIONS_PROCESS_CONFIG, &process_config);
    // Otherwise it asks the system for a home, and finds nothing there.
    set(SSH_OPTIONS_SSH_DIR, job.work_folder().c_str());
    set(SSH_OPTIONS_HOST, login_.host.c_str());
    set(SSH_OPTIONS_PORT, &port);
    set(SSH_OPTIONS_USER, login_.user.c_str());
    if (!login_.known_hosts.empty()) {
        set(SSH_OPTIONS_KNOWNHOSTS, login_.known_hosts.c_str());
        set(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, login_.known_hosts.c_str());
    }
    const int fd = connected(login_, patience_, job);
    set(SSH_OPTIONS_FD, &fd);  // libssh closes it
    ssh_set_blocking(session_.get(), 0);
    if (until_done(job, SSH_AGAIN, [&] { return ssh_connect(session_.get()); }) != SSH_OK) {
        throw_broken("before anybody logged in");
    }
    check_host_key(job);
    log_in(job);
    patience_ = steady_clock::time_point::max();
}

void Connection::set(ssh_options_e option, const void* value) {
    if (ssh_options_set(session_.get(), option, value) == 0) return;
    throw certcast::config_error(login_.text() + ": " + ssh_get_error(session_.get()));
}

void Connection::wait(const certcast::Job& job) const {
    const bool has_more = (ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) != 0;
    wait_for(ssh_get_fd(session_.get()), static_cast<short>(has_more ? POLLIN | POLLOUT : POLLIN),
             patience_, login_.text(), job);
}

template <typename Call>
int Connection::until_done(const certcast::Job& job, int again, Call call) const {
    for (;;) {
        const int result = call();
        if (result != again) return result;
        wait(job);
    }
}

void Connection::throw_broken(const std::string& during) const {
    throw certcast::network_error(login_.text() + ": the connection broke " + during + ": " +
                                  ssh_get_error(session_.get()));
}

void Connection::check_host_key(const certcast::Job& job) {
    ssh_key raw = nullptr;
    if (ssh_get_server_publickey(session_.get(), &raw) != SSH_OK) throw_broken("without a key");
    const Key key(raw);
    const std::string shown = fingerprint(key.get());
    const std::string whose = "the host key of " + login_.host + ":" + std::to_string(login_.port);
    if (!login_.host_key.empty()) {
        if (shown == login_.host_key) return;
        throw certcast::auth_error(whose + " is " + shown + ", and 'host_key' wants " +
                                   login_.host_key + ": somebody may stand in between")
            .code("host_key");
    }
    const std::string file = login_.known_hosts.string();
    if (is_revoked(login_, key.get())) {
        throw certcast::auth_error(whose + " is " + shown + ", which " + file + " has as revoked")
            .code("host_key");
    }
    switch (ssh_session_is_known_server(session_.get())) {
        case SSH_KNOWN_HOSTS_OK:
            job.debug(whose + " is " + shown);
            return;
        case SSH_KNOWN_HOSTS_CHANGED:
            throw certcast::auth_error(
                whose + " is " + shown + ", and " + file + " has " +
                known_fingerprints(login_, key.get()) +
                ": somebody may stand in between; if it was changed on purpose, mend that file")
                .code("host_key");
        case SSH_KNOWN_HOSTS_OTHER:
            throw certcast::auth_error(whose + " is " + shown + ", and " + file +
                                       " has only keys of another kind for it")
                .code("host_key");
        case SSH_KNOWN_HOSTS_UNKNOWN:
        case SSH_KNOWN_HOSTS_NOT_FOUND:
            throw certcast::auth_error(whose + " is not in " + file + ": it shows " + shown +
                                       "; compare that with the host's own (ssh-keygen -l), and "
                                       "add its line to the file or give it as 'host_key'")
                .code("host_key");
        case SSH_KNOWN_HOSTS_ERROR:
            throw certcast::config_error(file + ": " + ssh_get_error(session_.get()));
    }
    throw certcast::internal_error("an unknown answer about the host key");
}

int Connection::log_in_with_key(const certcast::Job& job) {
    ssh_key raw = nullptr;
    const auto passphrase = with_end(login_.passphrase.value_or(certcast::Sensitive()));
    const char* const phrase = login_.passphrase ? passphrase.data() : nullptr;
    const std::string file = login_.key_file.string();
    // A key of another user's, say, is told from a wrong passphrase by opening it.
    certcast::read_file(login_.key_file);
    if (ssh_pki_import_privkey_file(file.c_str(), phrase, nullptr, nullptr, &raw) != SSH_OK) {
        throw certcast::config_error(
            file +
            (login_.passphrase
                 ? ": is no private key, or 'passphrase' is not its passphrase"
                 : ": is no private key, or has a passphrase, which 'passphrase' has to give"));
    }
    const Key key(raw);
    if (!login_.key_certificate.empty()) {
        const std::string of_key = login_.key_certificate.string();
        certcast::read_file(login_.key_certificate);
        ssh_key raw_certificate = nullptr;
        const int read = ssh_pki_import_cert_file(of_key.c_str(), &raw_certificate);
        const Key certificate(raw_certificate);
        if (read != SSH_OK ||
            ssh_pki_copy_cert_to_privkey(certificate.get(), key.get()) != SSH_OK) {
            throw certcast::config_error(of_key + ": is no OpenSSH certificate");
        }
    }
    return until_done(job, SSH_AUTH_AGAIN,
                      [&] { return ssh_userauth_publickey(session_.get(), nullptr, key.get()); });
}

/// With the key first, then the password, as a password or as the answer to prompts.
void Connection::log_in(const certcast::Job& job) {
    std::vector<std::string> tried;
    int status = SSH_AUTH_DENIED;
    if (!login_.key_file.empty()) {
        const std::string certificate =
            login_.key_certificate.empty() ? "" : " with " + login_.key_certificate.string();
        tried.push_back("publickey (" + login_.key_file.string() + certificate + ")");
        status = log_in_with_key(job);
    } else {
        status = until_done(job, SSH_AUTH_AGAIN,
                            [&] { return ssh_userauth_none(session_.get(), nullptr); });
    }
    const auto is_offered = [&](unsigned method) {
        return (static_cast<unsigned>(ssh_userauth_list(session_.get(), nullptr)) & method) != 0;
    };
    const auto is_open = [&] {
        return login_.password && (status == SSH_AUTH_DENIED || status == SSH_AUTH_PARTIAL);
    };
    if (is_open() && is_offered(SSH_AUTH_METHOD_PASSWORD)) {
        const certcast::Sensitive password = with_end(*login_.password);
        tried.emplace_back("password");
        status = until_done(job, SSH_AUTH_AGAIN, [&] {
            return ssh_userauth_password(session_.get(), nullptr, password.data());
        });
    }
    if (is_open() && is_offered(SSH_AUTH_METHOD_INTERACTIVE)) {
        tried.emplace_back("keyboard-interactive");
        status = answer_prompts(job);
    }
    if (status == SSH_AUTH_SUCCESS) return;
    if (status == SSH_AUTH_ERROR) throw_broken("during the login");
    std::string methods;
    for (const std::string& one : tried) methods += (methods.empty() ? "" : ", ") + one;
    throw certcast::auth_error(
        login_.text() + ": the login was refused" +
        (status == SSH_AUTH_PARTIAL ? ", which wants more than one method" : "") + "; tried " +
        (methods.empty() ? "nothing" : methods) + "; the host offers " +
        methods_in(ssh_userauth_list(session_.get(), nullptr)));
}

int Connection::answer_prompts(const certcast::Job& job) {
    const certcast::Sensitive password = with_end(*login_.password);
    // A server that asks for ever is not answered for ever.
    constexpr int most_rounds = 8;
    int status = SSH_AUTH_INFO;
    for (int round = 0; round < most_rounds; ++round) {
        status = until_done(job, SSH_AUTH_AGAIN,
                            [&] { return ssh_userauth_kbdint(session_.get(), nullptr, nullptr); });
        if (status != SSH_AUTH_INFO) return status;
        const int prompts = ssh_userauth_kbdint_getnprompts(session_.get());
        for (int i = 0; i < prompts; ++i) {
            ssh_userauth_kbdint_setanswer(session_.get(), static_cast<unsigned>(i),
                                          password.data());
        }
    }
    return SSH_AUTH_DENIED;
}

Channel Connection::start(const std::string& command, const certcast::Job& job) {
    Channel channel(*this, ssh_channel_new(session_.get()));
    ssh_channel raw = channel.channel_.get();
    if (until_done(job, SSH_AGAIN, [&] { return ssh_channel_open_session(raw); }) != SSH_OK) {
        throw certcast::remote_error(login_.text() +
                                     ": no session there: " + ssh_get_error(session_.get()));
    }
    if (until_done(job, SSH_AGAIN,
                   [&] { return ssh_channel_request_exec(raw, command.c_str()); }) != SSH_OK) {
        throw certcast::remote_error(
            login_.text() + ": no program may be run there: " + ssh_get_error(session_.get()));
    }
    return channel;
}

Channel::Channel(const Connection& connection, ssh_channel channel)
    : connection_(&connection), received_(std::make_unique<Received>()), channel_(channel) {
    if (!channel_) connection.throw_broken("before a program was started");
    ssh_callbacks_init(&received_->callbacks);
    received_->callbacks.userdata = received_.get();
    received_->callbacks.channel_data_function = &Channel::take;
    received_->callbacks.channel_eof_function = &Channel::end;
    received_->callbacks.channel_close_function = &Channel::end;
    ssh_set_channel_callbacks(channel, &received_->callbacks);
}

int Channel::take(ssh_session, ssh_channel, void* data, std::uint32_t size, int of_errors,
                  void* received) {
    auto& into = *static_cast<Received*>(received);
    const std::string_view text(static_cast<const char*>(data), size);
    constexpr std::size_t most_said = 64 * 1024;
    if (of_errors != 0) {
        into.said.append(text.substr(0, most_said - std::min(most_said, into.said.size())));
    } else {
        into.text += text;
    }
    return static_cast<int>(size);
}

void Channel::end(ssh_session, ssh_channel, void* received) {
    static_cast<Received*>(received)->is_complete = true;
}

void Channel::read() const {
    ssh_channel_poll(channel_.get(), 0);
}

bool Channel::is_open() const {
    read();
    return !received_->is_complete;
}

void Channel::write(certcast::ByteView bytes, const certcast::Job& job) {
    std::string_view left = bytes.text();
    // Where the program has ended, its last answer says why.
    while (!left.empty() && !received_->is_complete) {
        const int written =
            ssh_channel_write(channel_.get(), left.data(), static_cast<std::uint32_t>(left.size()));
        if (written < 0) connection_->throw_broken("while files were sent");
        left.remove_prefix(static_cast<std::size_t>(written));
        if (written > 0) continue;
        const std::size_t before = received_->text.size();
        read();
        if (received_->text.size() == before) connection_->wait(job);
    }
}

bool Channel::read_more(const certcast::Job& job) const {
    const std::size_t before = received_->text.size();
    for (;;) {
        // Somebody who never stops talking is listened to as long as there is time.
        job.throw_if_cancelled();
        if (job.remaining().count() == 0) {
            throw certcast::timeout_error(connection_->login_.text() + " did not come to an end");
        }
        read();
        if (received_->text.size() > before) return true;
        if (received_->is_complete) return false;
        if (!connection_->is_open()) connection_->throw_broken("while the host answered");
        connection_->wait(job);
    }
}

std::optional<std::string> Channel::line(const certcast::Job& job) {
    constexpr std::size_t longest = 64 * 1024;
    for (;;) {
        const std::string_view text = received_->text.text();
        const std::size_t end = text.find('\n');
        if (end != std::string_view::npos) {
            std::string line(text.substr(0, end));
            received_->text = certcast::Sensitive(text.substr(end + 1));
            return line;
        }
        if (text.size() > longest) throw certcast::remote_error("a line without an end");
        if (!read_more(job)) return std::nullopt;
    }
}

certcast::Sensitive Channel::bytes(std::size_t count, const certcast::Job& job) {
    while (received_->text.size() < count) {
        if (!read_more(job)) throw certcast::network_error("the host sent less than it announced");
    }
    certcast::Sensitive taken(received_->text.text().substr(0, count));
    received_->text = certcast::Sensitive(received_->text.text().substr(count));
    return taken;
}

}  // namespace ssh
