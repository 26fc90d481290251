#include "core/scheduler/shared_answers.hpp"

#include "tests/unit/scheduler_fakes.hpp"

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace certcast;

namespace {

constexpr Duration hour{3'600'000};

/// Attempts that ask for "login" and what each was told.
struct Sharing {
    using Asker = SharedAnswers::Asker;

    std::unique_ptr<Asker> of(const std::string& account) {
        return std::make_unique<Asker>(answers, account);
    }
    static std::string words(const Result<Secret>& found) {
        if (found.has_value()) return std::string(found->text());
        return found.error().code == ErrorCode::not_found ? "find it out" : "error";
    }
    std::string ask(Asker& asker, Duration patience = hour, const std::string& refused = {}) {
        return words(loop.run(asker.find("login", Secret(refused), patience)));
    }
    /// One that may have to wait.
    void starts(Asker& asker, Duration patience = hour) {
        loop.start<Result<Secret>>(asker.find("login", Secret(), patience),
                                   [this](Result<Secret> found) {
                                       told.push_back(words(found));
                                       told_at.push_back(loop.clock().since_start());
                                   });
        loop.settle();
    }

    Loop loop;
    SharedAnswers answers{loop.executor(), loop.clock()};
    std::vector<std::string> told;
    std::vector<Duration> told_at;
};

}  // namespace

TEST_CASE("what one has found out the others of its account are told, and nobody else") {
    Sharing run;
    const auto first = run.of("shop");
    CHECK(run.ask(*first) == "find it out");
    first->keep("login", Secret("token"), hour);
    CHECK(run.ask(*run.of("shop")) == "token");
    CHECK(run.ask(*first) == "token");
    CHECK(run.ask(*run.of("mail")) == "find it out");
    CHECK(Sharing::words(run.loop.run(first->find("right", Secret(), hour))) == "find it out");
}

TEST_CASE("who has no account shares nothing") {
    Sharing run;
    const auto first = run.of("");
    CHECK(run.ask(*first) == "error");
    first->keep("login", Secret("token"), hour);
    CHECK(run.ask(*run.of("")) == "error");
}

TEST_CASE("while one finds it out the others wait, and then know it") {
    Sharing run;
    const auto first = run.of("shop");
    const auto second = run.of("shop");
    const auto third = run.of("shop");
    CHECK(run.ask(*first) == "find it out");
    run.starts(*second);
    run.starts(*third);
    CHECK(run.told.empty());
    first->keep("login", Secret("token"), hour);
    run.loop.finish();
    CHECK(run.told == std::vector<std::string>{"token", "token"});
    CHECK(run.loop.clock().since_start() == Duration(0));
    run.loop.settle();
    CHECK_FALSE(run.loop.clock().turn());  // nothing sleeps any more
}

TEST_CASE("who ends without having found it out keeps nobody waiting") {
    Sharing run;
    auto first = run.of("shop");
    const auto second = run.of("shop");
    CHECK(run.ask(*first) == "find it out");
    run.starts(*second);
    SUBCASE("its stage has ended") {
        first->give_up();
    }
    SUBCASE("it is gone") {
        first.reset();
    }
    SUBCASE("it has nothing to give") {
        first->keep("login", Secret("token"), Duration(0));
    }
    run.loop.finish();
    CHECK(run.told == std::vector<std::string>{"find it out"});
    CHECK(run.loop.clock().since_start() == Duration(0));
    // The one that waited is waited for now.
    const auto third = run.of("shop");
    run.starts(*third);
    CHECK(run.told.size() == 1);
    second->keep("login", Secret("token"), hour);
    run.loop.finish();
    CHECK(run.told.back() == "token");
}

