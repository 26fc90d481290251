#include "core/worker/landlock_version.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace certcast {

std::uint32_t landlock_version() {
    constexpr unsigned only_tell_version = 1;  // LANDLOCK_CREATE_RULESET_VERSION
    const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, only_tell_version);
    return version > 0 ? static_cast<std::uint32_t>(version) : 0;
}

}  // namespace certcast
