#include "core/scheduler/deployment_memory.hpp"

#include "tests/unit/scheduler_fakes.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include <utility>

using namespace certcast;
using certcast::testing::TemporaryFolder;

namespace asio = boost::asio;

namespace {

template <typename T>
T wait_for(asio::awaitable<T> work) {
    asio::io_context io;
    auto future = asio::co_spawn(io, std::move(work), asio::use_future);
    io.run();
    return future.get();
}

Deployment at(const std::string& name, std::vector<std::string> places) {
    Deployment deployment;
    deployment.name = name;
    deployment.plugin = "file";
    deployment.identities = std::move(places);
    return deployment;
}

}  // namespace

TEST_CASE("what could not be recorded as settled at once is at the end of the run") {
    const TemporaryFolder folder;
    const auto journal = Journal::open(folder.path(), Duration(20)).value();
    DeploymentMemory memory(journal.get(), "/p.toml");
    const Deployment edge = at("edge", {"/a"});
    const std::string key = memory_key(edge);
    REQUIRE(wait_for(memory.begin(edge, {})).has_value());
    SQLite::Database other((folder / "journal.db").string(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    CHECK(wait_for(memory.settle(key)).has_error());
    CHECK(wait_for(memory.settle_rest()).has_error());
    other.exec("COMMIT");
    REQUIRE(wait_for(journal->recall(key, {}))->unsettled.begun);
    CHECK(wait_for(memory.settle_rest()).has_value());
    CHECK_FALSE(wait_for(journal->recall(key, {}))->unsettled.begun);
}

TEST_CASE("of a place that is half-way only who has begun it may make it good") {
    const TemporaryFolder folder;
    const auto journal = Journal::open(folder.path()).value();
    DeploymentMemory killed(journal.get(), "/p.toml");
    const Deployment edge = at("edge", {"/a", "/b"});
    REQUIRE(wait_for(killed.add_step(edge, {}, Step{.label = "x"})).has_value());

    DeploymentMemory next(journal.get(), "/q.toml");
    CHECK(wait_for(next.recall(edge)).has_value());
    CHECK(next.steps(memory_key(edge)).size() == 1);
    CHECK(wait_for(next.recall(at("other", {"/c"}))).has_value());
    const auto refused = wait_for(next.recall(at("other", {"/b"})));
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == ErrorCode::conflict);
    CHECK(refused.error().message.find("edge of /p.toml") != std::string::npos);

    DeploymentMemory forgetful(journal.get(), "/p.toml", DeploymentMemory::Use::keeping_away);
    CHECK(wait_for(forgetful.recall(edge)).error().code == ErrorCode::conflict);
    const Deployment free = at("free", {"/d"});
    REQUIRE(wait_for(forgetful.recall(free)).has_value());
    REQUIRE(wait_for(forgetful.add_step(free, {}, Step{.label = "x"})).has_value());
    CHECK(wait_for(forgetful.recall(free)).has_value());
    CHECK(forgetful.is_unsettled(memory_key(free)));
    CHECK_FALSE(wait_for(journal->recall(memory_key(free), {}))->unsettled.begun);
}