TEST_CASE("nobody waits longer than it is willing to, whatever the one says that finds it out") {
    Sharing run;
    const auto hangs = run.of("shop");
    const auto second = run.of("shop");
    const auto third = run.of("shop");
    CHECK(run.ask(*hangs, hour) == "find it out");
    run.starts(*second, Duration(2'000));
    run.starts(*third, Duration(3'000));
    run.loop.finish();
    CHECK(run.told == std::vector<std::string>{"find it out", "find it out"});
    CHECK(run.told_at == std::vector<Duration>{Duration(2'000), Duration(3'000)});
    // The first that has waited in vain is waited for from now on.
    const auto fourth = run.of("shop");
    run.starts(*fourth);
    hangs->give_up();
    third->give_up();
    run.loop.settle();
    CHECK(run.told.size() == 2);
    second->keep("login", Secret("token"), hour);
    run.loop.finish();
    CHECK(run.told.back() == "token");
    CHECK(run.loop.clock().since_start() == Duration(3'000));
}

TEST_CASE("whoever is the first to know it tells all that wait") {
    Sharing run;
    const auto hangs = run.of("shop");
    const auto impatient = run.of("shop");
    const auto patient = run.of("shop");
    CHECK(run.ask(*hangs) == "find it out");
    run.starts(*patient);
    run.starts(*impatient, Duration(1'000));
    run.loop.turn_until([&] { return run.told.size() == 1; });
    impatient->keep("login", Secret("token"), hour);
    run.loop.finish();
    CHECK(run.told == std::vector<std::string>{"find it out", "token"});
    CHECK(run.loop.clock().since_start() == Duration(1'000));
}

TEST_CASE("an answer that was refused is found out again, by one") {
    Sharing run;
    const auto first = run.of("shop");
    const auto second = run.of("shop");
    CHECK(run.ask(*first) == "find it out");
    first->keep("login", Secret("old"), hour);
    CHECK(run.ask(*second, hour, "old") == "find it out");
    run.starts(*first);
    CHECK(run.told.empty());
    second->keep("login", Secret("new"), hour);
    run.loop.finish();
    CHECK(run.told == std::vector<std::string>{"new"});
    CHECK(run.ask(*run.of("shop"), hour, "old") == "new");
}

TEST_CASE("an answer is good for as long as was said") {
    Sharing run;
    const auto first = run.of("shop");
    CHECK(run.ask(*first) == "find it out");
    first->keep("login", Secret("token"), Duration(1'000));
    const auto sleep = [&](Duration time) {
        run.loop.run(run.loop.clock().sleep_until(run.loop.clock().now() + time));
    };
    sleep(Duration(999));
    CHECK(run.ask(*first) == "token");
    sleep(Duration(1));
    CHECK(run.ask(*first) == "find it out");
}

TEST_CASE("who is stopped no longer waits") {
    Sharing run;
    const auto first = run.of("shop");
    const auto second = run.of("shop");
    CHECK(run.ask(*first) == "find it out");
    asio::cancellation_signal stop;
    std::string told;
    asio::co_spawn(
        run.loop.executor(), second->find("login", Secret(), hour),
        asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr, Result<Secret> found) {
            REQUIRE(found.has_error());
            told = found.error().code == ErrorCode::cancelled ? "cancelled" : "else";
        }));
    run.loop.settle();
    stop.emit(asio::cancellation_type::terminal);
    run.loop.settle();
    CHECK(told == "cancelled");
    first->keep("login", Secret("token"), hour);
    CHECK(run.ask(*run.of("shop")) == "token");
}

TEST_CASE("what an account can pile up is bounded") {
    Sharing run;
    const auto asker = run.of("shop");
    const auto keeps = [&](const std::string& name, std::size_t size) {
        run.loop.run(asker->find(name, Secret(), hour));
        asker->keep(name, Secret(std::string(size, 'x')), hour);
        return run.loop.run(run.of("shop")->find(name, Secret(), Duration(0))).has_value();
    };
    CHECK(keeps("large", 64 * 1024));
    CHECK_FALSE(keeps("too large", 64 * 1024 + 1));
    for (int i = 0; i < 15; ++i) CHECK(keeps("more " + std::to_string(i), 64 * 1024));
    CHECK_FALSE(keeps("one byte more", 1));
    asker->keep("large", Secret("small"), hour);
    CHECK(keeps("one byte more", 1));
    CHECK(keeps(std::string(256, 'n'), 1));
    CHECK_FALSE(keeps(std::string(257, 'n'), 1));
    CHECK_FALSE(keeps("", 1));
    for (int i = 0; i < 1'000; ++i) keeps("name " + std::to_string(i), 0);
    CHECK_FALSE(keeps("another name", 0));
    CHECK(keeps("name 0", 0));
    asker->keep("never asked for", Secret("x"), hour);
    CHECK(Sharing::words(run.loop.run(asker->find("never asked for", Secret(), hour))) ==
          "find it out");
}
