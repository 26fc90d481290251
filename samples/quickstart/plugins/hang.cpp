// SPDX-License-Identifier: Apache-2.0
// A deployer that hangs: it neither finishes nor listens when it is asked to stop.
#include <certcast/deployer.hpp>

#include <unistd.h>

struct Hang {
    static constexpr certcast::About about{
        .id = "sample-hang", .version = "1.0.0", .name = "Hangs for ever"};

    void deploy(certcast::Job& job) {
        job.progress(500, "waiting for a device that is switched off");
        for (;;) pause();
    }
};
CERTCAST_DEPLOYER(Hang);
