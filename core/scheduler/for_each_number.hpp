#pragma once

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>

namespace certcast {

/// Has `work` done for each of these numbers below `count`, as many at once as `parallel`. When the
/// caller is cancelled, so are those that are being done, and no other is begun.
boost::asio::awaitable<void> for_each_number(
    std::size_t count, std::size_t parallel,
    std::function<boost::asio::awaitable<void>(std::size_t)> work);

}  // namespace certcast
