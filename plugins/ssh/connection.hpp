#pragma once

#include "plugins/ssh/login.hpp"
#include "plugins/ssh/transport.hpp"

#include <certcast/job.hpp>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ssh {

class Channel;
class Tunnel;

/// An SSH session with a host that is the right one, logged in. Whatever waits ends when the job is
/// cancelled or out of time. Everything throws the errors of <certcast/errors.hpp>.
class Connection {
public:
    Connection(const Login& login, const certcast::Job& job);
    Connection(const Login& login, Deadline patience, const certcast::Job& job);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    /// As far as is known before anything is asked of it.
    bool is_open() const { return ssh_is_connected(session_.get()) != 0; }
    /// As the login's.
    std::string text() const { return login_.text(); }
    /// Gives a line to the user's shell over there.
    Channel start(const std::string& command, const certcast::Job& job);
    Channel start_subsystem(const std::string& name, const certcast::Job& job);
    /// A stream to an address that is reached from over there.
    Channel forward(const std::string& address, std::uint16_t port, const certcast::Job& job);

private:
    friend class Channel;
    friend class Tunnel;
    struct Free {
        void operator()(ssh_session session) const { ssh_free(session); }
    };

    void set(ssh_options_e option, const void* value);
    template <typename Request>
    Channel session(const std::string& refusal, const certcast::Job& job, Request request);
    int descriptor(const certcast::Job& job);
    /// Nothing: the key cannot be used, and is none that is wanted by name.
    std::optional<int> log_in_with(const Identity& identity, std::string& tried,
                                   const certcast::Job& job);
    void log_in(const certcast::Job& job);
    int answer_prompts(const certcast::Job& job);
    /// What has to happen before it can go on.
    pollfd interest() const;
    void wait(const certcast::Job& job, Deadline until = Deadline::max()) const;
    template <typename Call>
    int until_done(const certcast::Job& job, int again, Call call) const;
    [[noreturn]] void throw_broken(const std::string& during) const;

    Login login_;
    std::unique_ptr<Tunnel> tunnel_;  ///< through which the session goes, where there is one
    std::unique_ptr<ssh_session_struct, Free> session_;
    Deadline patience_;  ///< of connecting; later the job's is less
};

/// One program over there, and its three streams, or one stream that goes on from there. REQUIRES:
/// the connection outlives it.
class Channel {
public:
    void write(certcast::ByteView bytes, const certcast::Job& job);
    /// Without its newline; nothing: the program has ended.
    std::optional<std::string> line(const certcast::Job& job);
    /// The same; nothing: none is whole yet.
    std::optional<std::string> next_line();
    /// Waits until more has come in, on its standard error too; false: there will be no more.
    bool await_more(const certcast::Job& job, Deadline until = Deadline::max()) const;
    /// REQUIRES: the program writes so many. Else this throws.
    certcast::Sensitive bytes(std::size_t count, const certcast::Job& job);
    /// What comes before `end`, which is passed over. REQUIRES: the program writes it. Else, and
    /// after more than a certificate can have, this throws.
    certcast::Sensitive bytes_until(std::string_view end, const certcast::Job& job);
    /// As far as has come in until now.
    bool is_open() const;
    /// What it has said on its standard error so far.
    const std::string& said() const { return received_->said; }

private:
    friend class Connection;
    friend class Tunnel;
    struct Free {
        void operator()(ssh_channel channel) const { ssh_channel_free(channel); }
    };
    /// What has come in, whichever call of libssh's has met it on its way.
    struct Received {
        ssh_channel_callbacks_struct callbacks{};
        certcast::Sensitive text;  ///< and was not used yet
        std::string said;
        bool is_complete = false;
    };
    Channel(const Connection& connection, ssh_channel channel);

    static int take(ssh_session, ssh_channel, void* data, std::uint32_t size, int of_errors,
                    void* received);
    static void end(ssh_session, ssh_channel, void* received);
    /// How much was taken, without waiting.
    std::size_t write_some(std::string_view text);
    /// Lets libssh read what is there.
    void read() const;

    const Connection* connection_;
    std::unique_ptr<Received> received_;
    std::unique_ptr<ssh_channel_struct, Free> channel_;
};

}  // namespace ssh
