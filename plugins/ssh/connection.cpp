#include "plugins/ssh/connection.hpp"

#include "plugins/ssh/host_key.hpp"
#include "plugins/ssh/key.hpp"
#include "plugins/ssh/tunnel.hpp"

#include <certcast/errors.hpp>
#include <certcast/files.hpp>

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace ssh {

namespace {

using std::chrono::steady_clock;

/// For libssh, which takes secrets as C strings.
certcast::Sensitive with_end(const certcast::Sensitive& text) {
    return text + std::string_view("\0", 1);
}

void add_word(std::string& list, const std::string& word) {
    list += (list.empty() ? "" : ", ") + word;
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
        if ((static_cast<unsigned>(list) & bit) != 0) add_word(text, name);
    }
    return text.empty() ? "nothing" : text;
}

/// What the libraries set up at their first use is set up when this one is loaded, and so for all
/// attempts that are forked from there.
const bool is_set_up = [] {
    ssh_key raw = nullptr;
    const bool is_made = ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &raw) == SSH_OK;
    const Key key(raw);
    return is_made;
}();

}  // namespace

Connection::Connection(const Login& login, const certcast::Job& job)
    : Connection(login, steady_clock::now() + login.connect_timeout, job) {}

Connection::Connection(const Login& login, Deadline patience, const certcast::Job& job)
    : login_(login), session_(ssh_new()), patience_(patience) {
    if (!session_) throw std::bad_alloc();
    // libssh writes to connections that may be closed already.
    std::signal(SIGPIPE, SIG_IGN);
    const bool process_config = false;
    set(SSH_OPTIONS_PROCESS_CONFIG, &process_config);
    // Otherwise it asks the system for a home, and finds nothing there.
    set(SSH_OPTIONS_SSH_DIR, job.work_folder().c_str());
    set(SSH_OPTIONS_HOST, login_.address.c_str());
    set(SSH_OPTIONS_USER, login_.user.c_str());
    if (!login_.agent.empty()) set(SSH_OPTIONS_IDENTITY_AGENT, login_.agent.c_str());
    // Known hosts are looked up by ourselves.
    const std::filesystem::path none = job.work_folder() / "known_hosts";
    set(SSH_OPTIONS_KNOWNHOSTS, none.c_str());
    set(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, none.c_str());
    const KnownKeys known(login_);
    set(SSH_OPTIONS_HOSTKEYS, known.algorithms().c_str());
    const int fd = descriptor(job);
    set(SSH_OPTIONS_FD, &fd);  // libssh closes it
    ssh_set_blocking(session_.get(), 0);
    if (until_done(job, SSH_AGAIN, [&] { return ssh_connect(session_.get()); }) != SSH_OK) {
        throw_broken("before anybody logged in");
    }
    check_host_key(session_.get(), login_, known, job);
    log_in(job);
    patience_ = Deadline::max();
}

Connection::~Connection() = default;

/// One that belongs to whoever called.
int Connection::descriptor(const certcast::Job& job) {
    const auto own = [](int fd) {
        const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) throw std::system_error(errno, std::generic_category(), "fcntl");
        return copy;
    };
    if (!login_.proxy_command.empty()) return own(through_proxy_command(login_).get());
    if (login_.jumps.empty()) return own(connected(login_, patience_, job).get());
    Login jump = login_.jumps.back();
    jump.jumps.assign(login_.jumps.begin(), login_.jumps.end() - 1);
    tunnel_ = std::make_unique<Tunnel>(jump, login_, patience_, job);
    return own(tunnel_->near_end());
}

void Connection::set(ssh_options_e option, const void* value) {
    if (ssh_options_set(session_.get(), option, value) == 0) return;
    throw certcast::config_error(login_.text() + ": " + ssh_get_error(session_.get()));
}

pollfd Connection::interest() const {
    const bool has_more = (ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) != 0;
    return {ssh_get_fd(session_.get()), static_cast<short>(has_more ? POLLIN | POLLOUT : POLLIN),
            0};
}

