#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/ssh_host.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

/// The script of the far side for one file, as that shell runs it.
class Script {
public:
    Script(std::vector<std::string> shell, fs::path file)
        : shell_(std::move(shell)), file_(std::move(file)) {}

    std::string check;
    std::string reload;
    std::string lines;  ///< how many the file has; empty: it is none of lines
    std::string path = "/usr/bin:/bin";

    /// What it says to this, written as printf takes it. `to`: a program that it says it to, else
    /// us.
    std::string says(const std::string& token, const std::string& words, std::size_t size = 0,
                     const std::string& to = {}) const {
        std::string line = "printf '" + words + "' | ";
        for (const std::string& word : shell_) line += word + " ";
        line += "-c \"$(cat " CERTCAST_FAR_SIDE ")\" certcast " + token + " '" + check + "' '" +
                reload + "' '' " + file_.string() + " 0644 '' '' " + std::to_string(size) + " '" +
                lines + "'" + (to.empty() ? "" : " | " + to);
        Process bash({"/bin/bash", "-c", line}, {{"PATH", path}});
        bash.wait();
        return bash.output();
    }

private:
    std::vector<std::string> shell_;
    fs::path file_;
};

}  // namespace

TEST_CASE("a deployment that another one came across is undone all the same") {
    const auto shell = each_shell();
    if (!shell) return;
    const TemporaryFolder folder;
    const fs::path file = folder / "file";
    Script script(*shell, file);
    CHECK(says(script.says("first", "deploy 1 9\\nfirstcommit\\n", 5), "reloaded 0"));
    script.check = "false";
    CHECK(says(script.says("second", "deploy 1 9\\notherscommit\\n", 6), "refused 1"));
    CHECK(read_text(file) == "first");
    CHECK(says(script.says("first", "rollback 1 9\\n"), "reloaded 0"));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a disk that fails once is not believed afterwards") {
    const auto shell = each_shell();
    if (!shell) return;
    const TemporaryFolder folder;
    const fs::path failed = folder.write("failed", "");
    fs::create_directory(folder / "bin");
    const fs::path sync =
        folder.write("bin/sync", "#!/bin/sh\n[ -e " + failed.string() + " ] || exit 0\nrm " +
                                     failed.string() + "\nexit 1\n");
    fs::permissions(sync, fs::perms(0755));
    Script script(*shell, folder / "file");
    script.path = (folder / "bin").string() + ":/usr/bin:/bin";
    const std::string said = script.says("token", "deploy 1 9\\nnewercommit\\n", 5);
    CHECK(says(said, "failed " + (folder / "file").string()));
    CHECK(says(said, "it could not be synced"));
    CHECK_FALSE(fs::exists(folder / "file"));
}

TEST_CASE("nothing is written to where somebody else's link leads") {
    const auto shell = each_shell();
    if (!shell) return;
    for (const bool is_rollback : {false, true}) {
        CAPTURE(is_rollback);
        const TemporaryFolder folder;
        const fs::path victim = folder.write("victim", "of another");
        Script script(*shell, folder / "file");
        if (is_rollback) {
            CHECK(says(script.says("token", "deploy 1 9\\nnewercommit\\n", 5), "reloaded 0"));
            fs::create_symlink(victim, folder / ".file.certcast-token.none");
            CHECK(says(script.says("token", "rollback 1 9\\n"), "reloaded 0"));
        } else {
            script.reload = "echo words";
            fs::create_symlink(victim, folder / ".file.certcast-token.said");
            script.says("token", "deploy 1 9\\nnewercommit\\n", 5);
        }
        CHECK(read_text(victim) == "of another");
    }
}

TEST_CASE("the script keeps to what it was told, though nobody hears it any more") {
    const auto shell = each_shell();
    if (!shell) return;
    for (const bool with_lines : {false, true}) {
        CAPTURE(with_lines);
        const TemporaryFolder folder;
        const fs::path file = folder / "file";
        std::ofstream(file) << "former";
        Script script(*shell, file);
        script.check = "touch " + (folder / "checked").string();
        script.reload = "touch " + (folder / "loaded").string();
        if (with_lines) script.lines = "1";
        // Nobody has said commit.
        script.says("token", "deploy 1 9\\nnewer", 5, "true");
        CHECK(read_text(file) == "former");
        CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);

        // What was sent is longer than it should be.
        script.says("token", "deploy 1 9\\nnewer\\ncommit\\n", 5);
        CHECK(read_text(file) == "former");

        // What was sent for a deployment that is refused is nothing that is asked for.
        fs::create_symlink(holder(getpid()), folder / ".file.certcast-lock");
        const std::string refused = script.says("token", "deploy 0 9\\ninspect\\ncommit\\n", 5);
        CHECK(says(refused, "certcast busy"));
        CHECK(!says(refused, "certcast file"));
        CHECK(read_text(file) == "former");
    }
}
