// Throws what no handler for std::exception catches.
#include "misbehaving.h"

static int32_t deploy(void*, const certcast_job*) {
    throw 42;
}
MISBEHAVING_PLUGIN("test-throws-int")
