// Says of its process what it has seen there, or behaves badly while it looks at its configuration.
#include <unistd.h>
#include <certcast/deployer.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

namespace {

int validated = 0;
int closed = 0;
int destroyed = 0;

class Validates {
public:
    static constexpr certcast::About about{
        .id = "test-validates", .version = "1.0.0", .name = "Tells of its process"};
    static constexpr auto how =
        certcast::choice("how", "well", "crashes", "hangs", "once", "prints", "leaves_thread",
                         "dies_in_close", "prints_in_close")
            .default_to("well");
    static constexpr auto reads = certcast::path("reads").reads();
    static constexpr auto file = certcast::path("file").required().identity();
    static constexpr auto parameters = certcast::parameters(how, reads, file);

    Validates() = default;
    Validates(const Validates&) = delete;
    Validates& operator=(const Validates&) = delete;
    ~Validates() { ++destroyed; }

    void validate(certcast::Job& job) {
        how_ = job[how];
        const bool is_first = validated++ == 0;
        if (how_ == "crashes") std::abort();
        while (how_ == "hangs") ::pause();
        if (how_ == "once" && !is_first) throw certcast::config_error("this process is not new");
        if (how_ == "leaves_thread") std::thread([] { ::pause(); }).detach();
        if (how_ == "prints") std::cout << std::string(700'000, 'x') << '\n';
        job.diagnose(certcast::Level::warning, "how",
                     "process " + std::to_string(::getpid()) + ", " + std::to_string(validated) +
                         " validated, " + std::to_string(closed) + " closed, " +
                         std::to_string(destroyed) + " destroyed");
    }
    void deploy(certcast::Job& job) { job.changed(); }
    void close(certcast::Job&) {
        ++closed;
        if (how_ == "dies_in_close") ::_exit(3);
        if (how_ == "prints_in_close") std::cout << std::string(50'000, 'x') << std::flush;
    }

private:
    std::string how_;
};

}  // namespace

CERTCAST_DEPLOYER(Validates);
