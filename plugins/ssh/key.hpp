#pragma once

#include <libssh/libssh.h>

#include <memory>

namespace ssh {

struct FreeKey {
    void operator()(ssh_key key) const { ssh_key_free(key); }
};
/// libssh's, private or public.
using Key = std::unique_ptr<ssh_key_struct, FreeKey>;

}  // namespace ssh
