#include "core/plugin/loadable.hpp"
#include "core/plugin/catalog.hpp"
#include "tests/unit/elf_file.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace certcast;
using namespace certcast::testing;
namespace fs = std::filesystem;

namespace {

using Paths = std::vector<fs::path>;

std::string refusal(const fs::path& library) {
    const auto files = check_loadable(library);
    return files ? "nothing wrong" : files.error().text();
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A catalog of one folder that counts what it asks to be loaded.
struct Watched {
    explicit Watched(const fs::path& folder)
        : catalog({folder},
                  [this](const fs::path& library) -> Result<std::vector<std::byte>> {
                      described.push_back(library);
                      return Error{ErrorCode::invalid, "was loaded", library.string()};
                  },
                  {}) {}
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() = default;

    Paths described;
    Catalog catalog;
};

}  // namespace

TEST_CASE("a plugin is loadable with all that it brings along, each counted once") {
    const TemporaryFolder folder;
    const fs::path plugin = folder.write(
        "x.so", ElfFile({.needed = {"libone.so", "libtwo.so", "libc.so.6", "libnowhere.so"},
                         .runpath = "$ORIGIN/lib:${ORIGIN}/more:/usr/lib"})
                    .bytes);
    const ElfWish inner{.functions = {}, .needed = {"libtwo.so", "x.so"}, .runpath = "$ORIGIN/.."};
    const fs::path one = folder.write("lib/libone.so", ElfFile(inner).bytes);
    const fs::path two = folder.write("real/libtwo.so.2", ElfFile({.functions = {}}).bytes);
    fs::create_directory(folder / "more");
    folder.link("more/libtwo.so", two);
    CHECK(check_loadable(plugin).value() == Paths{plugin, one, two});
    CHECK(libraries_beside(plugin) == Paths{plugin, one, two});
    folder.link("link.so", plugin);
    CHECK(libraries_beside(folder / "link.so").front() == plugin);
}

TEST_CASE("the old search path is also that of what is needed") {
    const TemporaryFolder folder;
    const fs::path plugin =
        folder.write("x.so", ElfFile({.needed = {"liba.so"}, .rpath = "$ORIGIN/lib"}).bytes);
    const fs::path a =
        folder.write("lib/liba.so", ElfFile({.functions = {}, .needed = {"libb.so"}}).bytes);
    const fs::path b = folder.write("lib/libb.so", ElfFile({.functions = {}}).bytes);
    CHECK(libraries_beside(plugin) == Paths{plugin, a, b});
}

TEST_CASE("libraries of the system are left to the loader") {
    const TemporaryFolder folder;
    const fs::path plugin = folder.write(
        "x.so",
        ElfFile({.needed = {"libc.so.6"}, .runpath = "/usr/lib/x86_64-linux-gnu:/lib64"}).bytes);
    CHECK(libraries_beside(plugin) == Paths{plugin});
}

TEST_CASE("a library that is no plugin says why") {
    const TemporaryFolder folder;
    const auto with = [&](std::vector<std::string> functions) {
        return refusal(folder.write("x.so", ElfFile({.functions = std::move(functions)}).bytes));
    };
    CHECK(with({"certcast_plugin_v1"}) == "nothing wrong");
    CHECK(contains(with({"main"}), "x.so: exports no function certcast_plugin_v1: it is no"));
    CHECK(contains(with({"certcast_plugin_v12"}),
                   "exports no function certcast_plugin_v1 but certcast_plugin_v12: it is a plugin "
                   "for another major version"));
    CHECK(contains(refusal(folder.write("x.so", "text")), "x.so: is no ELF file"));
    fs::create_directory(folder / "folder.so");
    CHECK(contains(refusal(folder / "folder.so"), "is a folder, expected a file"));
    REQUIRE(mkfifo((folder / "fifo.so").c_str(), 0600) == 0);
    CHECK(contains(refusal(folder / "fifo.so"), "is no regular file"));
}

TEST_CASE("a search path that others have a say in is refused") {
    const TemporaryFolder folder;
    for (const char* name : {"open", "sticky"}) fs::create_directory(folder / name);
    fs::permissions(folder / "open", fs::perms(0777));
    fs::permissions(folder / "sticky", fs::perms(01777));
    struct Row {
        std::string runpath;
        std::string expected;
    };
    const std::string here = folder.path().string();
    const Row rows[] = {
        {"", "looks for libraries in \"\": that is empty, which means whatever folder"},
        {"/usr/lib:", "\"\": that is empty"},
        {"lib", "\"lib\": that is relative to whatever folder certcast is started in"},
        {"$ORIGIN/open",
         "\"$ORIGIN/open\": it may be written to by anyone (mode 0777): chmod "
         "g-w,o-w " +
             here + "/open"},
        {here + "/sticky/inner", "it is not there, and others could make it"},
        {"$ORIGIN/sticky", "it may be written to by anyone (mode 1777)"},
        {"$ORIGIN/$LIB", "that holds a variable of the loader"},
        {"$ORIGIN/nowhere", "nothing wrong"},
    };
    for (const Row& row : rows) {
        const std::string text =
            refusal(folder.write("x.so", ElfFile({.runpath = row.runpath.c_str()}).bytes));
        CAPTURE(row.runpath);
        CAPTURE(text);
        CHECK(contains(text, row.expected));
    }
    const auto needs = [&](const std::string& name) {
        return refusal(folder.write("x.so", ElfFile({.needed = {name}}).bytes));
    };
    CHECK(contains(needs("lib/y.so"), "needs \"lib/y.so\": that is relative to"));
    CHECK(contains(needs("/usr/lib/../../tmp/no-such.so"), "others could make it"));
}

TEST_CASE("what a plugin brings along falls under the same rules as itself") {
    const TemporaryFolder folder;
    const fs::path plugin =
        folder.write("x.so", ElfFile({.needed = {"liba.so"}, .runpath = "$ORIGIN/lib"}).bytes);
    const fs::path a =
        folder.write("lib/liba.so",
                     ElfFile({.functions = {}, .needed = {"libb.so"}, .runpath = "$ORIGIN"}).bytes);
    const fs::path b = folder.write("lib/libb.so", ElfFile({.functions = {}}).bytes);
    CHECK(refusal(plugin) == "nothing wrong");
    std::string expected;
    SUBCASE("writable by others") {
        fs::permissions(b, fs::perms(0666));
        expected = "x.so: is not loaded: needs " + b.string() +
                   ": it may be written to by anyone (mode 0666): chmod g-w,o-w " + b.string();
    }
    SUBCASE("cut off") {
        fs::resize_file(b, 100);
        expected = "x.so: needs " + b.string() + ": it is cut off";
    }
    SUBCASE("not this user's") {
        if (geteuid() != 0) {
            MESSAGE("skipped: giving files away takes root");
            return;
        }
        REQUIRE(chown(b.c_str(), 65534, 65534) == 0);
        expected = "belongs to user 65534, expected root: chown root " + b.string();
    }
    const std::string text = refusal(plugin);
    CAPTURE(text);
    CHECK(contains(text, expected));
    CHECK(libraries_beside(plugin).empty());
}

TEST_CASE("what others could change is never loaded, and its folder named once") {
    const TemporaryFolder folder;
    const fs::path plugins = folder / "plugins";
    for (const char* name : {"plugins/a.so", "plugins/b.so"}) folder.write(name, ElfFile().bytes);
    SUBCASE("one library") {
        fs::permissions(plugins / "a.so", fs::perms(0620));
        Watched watched(plugins);
        watched.catalog.all();
        CHECK(watched.described == Paths{plugins / "b.so"});
        REQUIRE(watched.catalog.problems().size() == 2);
        CHECK(watched.catalog.problems()[0].text() ==
              (plugins / "a.so").string() +
                  ": is not loaded: may be written to by its group (mode 0620): chmod g-w,o-w " +
                  (plugins / "a.so").string());
    }
    SUBCASE("the folder") {
        fs::permissions(plugins, fs::perms(0777));
        Watched watched(plugins);
        watched.catalog.all();
        const auto found = watched.catalog.find("b");
        CHECK(watched.described.empty());
        REQUIRE(watched.catalog.problems().size() == 1);
        const std::string told = plugins.string() +
                                 ": no plugin in it is loaded: it may be written to by anyone "
                                 "(mode 0777): chmod g-w,o-w " +
                                 plugins.string();
        CHECK(watched.catalog.problems()[0].text() == told);
        REQUIRE(found.has_error());
        CHECK(found.error().text() == "the plugin \"b\" cannot be used: " + told);
    }
    SUBCASE("a folder above") {
        fs::permissions(folder.path(), fs::perms(0770));
        Watched watched(plugins);
        watched.catalog.all();
        CHECK(watched.described.empty());
        REQUIRE(watched.catalog.problems().size() == 1);
        CHECK(contains(watched.catalog.problems()[0].text(),
                       "no plugin in it is loaded: " + folder.path().string() + " may be written"));
    }
}
