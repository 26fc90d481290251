// Wants more and more memory by new.
#include "misbehaving.h"

#include <memory>
#include <vector>

static int32_t deploy(void*, const certcast_job*) {
    std::vector<std::unique_ptr<char[]>> all;
    for (;;) all.push_back(std::make_unique<char[]>(1 << 20));
}
MISBEHAVING_PLUGIN("test-memory-bomb")
