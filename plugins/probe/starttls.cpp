#include "plugins/probe/starttls.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace tls {

namespace {

using namespace std::string_view_literals;

/// A server that has not come to the point by then never will.
constexpr std::size_t most_bytes = 65'536;

/// What is said and heard before the handshake. Once there was a trouble nothing more happens, so
/// that a dialogue reads from top to bottom.
class Dialogue {
public:
    Dialogue(int fd, const Patience& patience) : fd_(fd), patience_(patience) {}

    void say(std::string_view bytes) {
        while (!has_trouble() && !bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent >= 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            } else if (errno == EAGAIN) {
                wait(POLLOUT);
            } else if (errno != EINTR) {
                give_up(Served::Failure::network, std::strerror(errno));
            }
        }
    }

    /// Exactly so many bytes; fewer only with a trouble.
    std::string hear(std::size_t count) {
        std::string bytes(count, '\0');
        std::size_t got = 0;
        while (!has_trouble() && got < count) {
            const ssize_t read = ::recv(fd_, bytes.data() + got, count - got, 0);
            if (read > 0) {
                got += static_cast<std::size_t>(read);
                heard_ += static_cast<std::size_t>(read);
            } else if (read == 0) {
                give_up(Served::Failure::network, "it closed the connection before TLS");
            } else if (errno == EAGAIN) {
                wait(POLLIN);
            } else if (errno != EINTR) {
                give_up(Served::Failure::network, std::strerror(errno));
            }
            if (heard_ > most_bytes) refuse("it talks without end before TLS");
        }
        bytes.resize(got);
        return bytes;
    }

    /// Byte by byte, since what follows an answer is TLS already.
    std::string hear_line() {
        std::string line;
        while (!has_trouble() && !line.ends_with('\n')) line += hear(1);
        while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
        return line;
    }

    void refuse(std::string why) { give_up(Served::Failure::refused, std::move(why)); }
    void refuse(const std::string& why, std::string_view answer) {
        constexpr std::size_t longest = 200;
        refuse(why + ", but said \"" + std::string(answer.substr(0, longest)) + "\"");
    }

    bool has_trouble() const { return trouble_.failure != Served::Failure::none; }
    const Trouble& trouble() const { return trouble_; }

private:
    void wait(short events) {
        const Served::Failure waited = wait_for(fd_, events, patience_);
        if (waited != Served::Failure::none) give_up(waited, "the connection broke");
    }
    void give_up(Served::Failure failure, std::string error) {
        if (!has_trouble()) trouble_ = {failure, std::move(error)};
    }

    int fd_;
    const Patience& patience_;
    std::size_t heard_ = 0;
    Trouble trouble_;
};

/// The own address, as a client without a name gives it (RFC 5321, 4.1.3).
std::string address_literal(int fd) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0) return "[127.0.0.1]";
    if (own.ss_family == AF_INET6) {
        const auto& address = reinterpret_cast<const sockaddr_in6&>(own);
        ::inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
        return "[IPv6:" + std::string(text.data()) + "]";
    }
    const auto& address = reinterpret_cast<const sockaddr_in&>(own);
    ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]";
}

/// All lines of one reply, "250-.." up to "250 ..".
std::string smtp_reply(Dialogue& server) {
    std::string reply;
    for (;;) {
        const std::string line = server.hear_line();
        reply += line + '\n';
        if (server.has_trouble() || line.size() < 4 || line[3] != '-') return reply;
    }
}

void smtp(Dialogue& server, int fd) {
    const std::string greeting = smtp_reply(server);
    if (!greeting.starts_with("220")) server.refuse("expected SMTP's greeting", greeting);
    server.say("EHLO " + address_literal(fd) + "\r\n");
    const std::string offer = smtp_reply(server);
    if (!offer.starts_with("250")) server.refuse("expected an answer to EHLO", offer);
    server.say("STARTTLS\r\n");
    const std::string answer = smtp_reply(server);
    if (!answer.starts_with("220")) server.refuse("expected it to agree to STARTTLS", answer);
}

void imap(Dialogue& server) {
    const std::string greeting = server.hear_line();
    if (!greeting.starts_with("* OK")) server.refuse("expected IMAP's greeting", greeting);
    server.say("a STARTTLS\r\n");
    std::string answer = server.hear_line();
    while (!server.has_trouble() && answer.starts_with("* ")) answer = server.hear_line();
    if (!answer.starts_with("a OK")) server.refuse("expected it to agree to STARTTLS", answer);
}

void pop3(Dialogue& server) {
    const std::string greeting = server.hear_line();
    if (!greeting.starts_with("+OK")) server.refuse("expected POP3's greeting", greeting);
    server.say("STLS\r\n");
    const std::string answer = server.hear_line();
    if (!answer.starts_with("+OK")) server.refuse("expected it to agree to STLS", answer);
}

