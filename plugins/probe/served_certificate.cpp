#include "plugins/probe/served_certificate.hpp"

#include "plugins/probe/free_with.hpp"
#include "plugins/probe/stapled_response.hpp"
#include "plugins/probe/starttls.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>

namespace tls {

namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using AddressesPtr = std::unique_ptr<addrinfo, FreeWith<freeaddrinfo>>;

class Socket {
public:
    explicit Socket(int fd) : fd_(fd) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (fd_ >= 0) close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

int milliseconds_left(const Patience& patience) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        patience.deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

/// This host has no way to addresses of that kind, which says nothing of whoever has.
bool means_no_way(int error) {
    return error == EAFNOSUPPORT || error == ENETUNREACH || error == EADDRNOTAVAIL;
}

void fail_by_errno(Served& answer, int error) {
    answer.failure = Served::Failure::network;
    answer.no_way = means_no_way(error);
    answer.error = std::strerror(error);
}

void fail(Served& answer, Served::Failure failure, std::string error) {
    answer.failure = failure;
    switch (failure) {
        case Served::Failure::cancelled:
            answer.error = "stopped while waiting for it";
            return;
        case Served::Failure::timeout:
            answer.error = "no answer in time";
            return;
        case Served::Failure::none:
        case Served::Failure::network:
        case Served::Failure::refused:
            break;
    }
    answer.error = std::move(error);
}

bool connect_to(int fd, const addrinfo& address, const Patience& patience, Served& answer) {
    if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return true;
    if (errno != EINPROGRESS) {
        fail_by_errno(answer, errno);
        return false;
    }
    const Served::Failure waited = wait_for(fd, POLLOUT, patience);
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (waited != Served::Failure::none) {
        fail(answer, waited, "the connection broke");
    } else if (error != 0) {
        fail_by_errno(answer, error);
    }
    return answer.failure == Served::Failure::none;
}

std::string openssl_error() {
    const unsigned long code = ERR_get_error();
    const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return reason != nullptr ? reason : "the TLS handshake failed";
}

/// A server with several certificates chooses by the signatures that the client understands.
const char* signature_algorithms(KeyKind kind) {
    switch (kind) {
        case KeyKind::rsa:
            return "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512";
        case KeyKind::ecdsa:
            return "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512";
        case KeyKind::ed25519:
            return "ed25519";
        case KeyKind::any:
            break;
    }
    return nullptr;
}

bool is_address(const std::string& name) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
           inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

bool handshake(SSL& session, int fd, const Patience& patience, Served& answer) {
    for (;;) {
        ERR_clear_error();
        errno = 0;
        const int result = SSL_connect(&session);
        if (result == 1) return true;
        const int system_error = errno;
        const int wanted = SSL_get_error(&session, result);
        if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) {
            const Served::Failure waited =
                wait_for(fd, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, patience);
            if (waited == Served::Failure::none) continue;
            fail(answer, waited, "the connection broke");
        } else if (wanted == SSL_ERROR_SYSCALL) {
            fail(answer, Served::Failure::network,
                 system_error != 0 ? std::strerror(system_error)
                                   : "closed the connection during the TLS handshake");
        } else {
            fail(answer, Served::Failure::refused, openssl_error());
        }
        return false;
    }
}

std::string der_of(X509* certificate) {
    unsigned char* out = nullptr;
    const int size = i2d_X509(certificate, &out);
    if (size <= 0) return {};
    std::string der(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
    OPENSSL_free(out);
    return der;
}

CertificatePtr certificate_of(std::string_view der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    return CertificatePtr(d2i_X509(nullptr, &data, static_cast<long>(der.size())));
}

void ask_one(const addrinfo& address, const Question& question, const Patience& patience,
             Served& answer) {
    const Socket socket(::socket(address.ai_family,
                                 address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                 address.ai_protocol));
    if (socket.get() < 0) return fail_by_errno(answer, errno);
    if (!connect_to(socket.get(), address, patience, answer)) return;
    Trouble trouble = ask_for_tls(question.protocol, socket.get(), patience);
    if (trouble.failure != Served::Failure::none) {
        return fail(answer, trouble.failure, std::move(trouble.error));
    }

    const ContextPtr context(SSL_CTX_new(TLS_client_method()));
    if (!context) return fail(answer, Served::Failure::refused, openssl_error());
    // Weak parameters are for others to refuse: here it only counts what is served.
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    const SessionPtr session(SSL_new(context.get()));
    const char* const algorithms = signature_algorithms(question.kind);
    std::string name = question.server_name;
    const bool named = !name.empty() && !is_address(name);
    if (!session || SSL_set_fd(session.get(), socket.get()) != 1 ||
        (algorithms != nullptr && SSL_set1_sigalgs_list(session.get(), algorithms) != 1) ||
        (question.staple && !ask_for_staple(*session)) ||
        (named && SSL_ctrl(session.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                           name.data()) != 1)) {
        return fail(answer, Served::Failure::refused, openssl_error());
    }
    if (!handshake(*session, socket.get(), patience, answer)) return;
    const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(session.get());
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        answer.chain.push_back(der_of(sk_X509_value(chain, i)));
    }
    if (question.staple) answer.staple_problem = problem_of_staple(*session);
    SSL_shutdown(session.get());
    if (answer.chain.empty()) fail(answer, Served::Failure::refused, "it serves no certificate");
}

std::string text_of(const addrinfo& address) {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    if (getnameinfo(address.ai_addr, address.ai_addrlen, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return {};
    }
    return certcast::Endpoint{host.data(), port.data()}.text();
}

}  // namespace

bool Patience::pause(std::chrono::milliseconds time) const {
    pollfd polled{cancel_fd, POLLIN, 0};
    const int longest = std::min(static_cast<int>(time.count()), milliseconds_left(*this));
    return poll(&polled, 1, longest) <= 0;
}

Served::Failure wait_for(int fd, short events, const Patience& patience) {
    for (;;) {
        std::array<pollfd, 2> polled{pollfd{fd, events, 0}, pollfd{patience.cancel_fd, POLLIN, 0}};
        const int count = poll(polled.data(), polled.size(), milliseconds_left(patience));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return Served::Failure::network;
        if (polled[1].revents != 0) return Served::Failure::cancelled;
        return count == 0 ? Served::Failure::timeout : Served::Failure::none;
    }
}

std::vector<Served> served(const certcast::Endpoint& endpoint, const Question& question,
                           const Patience& patience) {
    // OpenSSL writes to a connection that may be closed already.
    std::signal(SIGPIPE, SIG_IGN);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &found);
    const AddressesPtr addresses(found);
    std::vector<Served> answers;
    if (status != 0) {
        fail(answers.emplace_back(Served{.address = endpoint.text()}), Served::Failure::network,
             "the name does not resolve: " + std::string(gai_strerror(status)));
        return answers;
    }
    for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next) {
        Served& answer = answers.emplace_back(Served{.address = text_of(*next)});
        ask_one(*next, question, patience, answer);
    }
    const auto no_way = [](const Served& answer) { return answer.no_way; };
    if (!std::all_of(answers.begin(), answers.end(), no_way)) std::erase_if(answers, no_way);
    return answers;
}

