#include "core/base/trusted_path.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace certcast;
using namespace certcast::testing;
namespace fs = std::filesystem;

namespace {

constexpr uid_t nobody = 65534;

struct Refusal {
    fs::path where;
    std::string message;
};

Refusal refusal(const Result<fs::path>& result) {
    if (result) return {"", "nothing wrong"};
    return {result.error().where, result.error().message};
}

bool says(const Refusal& refusal, const std::string& text) {
    return refusal.message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a path that only root and this user decide is followed to its real one") {
    const TemporaryFolder folder;
    const fs::path file = folder.write("real/x.so", "");
    folder.link("link", folder / "real");
    CHECK(trusted_path(file).value() == file);
    CHECK(trusted_path(folder / "link/x.so").value() == file);
    CHECK(trusted_path(folder / "link/../real/./x.so").value() == file);
    CHECK(trusted_folder_to_search(folder / "link").value() == folder / "real");
    CHECK(trusted_path("/").value() == "/");
}

TEST_CASE("what others may write to is refused, with the mode and the command that mends it") {
    const TemporaryFolder folder;
    const fs::path file = folder.write("above/folder/it's.so", "");
    folder.link("link", file);
    fs::path open;
    std::string command;
    SUBCASE("the file, by its group") {
        open = file;
        fs::permissions(open, fs::perms(0664));
        command = "by its group (mode 0664): chmod g-w,o-w '" + (folder / "above/folder").string() +
                  "/it'\\''s.so'";
    }
    SUBCASE("the folder, by anyone") {
        open = file.parent_path();
        fs::permissions(open, fs::perms(0707));
        command = "by anyone (mode 0707): chmod g-w,o-w " + open.string();
    }
    SUBCASE("a folder above") {
        open = folder / "above";
        fs::permissions(open, fs::perms(0770));
        command = "by its group (mode 0770): chmod g-w,o-w " + open.string();
    }
    for (const fs::path& path : {file, folder / "link"}) {
        const Refusal refused = refusal(trusted_path(path));
        CAPTURE(refused.message);
        CHECK(refused.where == open);
        CHECK(says(refused, command));
    }
}

TEST_CASE("the folder of a link is looked at as well as that of what it points to") {
    const TemporaryFolder folder;
    const fs::path file = folder.write("safe/x.so", "");
    fs::create_directory(folder / "open");
    folder.link("open/x.so", file);
    fs::permissions(folder / "open", fs::perms(0777));
    CHECK(refusal(trusted_path(folder / "open/x.so")).where == folder / "open");
}

TEST_CASE("a sticky folder is no danger to what is in it, but to what is only looked for there") {
    const TemporaryFolder folder;
    const fs::path file = folder.write("shared/x.so", "");
    fs::permissions(folder / "shared", fs::perms(01777));
    CHECK(trusted_path(file).has_value());
    CHECK(says(refusal(trusted_path(folder / "shared/later")), "others could make it"));
    CHECK(says(refusal(trusted_folder_to_search(folder / "shared")), "anyone (mode 1777)"));
    CHECK(says(refusal(trusted_folder_to_search(folder / "shared/later")), "could make it"));
    const auto missing = trusted_folder_to_search(folder / "later");
    REQUIRE(missing.has_error());
    CHECK(missing.error().code == ErrorCode::not_found);
    CHECK(says(refusal(trusted_folder_to_search(file)), "is no folder"));
}

TEST_CASE("what belongs to somebody else is refused, with the command that mends it") {
    if (geteuid() != 0) {
        MESSAGE("skipped: giving files away takes root");
        return;
    }
    const TemporaryFolder folder;
    const fs::path file = folder.write("folder/x.so", "");
    fs::path given = file;
    std::string command = "chown root ";
    SUBCASE("the file") {}
    SUBCASE("its folder") {
        given = file.parent_path();
    }
    SUBCASE("a link") {
        folder.link("link", file);
        given = folder / "link";
        command = "chown -h root ";
    }
    SUBCASE("the file in a sticky folder") {
        fs::permissions(folder / "folder", fs::perms(01777));
    }
    REQUIRE(lchown(given.c_str(), nobody, nobody) == 0);
    const Refusal refused = refusal(trusted_path(given == file.parent_path() ? file : given));
    CAPTURE(refused.message);
    CHECK(refused.where == given);
    CHECK(says(refused, "belongs to user 65534, expected root: " + command + given.string()));
}

TEST_CASE("links in a circle are given up") {
    const TemporaryFolder folder;
    folder.link("a", folder / "b");
    folder.link("b", folder / "a");
    CHECK(says(refusal(trusted_path(folder / "a")), "too many links"));
}
