#pragma once

#include "core/certificate/openssl.hpp"
#include "tests/unit/accepting_server.hpp"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace certcast::testing {

/// A pair as a server reads it from files: full chain and key, PEM.
struct PemPair {
    std::string fullchain;
    std::string key;
};

using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;

/// Nothing where key and certificate do not belong together, as a server would refuse them.
inline ContextPtr make_context(const std::vector<PemPair>& pairs) {
    ContextPtr context(SSL_CTX_new(TLS_server_method()));
    for (const PemPair& pair : pairs) {
        const BioPtr chain(
            BIO_new_mem_buf(pair.fullchain.data(), static_cast<int>(pair.fullchain.size())));
        const X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
        const BioPtr key_text(BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size())));
        const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
        if (!leaf || !key || SSL_CTX_use_certificate(context.get(), leaf.get()) != 1 ||
            SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
            ERR_clear_error();
            return nullptr;
        }
        while (X509* const next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
            if (SSL_CTX_add0_chain_cert(context.get(), next) != 1) {
                throw std::runtime_error("chain");
            }
        }
        ERR_clear_error();
    }
    return context;
}

/// A TLS server on a port of its own that can be told to serve other certificates.
class TlsServer {
public:
    explicit TlsServer(const std::vector<PemPair>& pairs) : context_(make_context(pairs)) {
        if (!context_) throw std::runtime_error("the pair does not match");
        std::signal(SIGPIPE, SIG_IGN);
        server_.emplace([this](int client) {
            const timeval patience{2, 0};
            setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            answer(client);
        });
    }

    std::string address() const { return server_->address(); }
    /// False, and nothing changes, where a pair does not match.
    bool serve(const std::vector<PemPair>& pairs) {
        ContextPtr context = make_context(pairs);
        if (!context) return false;
        const std::lock_guard lock(mutex_);
        context_ = std::move(context);
        return true;
    }
    /// Shows this for some of the next handshakes, in place of what it serves.
    void serve_for(const PemPair& pair, int handshakes, int after = 0) {
        const std::lock_guard lock(mutex_);
        until_other_ = after;
        other_ = make_context({pair});
        handshakes_of_other_ = handshakes;
    }
    /// Counts those that the clients have seen to the end, too.
    int handshakes() const {
        std::unique_lock lock(mutex_);
        idle_.wait(lock, [this] { return !busy_; });
        return handshakes_;
    }
    /// The name that the last client asked for.
    std::string server_name() const {
        std::unique_lock lock(mutex_);
        idle_.wait(lock, [this] { return !busy_; });
        return server_name_;
    }

private:
    void answer(int client) {
        std::unique_ptr<SSL, FreeWith<SSL_free>> session;
        {
            const std::lock_guard lock(mutex_);
            busy_ = true;
            const bool other = until_other_ == 0 && handshakes_of_other_ > 0;
            if (other) --handshakes_of_other_;
            if (until_other_ > 0) --until_other_;
            session.reset(SSL_new(other ? other_.get() : context_.get()));
        }
        SSL_set_fd(session.get(), client);
        const bool done = SSL_accept(session.get()) == 1;
        ERR_clear_error();
        const std::lock_guard lock(mutex_);
        if (done) ++handshakes_;
        const char* name = SSL_get_servername(session.get(), TLSEXT_NAMETYPE_host_name);
        server_name_ = name != nullptr ? name : "";
        busy_ = false;
        idle_.notify_all();
    }

    mutable std::mutex mutex_;
    mutable std::condition_variable idle_;
    bool busy_ = false;
    ContextPtr context_;
    ContextPtr other_;
    int handshakes_of_other_ = 0;
    int until_other_ = 0;
    int handshakes_ = 0;
    std::string server_name_;
    std::optional<AcceptingServer> server_;  ///< the last one: it uses all of the others
};

}  // namespace certcast::testing
