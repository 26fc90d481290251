#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

using namespace certcast::testing;

namespace {

/// Deployments that share a login with those of their account.
class Fleet {
public:
    Fleet& with(const std::string& name, const std::string& account, const std::string& config = {},
                const std::string& settings = {}) {
        pipeline_ += std::string(deployment(name, "test-shares-answer")) + settings +
                     "config = { notes = \"" + notes().string() + "\", place = \"" + name + "\"" +
                     (account.empty() ? "" : ", account = \"" + account + "\"") + config + " }\n";
        return *this;
    }
    /// `config` of one that announces what others follow.
    std::string by_pipe(const std::string& word) {
        const auto pipe = workspace_ / "pipe";
        ::mkfifo(pipe.c_str(), 0600);
        return ", " + word + " = \"" + pipe.string() + "\"";
    }
    Run run(int parallel) const {
        return workspace_.run(workspace_.head() + "max_parallel = " + std::to_string(parallel) +
                              "\n" + pipeline_);
    }
    /// Who was to find it out, in this order.
    std::string found_out() const { return read_text(notes()); }
    static std::string login(const Run& run, const std::string& name) {
        return std::string(run[name].at("outputs").at("login").as_string());
    }

private:
    std::filesystem::path notes() const { return workspace_ / "notes"; }

    Workspace workspace_;
    std::string pipeline_;
};

}  // namespace

TEST_CASE("a login is found out once for all deployments of an account") {
    Fleet fleet;
    for (const char* const name : {"a", "b", "c", "d", "e", "f"}) fleet.with(name, "shop");
    fleet.with("other", "mail").with("third", "").with("fourth", "");
    const Run run = fleet.run(16);
    CAPTURE(run.output);
    CHECK(run.status == 0);
    const std::string by = Fleet::login(run, "a");
    for (const char* const name : {"b", "c", "d", "e", "f"}) CHECK(Fleet::login(run, name) == by);
    CHECK(Fleet::login(run, "other") == "by other");
    CHECK(Fleet::login(run, "third") == "by third");
    CHECK(Fleet::login(run, "fourth") == "by fourth");
    CHECK(fleet.found_out().size() == std::string("x\nother\nthird\nfourth\n").size());
}

TEST_CASE("who comes to its end over finding it out takes nobody along") {
    Fleet fleet;
    std::string status;
    SUBCASE("it crashes") {
        fleet.with("bad", "shop", ", how = \"dies\"");
        status = "crashed";
    }
    SUBCASE("it fails") {
        fleet.with("bad", "shop", ", how = \"fails\"");
        status = "failed";
    }
    SUBCASE("it gives more than is kept") {
        fleet.with("bad", "shop", ", how = \"too_large\"");
        status = "changed";
    }
    const Run run = fleet.with("b", "shop").with("c", "shop").run(1);
    CAPTURE(run.output);
    CHECK(run.text("bad", "status") == status);
    CHECK(Fleet::login(run, "b") == "by b");
    CHECK(Fleet::login(run, "c") == "by b");
    CHECK(fleet.found_out() == "bad\nb\n");
    CHECK(leftovers().empty());
}

TEST_CASE("who waits for one that hangs goes on when that is ended") {
    Fleet fleet;
    fleet.with("bad", "shop", ", how = \"hangs\"" + fleet.by_pipe("announces"),
               "timeouts = { deploy = \"1s\" }\ngrace = \"100ms\"\n");
    fleet.with("b", "shop", fleet.by_pipe("follows"));
    const Run run = fleet.run(2);
    CAPTURE(run.output);
    CHECK(run.text("bad", "status") == "timed_out");
    CHECK(Fleet::login(run, "b") == "by b");
    CHECK(fleet.found_out() == "bad\nb\n");
    CHECK(leftovers().empty());
}