/// An element of BER with its content; empty where it is no such thing.
std::string ber_element(Dialogue& server) {
    const std::string head = server.hear(2);
    if (head.size() < 2 || head[0] != '\x30') return {};
    std::size_t size = static_cast<unsigned char>(head[1]);
    if (size > 0x80 && size <= 0x84) {
        const std::string length = server.hear(size - 0x80);
        size = 0;
        for (const char byte : length) size = size << 8 | static_cast<unsigned char>(byte);
    }
    return size > most_bytes ? std::string() : server.hear(size);
}

void ldap(Dialogue& server) {
    // An extended request with message 1: 1.3.6.1.4.1.1466.20037, StartTLS.
    server.say(
        "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
        "1.3.6.1.4.1.1466.20037"sv);
    const std::string answer = ber_element(server);
    // Message 1, an extended response of any length, and its result: success.
    const std::size_t response = 3;
    std::size_t result = response + 2;
    if (answer.size() > result && static_cast<unsigned char>(answer[response + 1]) > 0x80) {
        result += static_cast<unsigned char>(answer[response + 1]) - 0x80u;
    }
    const bool agrees = answer.starts_with("\x02\x01\x01\x78"sv) && answer.size() > result + 2 &&
                        answer.compare(result, 3, "\x0a\x01\x00"sv) == 0;
    if (!agrees) server.refuse("it does not agree to LDAP's StartTLS");
}

void postgres(Dialogue& server) {
    server.say("\x00\x00\x00\x08\x04\xd2\x16\x2f"sv);  // SSLRequest
    const std::string answer = server.hear(1);
    if (answer == "N") server.refuse("this PostgreSQL offers no TLS");
    if (answer != "S") server.refuse("expected PostgreSQL's answer to SSLRequest", answer);
}

void mysql(Dialogue& server) {
    const std::string head = server.hear(4);
    if (server.has_trouble()) return;
    const auto byte = [](const std::string& text, std::size_t at) {
        return static_cast<std::size_t>(static_cast<unsigned char>(text[at]));
    };
    const std::size_t size = byte(head, 0) | byte(head, 1) << 8 | byte(head, 2) << 16;
    if (size > most_bytes) return server.refuse("this is no MySQL");
    const std::string greeting = server.hear(size);
    if (server.has_trouble()) return;
    if (greeting.starts_with('\xff')) {
        constexpr std::size_t before_the_words = 3;
        return server.refuse("MySQL refuses the connection",
                             greeting.substr(std::min(before_the_words, greeting.size())));
    }
    // Version 10, the server's version, a thread, a part of a challenge and a zero come before the
    // lower half of what it is capable of.
    const std::size_t end = greeting.find('\0');
    constexpr std::size_t between = 1 + 4 + 8 + 1;
    const bool is_mysql = greeting.starts_with('\x0a') && end != std::string::npos &&
                          greeting.size() >= end + between + 2;
    if (!is_mysql) return server.refuse("this is no MySQL that certcast knows");
    constexpr std::size_t client_ssl = 0x0800;
    const std::size_t capable = byte(greeting, end + between) | byte(greeting, end + between + 1)
                                                                    << 8;
    if ((capable & client_ssl) == 0) return server.refuse("this MySQL offers no TLS");
    // SSLRequest: protocol 4.1, TLS, secure authentication; 16 MiB packets; UTF-8.
    std::string request("\x20\x00\x00\x01\x00\x8a\x00\x00\x00\x00\x00\x01\x21"sv);
    request.append(23, '\0');
    server.say(request);
}

}  // namespace

std::optional<Protocol> protocol_called(std::string_view name) {
    if (name == "tls") return Protocol::tls;
    if (name == "smtp") return Protocol::smtp;
    if (name == "imap") return Protocol::imap;
    if (name == "pop3") return Protocol::pop3;
    if (name == "ldap") return Protocol::ldap;
    if (name == "postgres") return Protocol::postgres;
    if (name == "mysql") return Protocol::mysql;
    return std::nullopt;
}

Trouble ask_for_tls(Protocol protocol, int fd, const Patience& patience) {
    Dialogue server(fd, patience);
    switch (protocol) {
        case Protocol::tls:
            break;
        case Protocol::smtp:
            smtp(server, fd);
            break;
        case Protocol::imap:
            imap(server);
            break;
        case Protocol::pop3:
            pop3(server);
            break;
        case Protocol::ldap:
            ldap(server);
            break;
        case Protocol::postgres:
            postgres(server);
            break;
        case Protocol::mysql:
            mysql(server);
            break;
    }
    return server.trouble();
}

}  // namespace tls
