#pragma once

// glibc 2.36 declares these without C linkage for C++.
extern "C" {
#include <sys/pidfd.h>
}

#include <poll.h>

namespace certcast {

/// Whether the process of a pidfd has ended, reaped or not.
inline bool has_ended(int pidfd) {
    pollfd entry{pidfd, POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
}

}  // namespace certcast
