// Finds the targets that its configuration names, or behaves badly while it should. Writes a file.
#include <unistd.h>
#include <certcast/deployer.hpp>

#include <string>

struct Discovers {
    static constexpr certcast::About about{
        .id = "test-discovers", .version = "1.0.0", .name = "Finds targets"};
    static constexpr auto names = certcast::texts("names").required();
    static constexpr auto how =
        certcast::choice("how", "well", "hangs", "fails", "crashes", "endlessly")
            .default_to("well");
    static constexpr auto broken = certcast::text("broken");
    static constexpr auto must_be = certcast::text("must_be").matching("target|one");
    static constexpr auto stays =
        certcast::path("stays").writes().doc("Made by who then deploys and deploys");
    static constexpr auto file = certcast::path("file").required().writes().identity();
    static constexpr auto parameters =
        certcast::parameters(names, how, broken, must_be, stays, file);

    void discover(certcast::Job& job) {
        if (job[how] == "fails") throw certcast::remote_error("nobody knows");
        if (job[how] == "crashes") ::_exit(7);
        while (job[how] == "hangs") ::pause();
        for (int i = 0; job[how] == "endlessly"; ++i) {
            job.throw_if_cancelled();
            job.target_found("target" + std::to_string(i));
            if (i == 20'000) return;
        }
        for (const std::string_view name : job[names]) job.target_found(name);
    }
    void deploy(certcast::Job& job) {
        if (job[stays]) certcast::write_file(*job[stays], job.target(), 0644);
        while (job[stays]) ::pause();
        if (job[broken] == job.target()) throw certcast::config_error("this one is broken");
        certcast::write_file(job[file], job.target(), 0644);
        job.changed();
    }
};
CERTCAST_DEPLOYER(Discovers);
