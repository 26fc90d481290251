#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>

namespace certcast {

/// The parent of a process; 0 where there is no such process.
pid_t parent_of(pid_t process);

/// The process of this task, or the nearest of its ancestors, that is `wanted`; 0 where none is.
pid_t nearest_ancestor(pid_t task, const std::function<bool(pid_t)>& wanted);

/// Whether this task belongs to the process or to one that descends from it.
bool is_within(pid_t task, pid_t process);

/// How many threads a process has.
std::size_t count_threads(pid_t process);

/// How many tasks a process and all that descends from it are, itself included. Counting ends at
/// `most`.
std::size_t count_tasks(pid_t process, std::size_t most);

}  // namespace certcast
