// SPDX-License-Identifier: Apache-2.0
// A deployer that crashes as a bug in it would make it crash.
#include <certcast/deployer.hpp>

#include <csignal>

struct Crash {
    static constexpr certcast::About about{
        .id = "sample-crash", .version = "1.0.0", .name = "Crashes half-way"};

    void deploy(certcast::Job& job) {
        job.progress(500, "about to do something foolish");
        std::raise(SIGSEGV);
    }
};
CERTCAST_DEPLOYER(Crash);
