// Gives up by std::terminate.
#include "misbehaving.h"

#include <exception>

static int32_t deploy(void*, const certcast_job*) {
    std::terminate();
}
MISBEHAVING_PLUGIN("test-terminates")
