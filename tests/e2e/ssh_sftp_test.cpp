#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/ssh_host.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

constexpr const char* alone = "without_shell = true\n";

/// Whoever logs in gets SFTP, whatever was asked for.
SshServerWish sftp_alone(const std::string& options = {}) {
    return {.settings = "Subsystem sftp internal-sftp" + options + "\nForceCommand internal-sftp" +
                        options + "\n"};
}

mode_t mode_of(const fs::path& file) {
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("an account without a shell is served by SFTP") {
    if (!is_there(sshd)) return;
    SshServerWish wish = sftp_alone();
    std::string limits = "not kept away";
    SUBCASE("with all that OpenSSH has") {}
    SUBCASE("with nothing but version 3") {
        wish = sftp_alone(" -P posix-rename,hardlink,fsync");
        limits = "each file is gone for a moment";
    }
    const Host host(wish);
    const Run first = host.run(alone, "former");
    CAPTURE(first.output);
    REQUIRE(first.text("far", "status") == "changed");
    CHECK(says(first.output, limits));
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(mode_of(host.crt()) == 0644);
    CHECK(mode_of(host.key()) == 0600);
    CHECK(host.has_only_the_pair());
    const Run again = host.run(alone, "former");
    CAPTURE(again.output);
    CHECK(again.text("far", "status") == "unchanged");

    fs::permissions(host.key(), fs::perms(0640));
    CHECK(host.run(alone, "former").text("far", "status") == "changed");
    CHECK(mode_of(host.key()) == 0600);
    fs::create_directory(host.folder / "elsewhere");
    fs::rename(host.crt(), host.folder / "elsewhere" / "crt");
    fs::create_symlink("elsewhere/crt", host.crt());
    CHECK(host.run(alone).text("far", "status") == "changed");
    CHECK(fs::is_symlink(host.crt()));
    CHECK(says(read_text(host.folder / "elsewhere" / "crt"), host.pem("newer")));
    CHECK(host.names().size() == 3);
}

TEST_CASE("what SFTP has switched is undone where it is not proven") {
    if (!is_there(sshd)) return;
    SshServerWish wish = sftp_alone();
    SUBCASE("with all that OpenSSH has") {}
    SUBCASE("with nothing but version 3") {
        wish = sftp_alone(" -P posix-rename,hardlink,fsync");
    }
    const Host host(wish);
    std::string pipeline = host.pipeline(alone);
    const std::string no_probe = "probe = false";
    pipeline.replace(pipeline.find(no_probe), no_probe.size(),
                     "probe = [{ address = \"127.0.0.1:1\", timeout = \"300ms\" }]");
    // Where nothing was there, nothing is there again.
    const Run gone = host.workspace.run(pipeline);
    CAPTURE(gone.output);
    CHECK(gone.text("far", "rollback") == "done");
    CHECK(host.names().empty());

    REQUIRE(host.run(alone, "former").text("far", "status") == "changed");
    const std::string key = read_text(host.key());
    const Run back = host.workspace.run(pipeline);
    CAPTURE(back.output);
    CHECK(says(back.output, "undone, but the former certificate is not served"));  // nor was it
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(read_text(host.key()) == key);
    CHECK(mode_of(host.key()) == 0600);
    CHECK(host.has_only_the_pair());
}

TEST_CASE("a connection that is cut anywhere while SFTP writes leaves a pair, and nothing else") {
    if (!is_there(sshd)) return;
    const TemporaryFolder folder;
    const fs::path sftp = folder / "sftp";
    const std::string next = (folder / "next").string();  // taken by the first that connects
    const std::string taken = (folder / "taken").string();
    std::ofstream(sftp) << "#!/bin/sh\nmv " << next << " " << taken
                        << " || exec /usr/lib/openssh/sftp-server\n"
                        << "dd bs=1 count=\"$(cat " << taken
                        << ")\" | /usr/lib/openssh/sftp-server\n";
    fs::permissions(sftp, fs::perms(0755));
    const Host host({.settings = "Subsystem sftp " + sftp.string() + "\n"});
    const Run first = host.run(alone, "former");
    CAPTURE(first.output);
    REQUIRE(first.text("far", "status") == "changed");
    int cuts = 0;
    for (int at = 40;; at += 150) {
        CAPTURE(at);
        std::ofstream(next) << at;
        const Run run = host.run(alone);
        CAPTURE(run.output);
        if (run.text("far", "status") == "changed") break;  // though not put away, perhaps
        CHECK(host.has_only_the_pair());
        ++cuts;
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(read_text(host.crt()), host.pem("former")));
        CHECK(host.run(alone, "former").text("far", "status") == "unchanged");
    }
    CHECK(cuts > 5);
    CHECK(says(read_text(host.crt()), host.pem("newer")));
}

TEST_CASE("what SFTP cannot write leaves all as it was") {
    if (!is_there(sshd)) return;
    const Host host(sftp_alone());
    SUBCASE("a folder in the place of a file") {
        fs::create_directory(host.key());
        const Run run = host.run(alone);
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), host.key().string()));
        CHECK(host.names() == std::vector<std::string>{"shop.key"});
    }
    SUBCASE("a folder that is not there") {
        fs::remove(host.folder);
        const Run run = host.run(alone);
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "No such file"));
        fs::create_directory(host.folder);
    }
    SUBCASE("what a shell would have to do") {
        const Run run = host.run(std::string(alone) + "check = [\"true\"]\nreload = [\"true\"]\n");
        CAPTURE(run.errors);
        CHECK(
            says(run.errors, "it is run by a shell over there, and 'without_shell' says no shell"));
    }
    SUBCASE("where nobody has said so") {
        const Run run = host.run();
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "if the account has SFTP alone, 'without_shell' is for it"));
        CHECK(host.names().empty());
    }
}

TEST_CASE("an account that sees a folder of its own alone") {
    if (!is_there(sshd) || !may_mount()) return;
    SshServerWish wish = sftp_alone();
    wish.settings += "ChrootDirectory /srv\n";
    wish.mounts = "chmod 0755 FAR && mount --bind FAR /srv";
    const Host host(wish);
    std::string pipeline = host.pipeline(alone);
    const std::string pair = host.files();
    pipeline.replace(pipeline.find(pair), pair.size(),
                     "files = [{ form = \"fullchain\", path = \"/shop.crt\" }, "
                     "{ form = \"key\", path = \"/shop.key\", owner = \"0\", group = \"1\", "
                     "mode = \"0640\" }]\n");
    const Run run = host.workspace.run(pipeline);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(says(read_text(host.crt()), host.pem("newer")));
    CHECK(mode_of(host.key()) == 0640);
    CHECK(host.has_only_the_pair());
    CHECK(host.workspace.run(pipeline).text("far", "status") == "unchanged");
}
