// A destructor throws while an exception is on its way.
#include "misbehaving.h"

#include <stdexcept>

namespace {

struct Trap {
    ~Trap() noexcept(false) { throw std::runtime_error("second"); }
};

int32_t deploy(void*, const certcast_job*) {
    const Trap trap;
    throw std::runtime_error("first");
}

}  // namespace
MISBEHAVING_PLUGIN("test-throws-in-destructor")
