#pragma once

#include <boost/system/result.hpp>

#include <string>

namespace certcast {

enum class ErrorCode {
    invalid,  ///< what an operator wrote: pipeline, certificate, secret source
    not_found,
    io,  ///< a file or the system refused
    denied,
    conflict,  ///< somebody else is at it, or has left it half-way
    timeout,
    cancelled,
    protocol,  ///< a worker or fork server broke the frame protocol
    internal,
};

/// What went wrong, where, and in the message also what was expected and what to do.
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
    std::string where;  ///< a file, file:line:column, or empty

    /// "where: message", or the message alone.
    std::string text() const;
};

/// An Error with the text of `errno_value` behind the message.
Error system_error(std::string what, int errno_value, std::string where = {});

[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

template <typename T>
using Result = boost::system::result<T, Error>;

}  // namespace certcast
