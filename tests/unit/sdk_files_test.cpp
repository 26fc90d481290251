#include "tests/unit/fake_host.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <certcast/deployer.hpp>

#include <filesystem>
#include <set>
#include <string>

using namespace certcast::testing;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
    return names;
}

std::string text_of(const fs::path& path) {
    return std::string(certcast::read_file(path).text());
}

}  // namespace

TEST_CASE("a file is replaced whole, with its mode, and nothing is left beside it") {
    const TemporaryFolder folder;
    const fs::path path = folder.write("key", "old");
    const certcast::FileImage before = certcast::read_file(path);
    certcast::write_file(path, "new", 0640);
    CHECK(text_of(path) == "new");
    CHECK(mode_of(path) == 0640);
    CHECK(names_in(folder.path()) == std::set<std::string>{"key"});
    certcast::restore_file(path, before);
    CHECK(certcast::read_file(path) == before);
}

TEST_CASE("a file that was absent is removed again") {
    const TemporaryFolder folder;
    const fs::path path = folder / "fresh";
    const certcast::FileImage before = certcast::read_file(path);
    CHECK_FALSE(before.present);
    certcast::write_file(path, "new", 0600);
    certcast::restore_file(path, before);
    CHECK_FALSE(fs::exists(path));
    certcast::restore_file(path, before);
    certcast::restore_file(folder / "no-folder" / "file", before);
}

TEST_CASE("a symlink stays, and the file behind it is replaced") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "archive");
    const fs::path link = folder / "live";
    SUBCASE("with a target") {
        folder.write("archive/one", "old");
        folder.link("live", "archive/one");
    }
    SUBCASE("without one yet") {
        folder.link("live", "archive/one");
    }
    SUBCASE("by way of another, without one yet") {
        folder.link("live", "middle");
        folder.link("middle", "archive/one");
    }
    const certcast::FileImage before = certcast::read_file(link);
    certcast::write_file(link, "new", 0600);
    CHECK(fs::is_symlink(link));
    CHECK(text_of(folder / "archive/one") == "new");
    CHECK(names_in(folder / "archive") == std::set<std::string>{"one"});
    certcast::restore_file(link, before);
    CHECK(fs::is_symlink(link));
    CHECK(certcast::read_file(link) == before);
}

TEST_CASE("a file that cannot be staged leaves all others as they are") {
    const TemporaryFolder folder;
    folder.write("one", "old");
    std::vector<certcast::WantedFile> wanted;
    wanted.push_back({folder / "one", certcast::Sensitive("new"), {.mode = 0600}});
    wanted.push_back({folder / "missing" / "two", certcast::Sensitive("new"), {.mode = 0600}});
    try {
        certcast::replace_files(wanted);
        FAIL("expected an error");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ENOENT);
        CHECK(std::string(error.what()).find((folder / "missing").string()) != std::string::npos);
    }
    CHECK(text_of(folder / "one") == "old");
    CHECK(names_in(folder.path()) == std::set<std::string>{"one"});
}

TEST_CASE("new files are complete and closed to others before the first is switched") {
    const TemporaryFolder folder;
    folder.write("key", "old");
    {
        certcast::StagedFile staged(folder / "key", "new", {.mode = 0600});
        CHECK(text_of(folder / "key") == "old");
        for (const std::string& name : names_in(folder.path())) {
            CHECK(mode_of(folder / name) == 0600);
            if (name != "key") CHECK(text_of(folder / name) == "new");
        }
        CHECK(names_in(folder.path()).size() == 2);
    }
    CHECK(names_in(folder.path()) == std::set<std::string>{"key"});
}

TEST_CASE("what a killed writer left is removed by the rollback") {
    const TemporaryFolder folder;
    const fs::path path = folder.write("key", "old");
    const certcast::FileImage before = certcast::read_file(path);
    folder.write(".key.certcast-abcdefabcdef", "a key");
    certcast::restore_file(path, before);
    CHECK(names_in(folder.path()) == std::set<std::string>{"key"});
}

