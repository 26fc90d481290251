#include "core/worker/program/privileges.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace certcast::program {

namespace {

using Capabilities = std::uint64_t;

constexpr Capabilities capability(unsigned number) {
    return Capabilities{1} << number;
}

Result<void> keep_only(Capabilities kept) {
    // What is not in the bounding set comes back by no exec either.
    for (unsigned number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
        if ((kept & capability(number)) == 0) prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    for (unsigned half = 0; half < 2; ++half) {
        data[half].permitted = data[half].effective = static_cast<std::uint32_t>(kept >> half * 32);
    }
    if (syscall(SYS_capset, &header, data) != 0) {
        return system_error("cannot drop capabilities", errno);
    }
    return {};
}

bool is_out_of_reach(const std::string& path) {
    return faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES;
}

}  // namespace

Result<void> become_user(uid_t user, const std::vector<std::string>& must_be_readable,
                         bool may_keep_search) {
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setgroups(0, nullptr) != 0 || setresgid(user, user, user) != 0 ||
        setresuid(user, user, user) != 0) {
        return system_error("cannot become an unprivileged user", errno);
    }
    // Nothing is effective any more, so this sees what the user itself may read.
    const bool needs_search =
        may_keep_search &&
        std::any_of(must_be_readable.begin(), must_be_readable.end(), is_out_of_reach);
    auto kept = keep_only(needs_search ? capability(CAP_DAC_READ_SEARCH) : 0);
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    return kept;
}

Result<void> keep_file_capabilities(bool may_signal) {
    Capabilities kept = capability(CAP_CHOWN) | capability(CAP_DAC_OVERRIDE) |
                        capability(CAP_DAC_READ_SEARCH) | capability(CAP_FOWNER) |
                        capability(CAP_FSETID);
    if (may_signal) kept |= capability(CAP_KILL);
    return keep_only(kept);
}

}  // namespace certcast::program
