#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

struct Files {
    Workspace workspace;
    Issued shop = workspace.issue("shop");

    std::string path(std::string_view name) const { return (workspace / name).string(); }
    std::string text(std::string_view name) const { return read_text(workspace / name); }

    std::string pipeline(const std::string& config) const {
        Toml mail = deployment("mail", "file");
        return workspace.head() + std::string(mail.table("deploy.mail.config")) + config;
    }
    std::string line(std::string_view key, std::string_view name) const {
        return std::string(key) + " = \"" + path(name) + "\"\n";
    }
};

unsigned mode_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("the file plugin writes every form, with the modes asked for, and then leaves them be") {
    const Files files;
    std::string config;
    for (const char* form : {"fullchain", "certificate", "chain", "key", "combined"})
        config += files.line(form, std::string("out.") + form);
    config += "mode = \"0640\"\nkey_mode = \"0400\"\n";
    const Run run = files.workspace.run(files.pipeline(config));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 0);
    CHECK(run.text("mail", "status") == "changed");
    const std::string leaf = pem(files.shop.certificate);
    const std::string key = pem(files.shop.key);
    CHECK(files.text("out.fullchain") == leaf);
    CHECK(files.text("out.certificate") == leaf);
    CHECK(files.text("out.chain").empty());
    CHECK(files.text("out.key") == key);
    CHECK(files.text("out.combined") == key + leaf);
    CHECK(mode_of(files.workspace / "out.fullchain") == 0640);
    CHECK(mode_of(files.workspace / "out.key") == 0400);
    CHECK(mode_of(files.workspace / "out.combined") == 0400);
    CHECK(files.workspace.run(files.pipeline(config)).text("mail", "status") == "unchanged");
    CHECK(leftovers().empty());
}

TEST_CASE("a PKCS#12 file holds leaf and key under its password, and is recognised again") {
    Files files;
    files.workspace.environment()["TEST_PASSWORD"] = "p12 secret";
    std::string config = files.line("pkcs12", "out.p12") +
                         "pkcs12_password = { env = \"TEST_PASSWORD\" }\n"
                         "pkcs12_name = \"shop\"\n";
    SUBCASE("modern") {}
    SUBCASE("legacy") {
        config += "pkcs12_profile = \"legacy\"\n";
    }
    const Run run = files.workspace.run(files.pipeline(config));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    REQUIRE(run.text("mail", "status") == "changed");
    Process openssl({"openssl", "pkcs12", "-legacy", "-in", files.path("out.p12"), "-nodes",
                     "-passin", "pass:p12 secret"},
                    files.workspace.environment());
    CHECK(openssl.wait().status == 0);
    CHECK(openssl.output().find("friendlyName: shop") != std::string::npos);
    CHECK(openssl.output().find("BEGIN PRIVATE KEY") != std::string::npos);
    CHECK(openssl.output().find(pem(files.shop.certificate)) != std::string::npos);
    CHECK(files.workspace.run(files.pipeline(config)).text("mail", "status") == "unchanged");
}

TEST_CASE("a file that somebody spoilt is mended, whatever is wrong with it") {
    const Files files;
    const std::string config = files.line("fullchain", "out.crt") + files.line("key", "out.key");
    REQUIRE(files.workspace.run(files.pipeline(config)).text("mail", "status") == "changed");
    SUBCASE("its mode") {
        std::filesystem::permissions(files.workspace / "out.key", std::filesystem::perms(0644));
    }
    SUBCASE("its contents") {
        files.workspace.folder().write("out.crt", "spoilt");
    }
    SUBCASE("its key") {
        files.workspace.folder().write("out.key", pem(files.workspace.issue("other").key));
    }
    SUBCASE("its absence") {
        std::filesystem::remove(files.workspace / "out.key");
    }
    const Run run = files.workspace.run(files.pipeline(config));
    CAPTURE(run.output);
    CHECK(run.text("mail", "status") == "changed");
    CHECK(files.text("out.crt") == pem(files.shop.certificate));
    CHECK(files.text("out.key") == pem(files.shop.key));
    CHECK(mode_of(files.workspace / "out.key") == 0600);
}

TEST_CASE("files go to the owner and group that are named") {
    if (geteuid() != 0) {
        MESSAGE("skipped: giving files away takes root");
        return;
    }
    const passwd* const nobody = getpwnam("nobody");
    const group* const mail = getgrnam("mail");
    REQUIRE(nobody != nullptr);
    REQUIRE(mail != nullptr);
    const Files files;
    const Run run = files.workspace.run(
        files.pipeline(files.line("key", "out.key") + "owner = \"nobody\"\ngroup = \"mail\"\n"));
    CAPTURE(run.output);
    CHECK(run.status == 0);
    struct stat status {};
    REQUIRE(stat((files.workspace / "out.key").c_str(), &status) == 0);
    CHECK(status.st_uid == nobody->pw_uid);
    CHECK(status.st_gid == mail->gr_gid);
}