KeyKind key_kind(std::string_view certificate_der) {
    const CertificatePtr certificate = certificate_of(certificate_der);
    const EVP_PKEY* key = certificate ? X509_get0_pubkey(certificate.get()) : nullptr;
    if (key == nullptr) return KeyKind::any;
    switch (EVP_PKEY_get_base_id(key)) {
        case EVP_PKEY_RSA:
            return KeyKind::rsa;
        case EVP_PKEY_EC:
            return KeyKind::ecdsa;
        case EVP_PKEY_ED25519:
            return KeyKind::ed25519;
        default:
            return KeyKind::any;
    }
}

std::string sha256(std::string_view der) {
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned int size = 0;
    EVP_Digest(der.data(), der.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
               EVP_sha256(), nullptr);
    digest.resize(size);
    return digest;
}

namespace {

std::optional<std::tm> end_of(std::string_view certificate_der) {
    const CertificatePtr certificate = certificate_of(certificate_der);
    std::tm end{};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) {
        return std::nullopt;
    }
    return end;
}

}  // namespace

std::int64_t not_after(std::string_view certificate_der) {
    auto end = end_of(certificate_der);
    return end ? timegm(&*end) : 0;
}

std::string short_fingerprint(std::string_view sha256) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "sha256 ";
    for (const char c : sha256.substr(0, 6)) {
        const auto byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text + "..";
}

std::string describe(std::string_view certificate_der) {
    std::string text;
    if (const CertificatePtr certificate = certificate_of(certificate_der)) {
        const std::unique_ptr<BIO, FreeWith<BIO_free>> out(BIO_new(BIO_s_mem()));
        X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate.get()), 0,
                           XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
        char* data = nullptr;
        const long size = BIO_get_mem_data(out.get(), &data);
        if (size > 0) text.assign(data, static_cast<std::size_t>(size));
    }
    if (!text.empty()) text += ", ";
    text += short_fingerprint(sha256(certificate_der));
    if (const auto end = end_of(certificate_der)) {
        std::array<char, 16> day{};
        std::strftime(day.data(), day.size(), "%Y-%m-%d", &*end);
        text += ", until " + std::string(day.data());
    }
    return text;
}

}  // namespace tls
