#include "core/scheduler/reload_gathering.hpp"

#include "tests/unit/scheduler_fakes.hpp"

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

using namespace certcast;

namespace {

const std::vector<std::string> reload = {"nginx", "-s", "reload"};

struct Gathering {
    using Expectation = ReloadGathering::Expectation;

    Gathering() : commands(loop.clock()), reloads(loop.executor(), commands, loop.clock()) {}

    /// One who may ask for the reload.
    Expectation& joins() {
        return *members.emplace_back(
            std::make_unique<Expectation>(reloads, std::vector<std::vector<std::string>>{reload}));
    }
    void asks(Expectation& asker, const std::string& identity = "nginx") {
        loop.start<Result<CommandResult>>(ask_for(asker, identity),
                                          [this](Result<CommandResult> result) {
                                              REQUIRE(result.has_value());
                                              answers.emplace_back(result->output.text());
                                              answered_at.push_back(loop.clock().since_start());
                                          });
    }
    asio::awaitable<Result<CommandResult>> ask_for(Expectation& asker, std::string identity) {
        Command command;
        command.argv = reload;
        return reloads.ask(std::move(command), std::move(identity), asker);
    }
    void sleep(Duration duration) {
        bool over = false;
        loop.start<bool>(loop.clock().sleep_until(loop.clock().now() + duration),
                         [&](bool) { over = true; });
        loop.turn_until([&] { return over; });
    }

    Loop loop;
    FakeCommands commands;
    ReloadGathering reloads;
    std::vector<std::unique_ptr<Expectation>> members;
    std::vector<std::string> answers;
    std::vector<Duration> answered_at;
};

}  // namespace

TEST_CASE("twenty certificates of one nginx cause one reload, and all hear how it went") {
    Gathering nginx;
    nginx.commands.output = "reloaded\n";
    for (int i = 0; i < 20; ++i) nginx.joins();
    for (const auto& member : nginx.members) {
        CHECK(nginx.commands.ran.empty());
        nginx.asks(*member);
        nginx.loop.settle();
    }
    nginx.loop.finish();
    CHECK(nginx.commands.ran.size() == 1);
    CHECK(nginx.answers == std::vector<std::string>(20, "reloaded\n"));
    CHECK(nginx.loop.clock().since_start() == Duration(100));
}

TEST_CASE("a reload waits for those who may still ask, until they leave") {
    Gathering nginx;
    auto& first = nginx.joins();
    nginx.joins();
    nginx.asks(first);
    nginx.sleep(Duration(1'000));
    CHECK(nginx.commands.ran.empty());
    nginx.members.pop_back();
    nginx.loop.finish();
    CHECK(nginx.commands.ran.size() == 1);
    CHECK(nginx.answered_at == std::vector<Duration>{Duration(1'100)});
}

TEST_CASE("a reload waits two seconds after the latest request and no longer") {
    Gathering nginx;
    nginx.joins();
    auto& first = nginx.joins();
    auto& second = nginx.joins();
    nginx.asks(first);
    nginx.sleep(Duration(1'500));
    nginx.asks(second);
    nginx.loop.finish();
    CHECK(nginx.commands.ran.size() == 1);
    CHECK(nginx.answered_at == std::vector<Duration>(2, Duration(3'600)));
}

TEST_CASE("requests that come while the command runs form the next one") {
    Gathering nginx;
    nginx.commands.takes = Duration(5'000);
    nginx.asks(nginx.joins());
    nginx.sleep(Duration(1'000));
    auto& late = nginx.joins();
    auto& later = nginx.joins();
    nginx.asks(late);
    nginx.asks(later);
    nginx.loop.finish();
    CHECK(nginx.commands.ran.size() == 2);
    CHECK(nginx.answered_at ==
          std::vector<Duration>{Duration(5'000), Duration(10'000), Duration(10'000)});
}

TEST_CASE("another identity is another reload") {
    Gathering nginx;
    auto& one = nginx.joins();
    auto& two = nginx.joins();
    nginx.asks(one, "nginx at /a");
    nginx.asks(two, "nginx at /b");
    nginx.loop.finish();
    CHECK(nginx.commands.ran.size() == 2);
}

TEST_CASE("whoever asks twice is not counted twice") {
    Gathering nginx;
    auto& first = nginx.joins();
    auto& second = nginx.joins();
    nginx.asks(first);
    nginx.asks(first);
    nginx.sleep(Duration(500));
    CHECK(nginx.commands.ran.empty());
    nginx.asks(second);
    nginx.loop.finish();
    CHECK(nginx.commands.ran.size() == 1);
}

TEST_CASE("a reload that nobody waits for any more is not run, or killed") {
    Gathering nginx;
    nginx.commands.takes = Duration(60'000);
    auto& first = nginx.joins();
    asio::cancellation_signal stop;
    bool ended = false;
    const auto ask = [&] {
        asio::co_spawn(nginx.loop.executor(), nginx.ask_for(first, "nginx"),
                       asio::bind_cancellation_slot(
                           stop.slot(), [&](std::exception_ptr, Result<CommandResult> result) {
                               CHECK(result.has_error());
                               ended = true;
                           }));
    };
    SUBCASE("while it gathers") {
        nginx.joins();
        ask();
        nginx.sleep(Duration(1'000));
        stop.emit(asio::cancellation_type::terminal);
        nginx.loop.turn_until([&] { return ended; });
        nginx.loop.settle();
        CHECK(nginx.commands.ran.empty());
    }
    SUBCASE("while it runs") {
        ask();
        nginx.sleep(Duration(1'000));
        CHECK(nginx.commands.ran.size() == 1);
        stop.emit(asio::cancellation_type::terminal);
        nginx.loop.turn_until([&] { return ended; });
        nginx.loop.settle();
        CHECK(nginx.commands.cancelled == 1);
    }
    SUBCASE("unless others do") {
        ask();
        nginx.sleep(Duration(100));
        CHECK(nginx.commands.ran.size() == 1);
        nginx.asks(nginx.joins());
        stop.emit(asio::cancellation_type::terminal);
        nginx.loop.finish();
        CHECK(nginx.answers.size() == 1);
    }
}
