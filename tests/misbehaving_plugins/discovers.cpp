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
    static constexpr auto invalid = certcast::text("invalid");
    static constexpr auto token = certcast::secret("token");
    static constexpr auto must_be = certcast::text("must_be").matching("target|one");
    static constexpr auto stays =
        certcast::path("stays").writes().doc("Made by who then deploys and deploys");
    static constexpr auto file = certcast::path("file").required().writes().identity();
    static constexpr auto parameters =
        certcast::parameters(names, how, broken, invalid, token, must_be, stays, file);

    void validate(certcast::Job& job) {
        if (job[invalid] != job.target()) return;
        job.diagnose(certcast::Level::error, "invalid", "this one cannot be right");
    }
    void discover(certcast::Job& job) {
        expect_token(job);
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
        expect_token(job);
        if (job[stays]) certcast::write_file(*job[stays], job.target(), 0644);
        while (job[stays]) ::pause();
        if (job[broken] == job.target()) throw certcast::config_error("this one is broken");
        certcast::write_file(job[file], job.target(), 0644);
        job.changed();
    }

private:
    static void expect_token(const certcast::Job& job) {
        const auto given = job.secret(token);
        if (given && !(*given == "right")) throw certcast::auth_error("another token");
    }
};
CERTCAST_DEPLOYER(Discovers);