TEST_CASE("what a killed writer left is removed by the next one") {
    const TemporaryFolder folder;
    folder.write("key", "old");
    folder.write(".key.certcast-abcdefabcdef", "a key");
    std::vector<certcast::WantedFile> wanted;
    wanted.push_back({folder / "key", certcast::Sensitive("new"), {.mode = 0600}});
    certcast::replace_files(wanted);
    CHECK(names_in(folder.path()) == std::set<std::string>{"key"});
    CHECK(text_of(folder / "key") == "new");
}

TEST_CASE("an access control list stays, and comes back") {
    // Version 2; then tag, rights and id: owner rw, user 12345 r, group and others nothing, mask r.
    const unsigned char acl[] = {2,    0,    0,    0,    1,    0,    6,    0,    0xff, 0xff, 0xff,
                                 0xff, 2,    0,    4,    0,    0x39, 0x30, 0,    0,    4,    0,
                                 0,    0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,    4,    0,    0xff,
                                 0xff, 0xff, 0xff, 0x20, 0,    0,    0,    0xff, 0xff, 0xff, 0xff};
    const TemporaryFolder folder;
    const fs::path path = folder.write("key", "old");
    if (setxattr(path.c_str(), "system.posix_acl_access", acl, sizeof acl, 0) != 0) {
        MESSAGE("skipped: this file system has no access control lists");
        return;
    }
    const certcast::FileImage before = certcast::read_file(path);
    CHECK(before.acl.size() == sizeof acl);
    certcast::write_file(path, "new", 0640);
    CHECK(certcast::read_file(path).acl == before.acl);
    CHECK(certcast::unpack_file(certcast::pack(before)) == before);
    fs::remove(path);
    certcast::restore_file(path, before);
    CHECK(certcast::read_file(path) == before);
}

TEST_CASE("a circle of links is an error") {
    const TemporaryFolder folder;
    folder.link("one", "two");
    folder.link("two", "one");
    CHECK_THROWS_AS(certcast::write_file(folder / "one", "new", 0600), std::system_error);
}

TEST_CASE("what is no regular file is refused without waiting for it") {
    const TemporaryFolder folder;
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
    CHECK_THROWS_AS(certcast::read_file(folder / "pipe"), std::system_error);
    CHECK_THROWS_AS(certcast::read_file(folder.path()), std::system_error);
    folder.write("large", std::string(5000, 'x'));
    CHECK_THROWS_AS(certcast::read_file(folder / "large", 4096), std::system_error);
}

TEST_CASE("modes, users and groups are as operators write them") {
    CHECK(certcast::file_access({}, {}, "0640").mode == 0640);
    CHECK(certcast::file_access({}, {}, "600").mode == 0600);
    CHECK(certcast::file_access("root", "0", "600").owner == uid_t{0});
    CHECK(certcast::file_access("root", "0", "600").group == gid_t{0});
    CHECK_THROWS_AS(certcast::file_access({}, {}, "rw"), certcast::config_error);
    CHECK_THROWS_AS(certcast::file_access("no-such-user", {}, "600"), certcast::config_error);
}

TEST_CASE("certificates are found in PEM, whatever else is in it") {
    const std::string block =
        "-----BEGIN CERTIFICATE-----\r\nAAEC\r\nAw==\r\n"
        "-----END CERTIFICATE-----\n";
    const std::string key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    const std::string bytes("\0\1\2\3", 4);
    CHECK(certcast::first_certificate("text\n" + key + block) == bytes);
    CHECK(certcast::certificates_in(block + key + block).size() == 2);
    CHECK_FALSE(certcast::first_certificate(key));
    CHECK_FALSE(certcast::first_certificate(""));
    CHECK_FALSE(certcast::first_certificate("-----BEGIN CERTIFICATE-----\nAAEC"));
    CHECK_FALSE(certcast::first_certificate(
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"));
}
