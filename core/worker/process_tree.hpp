#pragma once

#include <sys/types.h>

#include <functional>
#include <set>

namespace certcast {

/// Makes orphans among this process's descendants become its children.
void become_subreaper();

/// All children of this process, the dead and unreaped included.
std::set<pid_t> children();

/// Kills every child of this process that `is_known` does not claim, and reaps the dead ones among
/// them. Their own children become ours in turn, so: call again until it returns false, on SIGCHLD
/// or after a moment. True: something that is not known was still there.
bool sweep_children(const std::function<bool(pid_t)>& is_known);

/// Waits until a sweep finds nothing more, generation by generation: each takes only as long as
/// dying does. False: half a second was not enough, so that something hangs in the kernel.
bool sweep_all_children(const std::function<bool(pid_t)>& is_known);

}  // namespace certcast
