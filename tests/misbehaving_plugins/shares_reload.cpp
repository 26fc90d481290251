// Writes one file into a folder that it shares with others, and asks for a reload that looks at all
// of them: whatever one of them writes fails the reload of all.
#include <certcast/deployer.hpp>

#include <filesystem>
#include <string>

struct SharesReload {
    static constexpr certcast::About about{
        .id = "test-shares-reload", .version = "1.0.0", .name = "Shares a reload with others"};
    static constexpr auto file = certcast::path("file").required().writes().identity();
    static constexpr auto text = certcast::text("text").required();
    static constexpr auto reload = certcast::command("reload").required();
    static constexpr auto parameters = certcast::parameters(file, text, reload);

    void inspect(certcast::Job& job) {
        const certcast::FileImage now = certcast::read_file(job[file]);
        job.live_unknown(0, now.text() == std::string_view(job[text]));
    }
    void deploy(certcast::Job& job) {
        job.step("replace", certcast::read_file(job[file]));
        certcast::write_file(job[file], std::string_view(job[text]), 0644);
        load(job);
        job.changed();
    }
    void rollback(certcast::Job& job) {
        certcast::restore_file(job[file], job.steps().front());
        load(job);
    }

private:
    static void load(certcast::Job& job) {
        if (!job.request_reload("all", reload).ok()) throw certcast::remote_error("not reloaded");
    }
};
CERTCAST_DEPLOYER(SharesReload);
