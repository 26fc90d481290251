#pragma once

#include "core/base/error.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace certcast::program {

/// Becomes this user and group, without capabilities. Only where a path of `must_be_readable` is
/// out of the user's reach, and `may_keep_search` because something else bounds what can be opened,
/// the capability to read and search everything is kept.
Result<void> become_user(uid_t user, const std::vector<std::string>& must_be_readable,
                         bool may_keep_search);

/// Stays root, with those capabilities only that writing files of any owner takes, and the one to
/// send signals where that is granted.
Result<void> keep_file_capabilities(bool may_signal);

}  // namespace certcast::program
