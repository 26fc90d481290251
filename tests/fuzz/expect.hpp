#pragma once

#include <cstdio>
#include <cstdlib>

namespace certcast::testing {

/// Ends the process, which a fuzzer takes for a finding, where something does not hold.
inline void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

}  // namespace certcast::testing
