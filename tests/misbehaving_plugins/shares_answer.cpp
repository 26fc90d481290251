// Finds out a login of its account, or comes to its end over that, and writes down each time that
// it was to find it out.
#include <unistd.h>
#include <certcast/deployer.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

class SharesAnswer {
public:
    static constexpr certcast::About about{
        .id = "test-shares-answer", .version = "1.0.0", .name = "Shares what it has found out"};
    static constexpr auto account = certcast::text("account").account();
    static constexpr auto notes = certcast::path("notes").required().writes();
    static constexpr auto how =
        certcast::choice("how", "well", "dies", "hangs", "fails", "too_large").default_to("well");
    static constexpr auto announces =
        certcast::path("announces").writes().doc("A pipe that is opened when it is to find it out");
    static constexpr auto follows =
        certcast::path("follows").reads().doc("A pipe that somebody opens before it asks");
    static constexpr auto place = certcast::text("place").required().identity();
    static constexpr auto parameters =
        certcast::parameters(account, notes, how, announces, follows, place);

    void deploy(certcast::Job& job) {
        if (const auto pipe = job[follows]) std::ifstream(*pipe).get();
        const auto find_out = [&] {
            std::ofstream(job[notes], std::ios::app) << job.deployment() << '\n';
            if (const auto pipe = job[announces]) std::ofstream(*pipe).put('x');
            const std::string_view way = job[how];
            if (way == "dies") std::abort();
            while (way == "hangs") ::pause();
            if (way == "fails") throw certcast::auth_error("no login");
            const std::size_t size = way == "too_large" ? 100'000 : 10;
            return certcast::Shared{
                certcast::Sensitive("by " + std::string(job.deployment()) + std::string(size, '.')),
                std::chrono::minutes(1)};
        };
        const auto login = job.shared("login", std::chrono::hours(1), find_out);
        job.output("login", login.text().substr(0, login.text().find('.')));
        job.changed();
    }
};

}  // namespace

CERTCAST_DEPLOYER(SharesAnswer);
