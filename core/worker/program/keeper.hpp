#pragma once

#include <sys/types.h>

namespace certcast::program {

/// Puts all that this process starts from now on into a PID namespace, whose first process, the
/// keeper, does nothing but end when this process has ended, and the kernel kills the rest then.
/// So nothing is left even when host and fork server are killed at one instant. The keeper's
/// process, or 0 where no namespace can be had.
pid_t start_keeper();

}  // namespace certcast::program
