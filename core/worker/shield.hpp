#pragma once

#include <boost/asio/awaitable.hpp>

namespace certcast {

/// Runs `work` to its end even if the calling coroutine is, or was, asked to stop. True: it was;
/// from then on the caller has to remember that itself. REQUIRES: throw_if_cancelled(false).
boost::asio::awaitable<bool> shielded(boost::asio::awaitable<void> work);

}  // namespace certcast
