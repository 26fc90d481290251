#include "core/base/error.hpp"

#include <stdexcept>
#include <system_error>

namespace certcast {

std::string Error::text() const {
    return where.empty() ? message : where + ": " + message;
}

Error system_error(std::string what, int errno_value, std::string where) {
    const ErrorCode code = errno_value == ENOENT                           ? ErrorCode::not_found
                           : errno_value == EACCES || errno_value == EPERM ? ErrorCode::denied
                                                                           : ErrorCode::io;
    return {code, std::move(what) + ": " + std::generic_category().message(errno_value),
            std::move(where)};
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::runtime_error(error.text());
}

}  // namespace certcast
