#pragma once

#include <sys/types.h>

namespace certcast::program {

/// Forks: the child returns, with the number of its parent, to become a fork server. The parent
/// stays behind as its supervisor. It loads nothing, hears nobody and is in no sandbox; when host
/// or fork server has ended it kills whatever is left, which comes to it, and ends.
pid_t leave_supervisor(pid_t host);

}  // namespace certcast::program
