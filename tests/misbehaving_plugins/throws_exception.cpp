// Lets an exception cross the edge, as a C++ author without the wrapper might.
#include "misbehaving.h"

#include <stdexcept>

static int32_t deploy(void*, const certcast_job*) {
    throw std::runtime_error("nobody catches me");
}
MISBEHAVING_PLUGIN("test-throws-exception")
