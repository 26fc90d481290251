#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/base/duration.hpp"
#include "core/base/endpoint.hpp"
#include "core/base/fd.hpp"
#include "core/base/nearest.hpp"
#include "core/base/private_folder.hpp"
#include "core/base/remove_tree.hpp"
#include "core/base/secret.hpp"
#include "core/base/utf8.hpp"
#include "core/base/wire.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace certcast;
using namespace certcast::testing;

TEST_CASE("a duration is a number and a unit") {
    CHECK(parse_duration("250ms").value() == Duration(250));
    CHECK(parse_duration("20s").value() == Duration(20'000));
    CHECK(parse_duration("5m").value() == Duration(300'000));
    CHECK(parse_duration("1h").value() == Duration(3'600'000));
    CHECK(parse_duration("90d").value() == Duration(90 * 24 * 3'600'000LL));
    for (const char* wrong :
         {"", "5", "s", "-1s", "5 s", "5sec", "1.5s", "99999999999999h", "1w"}) {
        CAPTURE(wrong);
        CHECK(parse_duration(wrong).has_error());
    }
}

TEST_CASE("a duration is spelled with the largest unit that is exact") {
    CHECK(to_string(Duration(1500)) == "1500ms");
    CHECK(to_string(Duration(90'000)) == "90s");
    CHECK(to_string(Duration(120'000)) == "2m");
    CHECK(to_string(Duration(0)) == "0ms");
}

TEST_CASE("what a wire writer wrote a reader reads") {
    wire::Writer out;
    out.u8(7);
    out.u32(0xdeadbeef);
    out.i64(-5);
    out.text("päß");
    wire::Reader in(out.data());
    CHECK(in.u8() == 7);
    CHECK(in.u32() == 0xdeadbeef);
    CHECK(in.i64() == -5);
    CHECK(in.text() == "päß");
    CHECK(in.finished());
}

TEST_CASE("a wire reader never reads past the end") {
    wire::Writer out;
    out.u32(1000);  // a length with nothing behind it
    wire::Reader text(out.data());
    CHECK(text.text().empty());
    CHECK_FALSE(text.ok());
    wire::Reader count(out.data());
    CHECK(count.count(1) == 0);
    CHECK_FALSE(count.ok());
    CHECK(count.u64() == 0);
}

TEST_CASE("a wire reader takes no text and no list that is longer than asked for") {
    wire::Writer out;
    out.text("12345");
    out.u32(3);
    out.text(std::string(100, 'x'));
    wire::Reader in(out.data());
    CHECK(in.text(5) == "12345");
    CHECK(in.count(1, 3) == 3);
    CHECK(in.ok());
    CHECK(in.text(99).empty());
    CHECK_FALSE(in.ok());
    wire::Reader list(out.data().subspan(9));
    CHECK(list.count(1, 2) == 0);
    CHECK_FALSE(list.ok());
}

TEST_CASE("a wire writer gives away what it holds, and begins anew") {
    wire::Writer out;
    out.text(std::string(5'000, 'x'));
    const Secret taken = out.take();
    CHECK(taken.size() == 5'004);
    CHECK(out.size() == 0);
    out.u8(7);
    CHECK(out.data().size() == 1);
}

TEST_CASE("a private folder is made with all above it, and only ever one's own") {
    const TemporaryFolder folder;
    const auto wanted = folder / "a" / "b";
    CHECK(make_private_folder(wanted).has_value());
    struct stat status {};
    REQUIRE(stat(wanted.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    CHECK(make_private_folder(wanted).has_value());

    SUBCASE("not one that others write to") {
        std::filesystem::permissions(wanted, std::filesystem::perms(0770));
    }
    SUBCASE("not a link") {
        std::filesystem::remove(wanted);
        std::filesystem::create_directory_symlink(folder.path(), wanted);
    }
    SUBCASE("not a file") {
        std::filesystem::remove(wanted);
        folder.write("a/b", "");
    }
    SUBCASE("not somebody else's") {
        if (geteuid() != 0) {
            MESSAGE("skipped: giving a folder away takes root");
            return;
        }
        REQUIRE(chown(wanted.c_str(), 65534, 65534) == 0);
    }
    const auto refused = make_private_folder(wanted);
    REQUIRE(refused.has_error());
    CHECK(refused.error().text().find(wanted.string()) != std::string::npos);
}

TEST_CASE("a tree is removed whatever is in it, and nothing else") {
    namespace fs = std::filesystem;
    const TemporaryFolder folder;
    const fs::path outside = folder.write("outside", "stays");
    const fs::path tree = folder / "tree";
    fs::create_directories(tree / "a/b");
    fs::create_directory_symlink(folder.path(), tree / "a/link");
    folder.write("tree/a/b/file", "");
    SUBCASE("folders that are closed to their owner") {
        fs::permissions(tree / "a/b", fs::perms(0500));
        fs::permissions(tree / "a", fs::perms(0000));
        CHECK(remove_tree(tree));
    }
    SUBCASE("closed itself") {
        fs::permissions(tree, fs::perms(0000));
        CHECK(remove_tree(tree));
    }
    SUBCASE("deeper than a path can be long") {
        Fd deepest(open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        for (int depth = 0; depth < 5000; ++depth) {
            REQUIRE(mkdirat(deepest.get(), "d", 0700) == 0);
            deepest = Fd(openat(deepest.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        }
        CHECK(remove_tree(tree));
    }
    SUBCASE("but not what is mounted there") {
        const fs::path mounted = folder / "mounted";
        fs::create_directory(mounted);
        folder.write("mounted/stays", "");
        if (mount(mounted.c_str(), (tree / "a/b").c_str(), nullptr, MS_BIND, nullptr) != 0) {
            MESSAGE("skipped: mounting takes root");
        } else {
            CHECK_FALSE(remove_tree(tree));
            CHECK(fs::exists(mounted / "stays"));
            for (const char* place : {"tree/a/b", "tree/.certcast-removes-0"}) {
                umount2((folder / place).c_str(), MNT_DETACH);
            }
        }
        CHECK(remove_tree(tree));
    }
    CHECK_FALSE(fs::exists(tree));
    CHECK(fs::exists(outside));
    CHECK_FALSE(remove_tree(tree));
}

TEST_CASE("a secret keeps its text over moves, appends and shrinking") {
    Secret secret("pass");
    secret.append("word");
    CHECK(secret.text() == "password");
    Secret moved = std::move(secret);
    CHECK(moved.text() == "password");
    CHECK(moved.clone().text() == "password");
    moved.shrink(4);
    CHECK(moved.text() == "pass");
}

TEST_CASE("the nearest name is found and a far one is not") {
    const std::vector<std::string> known{"timeout", "targets", "tags"};
    CHECK(nearest("timeuot", known) == "timeout");
    CHECK(nearest("target", known) == "targets");
    CHECK(nearest("window", known).empty());
    CHECK(suggestion("xyz", known) == "; expected one of timeout, targets, tags");
    CHECK(nearest(std::string(100'000, 'x'), known).empty());
    CHECK(nearest("tgas", known) == "tags");
    CHECK(nearest("agts", known).empty());
}

TEST_CASE("a name is not looked for among any number of others") {
    std::vector<std::string> many(1000, std::string(64, 'a'));
    many[199] = "timeout";
    many[200] = "targets";
    CHECK(nearest("timeuot", many) == "timeout");
    CHECK(nearest("targetz", many).empty());
}

TEST_CASE("an endpoint has a host and a port") {
    CHECK(parse_endpoint("Shop.Example:443")->text() == "shop.example:443");
    CHECK(parse_endpoint("[2001:DB8::1]:8443")->host == "2001:db8::1");
    for (const char* wrong : {"", ":", ":443", "h:", "h:65536", "h:-1", "h:1x", "[h]:443", "[::1]",
                              "a b:1", "a/b:1", "-h:1", "[]:1", "a..b:1"}) {
        CAPTURE(wrong);
        CHECK(parse_endpoint(wrong).has_error());
    }
    CHECK(is_ip_address("127.0.0.1"));
    CHECK(is_ip_address("::1"));
    CHECK_FALSE(is_ip_address("localhost"));
}

TEST_CASE("UTF-8 is told from what is not") {
    CHECK(is_utf8("p\xc3\xa4\xf0\x9f\x98\x80"));
    for (const char* wrong :
         {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\x80"}) {
        CHECK_FALSE(is_utf8(wrong));
    }
    CHECK(has_control_character("\xc2\x9b"));
    CHECK_FALSE(has_control_character("\xc2\xa0"));
}