void Connection::wait(const certcast::Job& job, Deadline until) const {
    const pollfd own = interest();
    wait_for(own.fd, own.events, std::min(patience_, until), login_.text(), job, tunnel_.get());
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

std::optional<int> Connection::log_in_with(const Identity& identity, std::string& tried,
                                           const certcast::Job& job) {
    const std::string file = identity.key.string();
    const auto give_up = [&](const std::string& why) {
        if (identity.is_wanted) throw certcast::config_error(file + ": " + why);
        add_word(tried, "not " + file + " (" + why + ")");
        return std::nullopt;
    };
    const auto passphrase = with_end(login_.passphrase.value_or(certcast::Sensitive()));
    const char* const phrase = login_.passphrase ? passphrase.data() : nullptr;
    try {
        // A key of another user's, say, is told from a wrong passphrase by opening it.
        certcast::read_file(identity.key);
    } catch (const std::system_error& error) {
        if (identity.is_wanted) throw;
        return give_up(error.code().message());
    }
    ssh_key raw = nullptr;
    if (ssh_pki_import_privkey_file(file.c_str(), phrase, nullptr, nullptr, &raw) != SSH_OK) {
        return give_up(login_.passphrase
                           ? "is no private key, or 'passphrase' is not its passphrase"
                           : "is no private key, or has a passphrase, which 'passphrase' has to "
                             "give");
    }
    const Key key(raw);
    std::string with;
    if (!identity.certificate.empty()) {
        const std::string of_key = identity.certificate.string();
        with = " with " + of_key;
        certcast::read_file(identity.certificate);
        ssh_key raw_certificate = nullptr;
        const int read = ssh_pki_import_cert_file(of_key.c_str(), &raw_certificate);
        const Key certificate(raw_certificate);
        if (read != SSH_OK ||
            ssh_pki_copy_cert_to_privkey(certificate.get(), key.get()) != SSH_OK) {
            throw certcast::config_error(of_key + ": is no OpenSSH certificate");
        }
    }
    add_word(tried, "publickey (" + file + with + ")");
    return until_done(job, SSH_AUTH_AGAIN,
                      [&] { return ssh_userauth_publickey(session_.get(), nullptr, key.get()); });
}

/// With the keys first, then the agent, then the password, as a password or as the answer to
/// prompts.
void Connection::log_in(const certcast::Job& job) {
    std::string tried;
    int status = SSH_AUTH_DENIED;
    bool has_asked = false;
    for (const Identity& identity : login_.identities) {
        if (status != SSH_AUTH_DENIED) break;
        const std::optional<int> answer = log_in_with(identity, tried, job);
        if (!answer) continue;
        has_asked = true;
        status = *answer;
    }
    if (status == SSH_AUTH_DENIED && !login_.agent.empty()) {
        add_word(tried, "publickey (agent " + login_.agent.string() + ")");
        has_asked = true;
        status = until_done(job, SSH_AUTH_AGAIN,
                            [&] { return ssh_userauth_agent(session_.get(), nullptr); });
        // Also where nobody listens there, or it has no key.
        if (status == SSH_AUTH_ERROR && is_open()) status = SSH_AUTH_DENIED;
    }
    if (!has_asked) {
        status = until_done(job, SSH_AUTH_AGAIN,
                            [&] { return ssh_userauth_none(session_.get(), nullptr); });
    }
    const auto is_offered = [&](unsigned method) {
        return (static_cast<unsigned>(ssh_userauth_list(session_.get(), nullptr)) & method) != 0;
    };
    const auto may_ask = [&] {
        return login_.password && (status == SSH_AUTH_DENIED || status == SSH_AUTH_PARTIAL);
    };
    if (may_ask() && is_offered(SSH_AUTH_METHOD_PASSWORD)) {
        const certcast::Sensitive password = with_end(*login_.password);
        add_word(tried, "password");
        status = until_done(job, SSH_AUTH_AGAIN, [&] {
            return ssh_userauth_password(session_.get(), nullptr, password.data());
        });
    }
    if (may_ask() && is_offered(SSH_AUTH_METHOD_INTERACTIVE)) {
        add_word(tried, "keyboard-interactive");
        status = answer_prompts(job);
    }
    if (status == SSH_AUTH_SUCCESS) return;
    if (status == SSH_AUTH_ERROR) throw_broken("during the login");
    throw certcast::auth_error(
        login_.text() + ": the login was refused" +
        (status == SSH_AUTH_PARTIAL ? ", which wants more than one method" : "") + "; tried " +
        (tried.empty() ? "nothing" : tried) + "; the host offers " +
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

template <typename Request>
Channel Connection::session(const std::string& refusal, const certcast::Job& job, Request request) {
    Channel channel(*this, ssh_channel_new(session_.get()));
    ssh_channel raw = channel.channel_.get();
    const auto fail = [this](const std::string& what) {
        throw certcast::remote_error(login_.text() + ": " + what + ": " +
                                     ssh_get_error(session_.get()));
    };
    if (until_done(job, SSH_AGAIN, [&] { return ssh_channel_open_session(raw); }) != SSH_OK) {
        fail("no session there");
    }
    if (until_done(job, SSH_AGAIN, [&] { return request(raw); }) != SSH_OK) fail(refusal);
    return channel;
}

Channel Connection::start(const std::string& command, const certcast::Job& job) {
    return session("no program may be run there", job, [&](ssh_channel channel) {
        return ssh_channel_request_exec(channel, command.c_str());
    });
}

Channel Connection::start_subsystem(const std::string& name, const certcast::Job& job) {
    return session("the host does not serve " + name, job, [&](ssh_channel channel) {
        return ssh_channel_request_subsystem(channel, name.c_str());
    });
}

Channel Connection::forward(const std::string& address, std::uint16_t port,
                            const certcast::Job& job) {
    Channel channel(*this, ssh_channel_new(session_.get()));
    const auto open = [&] {
        return ssh_channel_open_forward(channel.channel_.get(), address.c_str(), port, "127.0.0.1",
                                        0);
    };
    if (until_done(job, SSH_AGAIN, open) != SSH_OK) {
        if (!is_open()) throw_broken("before it went on");
        throw certcast::network_error(login_.text() + ": from there " + address + ":" +
                                      std::to_string(port) +
                                      " is not to be had: " + ssh_get_error(session_.get()));
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

std::size_t Channel::write_some(std::string_view text) {
    if (text.empty()) return 0;
    const int written =
        ssh_channel_write(channel_.get(), text.data(), static_cast<std::uint32_t>(text.size()));
    if (written < 0) connection_->throw_broken("while something was sent");
    return static_cast<std::size_t>(written);
}

void Channel::write(certcast::ByteView bytes, const certcast::Job& job) {
    std::string_view left = bytes.text();
    // Where the program has ended, its last answer says why.
    while (!left.empty() && !received_->is_complete) {
        const std::size_t written = write_some(left);
        left.remove_prefix(written);
        if (written > 0) continue;
        read();
        // What has just come in may have made room.
        const std::size_t more = write_some(left);
        left.remove_prefix(more);
        if (more == 0 && !received_->is_complete) connection_->wait(job);
    }
}

bool Channel::await_more(const certcast::Job& job, Deadline until) const {
    const auto size = [&] { return received_->text.size() + received_->said.size(); };
    const std::size_t before = size();
    for (;;) {
        // Somebody who never stops talking is listened to as long as there is time.
        job.throw_if_cancelled();
        if (job.remaining().count() == 0) {
            throw certcast::timeout_error(connection_->login_.text() + " did not come to an end");
        }
        read();
        if (size() > before) return true;
        if (received_->is_complete) return false;
        if (!connection_->is_open()) connection_->throw_broken("while the host answered");
        connection_->wait(job, until);
    }
}

std::optional<std::string> Channel::next_line() {
    constexpr std::size_t longest = 64 * 1024;
    const std::string_view text = received_->text.text();
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
        if (text.size() > longest) throw certcast::remote_error("a line without an end");
        return std::nullopt;
    }
    std::string line(text.substr(0, end));
    received_->text = certcast::Sensitive(text.substr(end + 1));
    return line;
}

std::optional<std::string> Channel::line(const certcast::Job& job) {
    for (;;) {
        if (std::optional<std::string> line = next_line()) return line;
        if (!await_more(job)) return std::nullopt;
    }
}

certcast::Sensitive Channel::bytes_until(std::string_view end, const certcast::Job& job) {
    constexpr std::size_t most = 16 * 1024 * 1024;
    std::size_t searched = 0;
    for (;;) {
        const std::string_view text = received_->text.text();
        const std::size_t found = text.find(end, searched);
        if (found != std::string_view::npos) {
            certcast::Sensitive taken(text.substr(0, found));
            received_->text = certcast::Sensitive(text.substr(found + end.size()));
            return taken;
        }
        searched = text.size() - std::min(text.size(), end.size());
        if (text.size() > most) throw certcast::remote_error("a file there has no end");
        if (!await_more(job)) throw certcast::network_error("the host ended within a file");
    }
}

certcast::Sensitive Channel::bytes(std::size_t count, const certcast::Job& job) {
    while (received_->text.size() < count) {
        if (!await_more(job)) throw certcast::network_error("the host ended within an answer");
    }
    certcast::Sensitive taken(received_->text.text().substr(0, count));
    received_->text = certcast::Sensitive(received_->text.text().substr(count));
    return taken;
}

}  // namespace ssh