TEST_CASE("a command that fails afterwards undoes the files") {
    const Files files;
    const std::string config = files.line("fullchain", "out.crt") + files.line("key", "out.key");
    bool were_there = false;
    SUBCASE("which were there") {
        were_there = true;
        files.workspace.folder().write("out.crt", "former certificate");
        files.workspace.folder().write("out.key", "former key");
    }
    SUBCASE("which were not there") {}
    const Run run = files.workspace.run(
        files.pipeline(config + "after = [\"sh\", \"-c\", \"echo the server says no; exit 7\"]\n"));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 1);
    CHECK(run.text("mail", "status") == "failed");
    CHECK(run.message("mail").find("the server says no") != std::string::npos);
    CHECK(run.message("mail").find("7") != std::string::npos);
    CHECK(std::filesystem::exists(files.workspace / "out.crt") == were_there);
    CHECK(std::filesystem::exists(files.workspace / "out.key") == were_there);
    if (were_there) CHECK(files.text("out.key") == "former key");
    CHECK(leftovers().empty());
}

TEST_CASE("a command that never ends is ended at the deadline, with its children") {
    const Files files;
    const Announcements announcements(files.workspace / "announce");
    const auto host = files.workspace.start_run(
        files.pipeline(files.line("fullchain", "out.crt") +
                       "after = [\"sh\", \"-c\", \"setsid sleep 1000 & echo $! 0 > " +
                       announcements.path().string() + "; exec sleep 1000\"]\n") +
        "[deploy.mail.timeouts]\ndeploy = \"1s\"\nrollback = \"1s\"\n");
    const Watch watch({announcements.next().process});
    const Run run = files.workspace.collect(*host);
    CAPTURE(run.output);
    CHECK(run.text("mail", "status") == "timed_out");
    CHECK(run.took < 10s);
    CHECK(watch.all_end_within(0ms));
    CHECK_FALSE(std::filesystem::exists(files.workspace / "out.crt"));
    CHECK(leftovers().empty());
}

TEST_CASE("a folder that is not there fails with its name, and nothing else is touched") {
    const Files files;
    const Run run = files.workspace.run(
        files.pipeline(files.line("fullchain", "out.crt") + files.line("key", "nowhere/out.key")));
    CAPTURE(run.output);
    CHECK(run.status != 0);
    CHECK((run.output + run.errors).find("nowhere") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(files.workspace / "out.crt"));
}

TEST_CASE("two deployments onto one file are refused") {
    const Files files;
    const std::string config = files.line("fullchain", "out.crt");
    Toml twin = deployment("twin", "file");
    const auto file = files.workspace.folder().write(
        "pipeline.toml",
        files.pipeline(config) + std::string(twin.table("deploy.twin.config")) + config);
    const auto process = files.workspace.start({"check", file.string()});
    CHECK(process->wait().status == 2);
    CHECK((process->errors() + process->output()).find("mail") != std::string::npos);
    CHECK((process->errors() + process->output()).find("twin") != std::string::npos);
}

TEST_CASE("a guard that all deployments of a certificate have switched off stops nothing") {
    const Workspace workspace;
    workspace.issue("shop", {.begins_in = -48h, .ends_in = -24h});
    const auto run = [&](const std::string& guards, const std::string& more = {}) {
        Toml one = deployment("one", "file");
        if (!guards.empty()) one.value("guards", guards);
        one.table("deploy.one.config").text("fullchain", (workspace / "one.crt").string());
        return workspace.run(workspace.head() + std::string(one) + more);
    };
    const Run refused = run("");
    CHECK(refused.status == 2);
    CHECK(refused.errors.find("where that is meant: guards = { expired = \"off\" }") !=
          std::string::npos);
    const std::string another = deployment("two", "file")
                                    .table("deploy.two.config")
                                    .text("fullchain", (workspace / "two.crt").string());
    CHECK(run("{ expired = \"off\" }", another).status == 2);
    CHECK(std::filesystem::exists(workspace / "one.crt") == false);

    const Run meant = run("{ expired = \"off\" }");
    CHECK(meant.text("one", "status") == "changed");
    CHECK(meant.errors.find("expired on") != std::string::npos);

    const Issued other = workspace.issue("other");
    workspace.issue("shop");
    workspace.folder().write("shop.key", pem(other.key));
    CHECK(run("").errors.find("guards = { key = \"off\" }") != std::string::npos);
    const Run without_key = run("{ key = \"off\" }");
    CHECK(without_key.text("one", "status") == "changed");
    CHECK(without_key.errors.find("it goes without a private key") != std::string::npos);

    workspace.issue("shop");
    const Issued stranger = workspace.issue("stranger", {.subject = "Stranger", .is_ca = true});
    workspace.folder().write("shop.pem",
                             read_text(workspace / "shop.pem") + pem(stranger.certificate));
    CHECK(run("").errors.find("guards = { chain = \"off\" }") != std::string::npos);
    const Run broken = run("{ chain = \"off\" }");
    CHECK(broken.text("one", "status") == "changed");
    CHECK(broken.errors.find("the chain is broken") != std::string::npos);
}
