// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/plugin.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace certcast {

/// Why a stage failed, in the terms of the host. Throw one of the types below it.
class DeployerError : public std::runtime_error {
public:
    DeployerError(std::uint32_t category, const std::string& message)
        : std::runtime_error(message), category_(category) {}

    std::uint32_t category() const { return category_; }
    std::uint32_t retry() const { return retry_; }
    std::chrono::milliseconds retry_after() const { return retry_after_; }
    const std::string& code() const { return code_; }
    /// Whether the same may be answered when it is asked again: the network, the time, or a remote
    /// side that says so.
    bool may_pass() const {
        return category_ == CERTCAST_NETWORK_ERROR || category_ == CERTCAST_TIMEOUT_ERROR ||
               retry_ == CERTCAST_RETRY_LATER;
    }

protected:
    void set_code(std::string word) { code_ = std::move(word); }
    void set_retry(std::uint32_t retry, std::chrono::milliseconds after) {
        retry_ = retry;
        retry_after_ = after;
    }

private:
    std::uint32_t category_;
    std::uint32_t retry_ = CERTCAST_RETRY_DEFAULT;
    std::chrono::milliseconds retry_after_{0};
    std::string code_;
};

template <std::uint32_t Category>
class ErrorOf : public DeployerError {
public:
    explicit ErrorOf(const std::string& message) : DeployerError(Category, message) {}

    using DeployerError::code;
    /// The remote side's own word for it, such as "QuotaExceeded".
    ErrorOf& code(std::string word) {
        set_code(std::move(word));
        return *this;
    }
    /// Another attempt may help, not before `after`.
    ErrorOf& retry_later(std::chrono::milliseconds after = std::chrono::milliseconds(0)) {
        set_retry(CERTCAST_RETRY_LATER, after);
        return *this;
    }
    /// No other attempt can help.
    ErrorOf& permanent() {
        set_retry(CERTCAST_RETRY_NEVER, std::chrono::milliseconds(0));
        return *this;
    }
};

// NOLINTBEGIN(readability-identifier-naming): named as the standard's exceptions are
/// The operator has to change something.
using config_error = ErrorOf<CERTCAST_CONFIG_ERROR>;
/// Credentials were refused.
using auth_error = ErrorOf<CERTCAST_AUTH_ERROR>;
/// Nobody was reached, or the connection broke. Retried.
using network_error = ErrorOf<CERTCAST_NETWORK_ERROR>;
/// The other side answered that it will not.
using remote_error = ErrorOf<CERTCAST_REMOTE_ERROR>;
/// Somebody else changed the same thing meanwhile. Retried.
using conflict_error = ErrorOf<CERTCAST_CONFLICT_ERROR>;
/// No answer in time. Retried.
using timeout_error = ErrorOf<CERTCAST_TIMEOUT_ERROR>;
/// The stage stopped because it was asked to.
using cancelled_error = ErrorOf<CERTCAST_CANCELLED_ERROR>;
/// A mistake in the deployer itself.
using internal_error = ErrorOf<CERTCAST_INTERNAL_ERROR>;
// NOLINTEND(readability-identifier-naming)

namespace detail {

struct Verdict {
    std::uint32_t category;
    std::uint32_t retry;
};

/// What an errno value means to whoever reads the report.
inline Verdict verdict_of_errno(int value) {
    switch (value) {
        case ECONNREFUSED:
        case ECONNRESET:
        case ECONNABORTED:
        case EHOSTUNREACH:
        case EHOSTDOWN:
        case ENETUNREACH:
        case ENETDOWN:
        case ENETRESET:
        case ENOTCONN:
        case EPIPE:
            return {CERTCAST_NETWORK_ERROR, CERTCAST_RETRY_DEFAULT};
        case ETIMEDOUT:
            return {CERTCAST_TIMEOUT_ERROR, CERTCAST_RETRY_DEFAULT};
        case ECANCELED:
            return {CERTCAST_CANCELLED_ERROR, CERTCAST_RETRY_DEFAULT};
        case ENOENT:
        case EACCES:
        case EPERM:
        case ENOTDIR:
        case EISDIR:
        case EROFS:
        case ELOOP:
        case ENAMETOOLONG:
        case EINVAL:
        case ENXIO:
        case EFBIG:
            return {CERTCAST_CONFIG_ERROR, CERTCAST_RETRY_DEFAULT};
        case ENOSPC:
        case EDQUOT:
            return {CERTCAST_CONFIG_ERROR, CERTCAST_RETRY_LATER};
        case ENOMEM:
        case EMFILE:
        case ENFILE:
            return {CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_LATER};
        default:
            return {CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_NEVER};
    }
}

inline Verdict verdict_of(const std::error_code& code) {
    const bool is_errno =
        code.category() == std::generic_category() || code.category() == std::system_category();
    return is_errno ? verdict_of_errno(code.value())
                    : Verdict{CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_NEVER};
}

}  // namespace detail

}  // namespace certcast
