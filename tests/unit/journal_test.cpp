#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/journal/journal.hpp"
#include "core/journal/history.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <certcast/plugin.h>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

using namespace certcast;
using certcast::testing::TemporaryFolder;

namespace asio = boost::asio;

namespace {

/// A journal and the loop of a host that uses it.
class Host {
public:
    explicit Host(const std::filesystem::path& folder)
        : journal_(Journal::open(folder, Duration(50)).value()) {}

    Journal& journal() { return *journal_; }

    template <typename T>
    T wait_for(asio::awaitable<T> work) {
        io_.restart();
        auto future = asio::co_spawn(io_, std::move(work), asio::use_future);
        io_.run();
        return future.get();
    }

    Result<void> step(const std::string& key, std::size_t number, std::string_view undo) {
        const Step step{.label = "replace", .undo = Secret(undo)};
        return wait_for(journal_->add_step(key, number, step));
    }
    Result<Unsettled> unsettled(const std::string& key) {
        auto found = wait_for(journal_->recall(key, {}));
        if (!found) return found.error();
        return std::move(found->unsettled);
    }
    std::optional<PluginState> state(const std::string& key) {
        return std::move(wait_for(journal_->recall(key, {}))->state);
    }

private:
    asio::io_context io_;
    std::unique_ptr<Journal> journal_;
};

std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string message_of(const std::filesystem::path& folder) {
    const auto opened = Journal::open(folder, Duration(50));
    return opened ? "" : opened.error().text();
}

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

HalfWay half_way(const std::string& key, const std::string& deployment,
                 std::vector<std::string> places = {}) {
    return {key, deployment, "/p.toml", 1'000, std::move(places)};
}

std::vector<Live> one_live() {
    std::vector<Live> lives(1);
    lives[0].presence = CERTCAST_PRESENT;
    lives[0].evidence = {std::byte{1}, std::byte{2}};
    lives[0].not_after = 77;
    lives[0].as_wanted = true;
    return lives;
}

RunStarted run_of(const std::string& name, std::int64_t at) {
    return {.run = name,
            .pipeline = "p",
            .pipeline_file = "/p.toml",
            .at = at,
            .deployments = {{"web", "nginx", "", "d", {{"shop", "aa", 100}}},
                            {"mail", "file", "", "d", {{"shop", "aa", 100}}}}};
}

DeploymentFinished end_of(const std::string& run, const std::string& deployment,
                          const std::string& status, const std::string& observed = {}) {
    DeploymentFinished finished{.run = run, .pipeline_file = "/p.toml", .deployment = deployment};
    finished.at = 5'000;
    finished.status = status;
    finished.rollback = finished.proof = "none";
    finished.attempts = 1;
    finished.outputs = {{"id", "7"}};
    if (!observed.empty()) finished.certificates = {{"shop", observed, 90, "probe"}};
    return finished;
}

}  // namespace

TEST_CASE("what one host has begun the next one knows, until it is settled") {
    const TemporaryFolder folder;
    {
        Host host(folder.path());
        CHECK_FALSE(host.unsettled("web")->begun);
        REQUIRE(
            host.wait_for(host.journal().begin(half_way("web", "edge"), one_live())).has_value());
        REQUIRE(host.step("web", 0, "the former key").has_value());
        REQUIRE(host.step("web", 1, std::string(3'000'000, 'x')).has_value());
        REQUIRE(host.wait_for(host.journal().mark_undone("web", 1)).has_value());
        const PluginState state{Secret("id 7"), "1.2"};
        REQUIRE(host.wait_for(host.journal().set_state("web", state)).has_value());
    }
    Host next(folder.path());
    const Result<Unsettled> found = next.unsettled("web");
    REQUIRE(found.has_value());
    CHECK(found->begun);
    REQUIRE(found->steps.size() == 2);
    CHECK(found->steps[0].label == "replace");
    CHECK(found->steps[0].undo.text() == "the former key");
    CHECK_FALSE(found->steps[0].undone);
    CHECK(found->steps[1].undo.size() == 3'000'000);
    CHECK(found->steps[1].undone);
    REQUIRE(found->former.size() == 1);
    CHECK(found->former[0].evidence == one_live()[0].evidence);
    CHECK(found->former[0].not_after == 77);
    CHECK(found->former[0].as_wanted);
    const auto state = next.state("web");
    REQUIRE(state);
    CHECK(state->bytes.text() == "id 7");
    CHECK(state->version == "1.2");
    CHECK_FALSE(next.state("mail"));

    CHECK_FALSE(found->proven);
    REQUIRE(next.wait_for(next.journal().prove("web")).has_value());
    CHECK(next.unsettled("web")->proven);
    // Of what was begun at another time nothing is settled.
    REQUIRE(next.wait_for(next.journal().settle("web", 1'001)).has_value());
    CHECK(next.unsettled("web")->begun);
    REQUIRE(next.wait_for(next.journal().settle("web", 1'000)).has_value());
    CHECK_FALSE(next.unsettled("web")->begun);
    CHECK(next.unsettled("web")->steps.empty());
    CHECK(next.state("web"));
}

TEST_CASE("what is half-way is known by each place that it is at, and can be forgotten") {
    const TemporaryFolder folder;
    Host host(folder.path());
    Journal& journal = host.journal();
    REQUIRE(host.wait_for(journal.begin(half_way("ab", "edge", {"/a", "/b"}), {})).has_value());
    REQUIRE(host.step("ab", 0, "x").has_value());
    const auto in_the_way = [&](const std::string& key, const std::vector<std::string>& places) {
        return host.wait_for(journal.recall(key, places))->in_the_way;
    };
    const auto other = in_the_way("bc", {"/c", "/b"});
    REQUIRE(other);
    CHECK(other->deployment == "edge");
    CHECK(other->pipeline_file == "/p.toml");
    CHECK(other->places == std::vector<std::string>{"/b"});
    CHECK_FALSE(in_the_way("ab", {"/a", "/b"}));
    CHECK_FALSE(in_the_way("cd", {"/c", "/d"}));

    const auto known = History::open(folder.path())->half_way();
    REQUIRE(known->size() == 1);
    const HalfWay one = known->begin()->second;
    CHECK(one.key == "ab");
    CHECK(one.since == 1'000);
    CHECK(one.places == std::vector<std::string>{"/a", "/b"});
    REQUIRE(forget_half_way(folder.path(), one).has_value());
    CHECK_FALSE(host.unsettled("ab")->begun);
    CHECK(host.unsettled("ab")->steps.empty());
    CHECK_FALSE(in_the_way("bc", {"/c", "/b"}));
}

TEST_CASE("a journal of an older certcast is brought up to date with all that is in it") {
    const TemporaryFolder folder;
    {
        Host host(folder.path());
        const std::string key = "file\nfile|file=/a\nfile|file=/b";
        REQUIRE(host.wait_for(host.journal().begin(half_way(key, "edge"), one_live())).has_value());
        REQUIRE(host.step(key, 0, "the former key").has_value());
        host.journal().record(run_of("r1", 1'000));
        REQUIRE(host.wait_for(host.journal().flush()).has_value());
    }
    {
        SQLite::Database older((folder / "journal.db").string(), SQLite::OPEN_READWRITE);
        older.exec(
            "DROP TABLE place; DROP TABLE queued;"
            "ALTER TABLE unsettled DROP COLUMN proven;"
            "ALTER TABLE unsettled DROP COLUMN pipeline_file;"
            "PRAGMA user_version = 1");
    }
    const auto reading = History::open(folder.path());
    REQUIRE(reading.has_error());
    CHECK(says(reading.error().text(), "the next run brings it up to date"));
    {
        Host host(folder.path());
        const auto recalled = host.wait_for(host.journal().recall("other", {"file|file=/b"}));
        REQUIRE(recalled->in_the_way);
        const Result<Unsettled> found = host.unsettled(recalled->in_the_way->key);
        REQUIRE(found.has_value());
        CHECK(found->begun);
        CHECK_FALSE(found->proven);
        REQUIRE(found->steps.size() == 1);
        CHECK(found->steps[0].undo.text() == "the former key");
        CHECK(found->former[0].not_after == 77);
        CHECK(host.wait_for(host.journal().begin(half_way("a", "a", {"/a"}), {})).has_value());
    }
    CHECK(History::open(folder.path())->runs("/p.toml", 9)->size() == 1);
    CHECK(History::open(folder.path())->half_way()->at("a").pipeline_file == "/p.toml");
}

TEST_CASE("a journal that was copied in part is read once a run has made it whole") {
    const TemporaryFolder folder;
    const TemporaryFolder copy;
    {
        Host host(folder.path());
        host.journal().record(run_of("r1", now_in_ms()));
        REQUIRE(host.wait_for(host.journal().flush()).has_value());
        for (const char* name : {"journal.db", "journal.db-wal", "journal.key"}) {
            std::filesystem::copy(folder / name, copy / name);
        }
    }
    const auto refused = History::open(copy.path());
    REQUIRE(refused.has_error());
    CHECK(says(refused.error().text(), "without the index of its log"));
    Host(copy.path());
    CHECK(History::open(copy.path())->run("r1").has_value());
}

TEST_CASE("steps and state can be read neither in the file nor in another place of it") {
    const TemporaryFolder folder;
    {
        Host host(folder.path());
        for (const char* key : {"web", "mail"}) {
            REQUIRE(host.wait_for(host.journal().begin(half_way(key, key), {})).has_value());
            REQUIRE(host.step(key, 0, "the former key of " + std::string(key)).has_value());
        }
    }
    const std::string bytes =
        content_of(folder / "journal.db") + content_of(folder / "journal.db-wal");
    CHECK_FALSE(says(bytes, "the former key"));
    {
        SQLite::Database database((folder / "journal.db").string(), SQLite::OPEN_READWRITE);
        database.exec(
            "UPDATE step SET sealed = (SELECT sealed FROM step WHERE key = 'mail') "
            "WHERE key = 'web'");
    }
    Host host(folder.path());
    CHECK(says(host.unsettled("web").error().text(), "journal.key"));
    CHECK(host.unsettled("mail").has_value());
}

TEST_CASE("a journal and its key are their owner's alone") {
    const TemporaryFolder folder;
    const auto state = folder / "state/certcast";
    Host host(state);
    for (const char* name : {"journal.db", "journal.key", "journal.db-wal"}) {
        CAPTURE(name);
        struct stat status {};
        REQUIRE(::stat((state / name).c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0600);
    }
    ::chmod((state / "journal.key").c_str(), 0640);
    CHECK(says(message_of(state), "chmod 600"));
}

TEST_CASE("a key that is not the journal's is told as that") {
    const TemporaryFolder folder;
    {
        Host host(folder.path());
        REQUIRE(host.wait_for(host.journal().begin(half_way("web", "edge"), {})).has_value());
        REQUIRE(host.step("web", 0, "x").has_value());
    }
    SUBCASE("exchanged") {
        folder.write("journal.key", std::string(32, 'k'));
        Host host(folder.path());
        CHECK(says(host.unsettled("web").error().text(), "restore journal.key"));
    }
    SUBCASE("cut off") {
        folder.write("journal.key", "short");
        CHECK(says(message_of(folder.path()), "expected 32 bytes"));
    }
}

TEST_CASE("what is no journal of this version is an error, and stays as it is") {
    const TemporaryFolder folder;
    const auto file = folder / "journal.db";
    std::string expected;
    SUBCASE("a text") {
        folder.write("journal.db", std::string(5'000, 'x'));
        expected = "damaged, or no journal";
    }
    SUBCASE("another program's database") {
        SQLite::Database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
            .exec("CREATE TABLE mine (x)");
        expected = "another program";
    }
    SUBCASE("of a newer certcast") {
        Host(folder.path());
        SQLite::Database(file.string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
        expected = "newer certcast (schema 99";
    }
    SUBCASE("with a page of steps overwritten") {
        {
            Host host(folder.path());
            REQUIRE(host.wait_for(host.journal().begin(half_way("web", "edge"), {})).has_value());
            REQUIRE(host.step("web", 0, std::string(200'000, 'x')).has_value());
        }
        std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
        for (int page = 4; page < 40; ++page) {
            bytes.seekp(page * 4096);
            bytes << std::string(64, '\xff');
        }
        expected = "damaged";
    }
    SUBCASE("a folder") {
        std::filesystem::create_directory(file);
        expected = "cannot open the journal";
    }
    const std::string before =
        std::filesystem::is_directory(file) ? std::string() : content_of(file);
    CAPTURE(message_of(folder.path()));
    CHECK(says(message_of(folder.path()), expected));
    CHECK(says(message_of(folder.path()), file.string()));
    if (!before.empty()) CHECK(content_of(file) == before);
}

TEST_CASE("a journal that another program has locked is an error after a while") {
    const TemporaryFolder folder;
    Host host(folder.path());
    SQLite::Database other((folder / "journal.db").string(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    CHECK(says(message_of(folder.path()), "locked by another program"));
    const Result<void> begun = host.wait_for(host.journal().begin(half_way("web", "edge"), {}));
    REQUIRE(begun.has_error());
    CHECK(says(begun.error().text(), "locked by another program"));
    other.exec("COMMIT");
    CHECK(host.wait_for(host.journal().begin(half_way("web", "edge"), {})).has_value());
}

TEST_CASE("a change that is waited for is made though the wait is cancelled") {
    const TemporaryFolder folder;
    auto journal = Journal::open(folder.path(), Duration(10'000)).value();
    SQLite::Database other((folder / "journal.db").string(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    asio::io_context io;
    asio::cancellation_signal cancel;
    bool was_made = false;
    // What the change refers to is gone as soon as this ends.
    auto plugin_call = [&]() -> asio::awaitable<void> {
        const std::vector<Live> former = one_live();
        const Step step{.label = "replace", .undo = Secret(std::string(100'000, 'x'))};
        const auto begun = co_await journal->begin_with_step(half_way("web", "edge"), former, step);
        was_made = begun.has_value();
    };
    asio::co_spawn(io, plugin_call(),
                   asio::bind_cancellation_slot(cancel.slot(), [](const std::exception_ptr&) {}));
    io.poll();
    cancel.emit(asio::cancellation_type::terminal);
    io.poll();
    CHECK_FALSE(was_made);
    other.exec("COMMIT");
    io.run();
    CHECK(was_made);
    journal.reset();
    CHECK(Host(folder.path()).unsettled("web")->steps.size() == 1);
}

TEST_CASE("two hosts use one journal side by side") {
    const TemporaryFolder folder;
    Host one(folder.path());
    Host two(folder.path());
    REQUIRE(one.wait_for(one.journal().begin(half_way("web", "edge"), {})).has_value());
    REQUIRE(two.wait_for(two.journal().begin(half_way("mail", "mail"), {})).has_value());
    REQUIRE(one.step("web", 0, "x").has_value());
    CHECK(two.unsettled("web")->steps.size() == 1);
    CHECK(one.unsettled("mail")->begun);
}

TEST_CASE("of what is committed together, what cannot be is told alone") {
    const TemporaryFolder folder;
    Host host(folder.path());
    REQUIRE(host.wait_for(host.journal().begin(half_way("web", "edge"), {})).has_value());
    REQUIRE(host.step("web", 0, "x").has_value());
    const Step step{.label = "again", .undo = Secret("y")};
    asio::io_context io;
    auto lost = asio::co_spawn(io, host.journal().add_step("web", 0, step), asio::use_future);
    auto kept = asio::co_spawn(io, host.journal().add_step("web", 1, step), asio::use_future);
    io.run();
    CHECK(lost.get().has_error());
    CHECK(kept.get().has_value());
    CHECK(host.unsettled("web")->steps.size() == 2);
}

TEST_CASE("a record that cannot be written is told at the end") {
    const TemporaryFolder folder;
    Host host(folder.path());
    CHECK(host.wait_for(host.journal().flush()).has_value());
    host.journal().record(run_of("r1", 1'000));
    host.journal().record(run_of("r1", 1'000));  // of a name that is taken
    host.journal().record(end_of("r1", "web", "changed"));
    const Result<void> written = host.wait_for(host.journal().flush());
    REQUIRE(written.has_error());
    CHECK(says(written.error().text(), "journal.db"));
    CHECK(History::open(folder.path())->deployments("r1")->front().status == "changed");
}

TEST_CASE("records for which nobody waits are gathered, until one comes for which somebody does") {
    const TemporaryFolder folder;
    Host host(folder.path());
    host.journal().record(run_of("r1", 1'000));
    REQUIRE(host.wait_for(host.journal().flush()).has_value());
    const auto lines = [history = History::open(folder.path()).value()] {
        return history.log("r1", "web")->size();
    };
    const LoggedLine line{"r1", "web", 1'600, "info", "hello"};
    const auto begun = std::chrono::steady_clock::now();
    host.journal().record(line);
    while (lines() == 0) std::this_thread::yield();
    CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::milliseconds(50));

    // Each of them would take as long, else.
    constexpr int many = 100;
    const auto begun_again = std::chrono::steady_clock::now();
    for (int i = 0; i < many; ++i) {
        host.journal().record(line);
        REQUIRE(host.wait_for(host.journal().flush()).has_value());
    }
    CHECK(std::chrono::steady_clock::now() - begun_again < many * std::chrono::milliseconds(50));
    CHECK(lines() == 1 + many);
}

TEST_CASE("much of what nobody waits for is written at once") {
    const TemporaryFolder folder;
    Host host(folder.path());
    const History history = History::open(folder.path()).value();
    constexpr int many = 60;
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < many; ++i) {
        const std::string name = "r" + std::to_string(i);
        host.journal().record(run_of(name, 1'000));
        host.journal().record(LoggedLine{name, "web", 1'600, "info", std::string(1'100'000, 'x')});
        while (!history.run(name)) std::this_thread::yield();
    }
    CHECK(std::chrono::steady_clock::now() - begun < many * std::chrono::milliseconds(50));
}

TEST_CASE("a run is remembered with all that it said, and one that was killed with what is known") {
    const TemporaryFolder folder;
    Host host(folder.path());
    Journal& journal = host.journal();
    journal.record(run_of("r1", 1'000));
    journal.record(AttemptStarted{"r1", "web", 1, 1'500});
    journal.record(LoggedLine{"r1", "web", 1'600, "info", "hello"});
    journal.record(AttemptFinished{"r1", "web", 1, 1'700, "succeeded", ""});
    journal.record(end_of("r1", "web", "changed", "aa"));
    journal.record(end_of("r1", "mail", "failed"));
    journal.record(RunFinished{"r1", 6'000, "failed"});
    journal.record(run_of("r2", 9'000));
    journal.record(AttemptStarted{"r2", "web", 1, 9'500});
    REQUIRE(host.wait_for(journal.flush()).has_value());

    const History history = History::open(folder.path()).value();
    const auto runs = history.runs("", 10).value();
    REQUIRE(runs.size() == 2);
    CHECK(runs[0].name == "r2");
    CHECK(runs[0].status.empty());
    CHECK(runs[1].status == "failed");
    CHECK(runs[1].finished == 6'000);
    CHECK(runs[1].succeeded == 1);
    CHECK(runs[1].deployments == 2);
    CHECK(history.runs("/other.toml", 10)->empty());
    CHECK(history.runs("/p.toml", 1)->size() == 1);
    CHECK(history.run("last")->name == "r2");
    CHECK(history.run("r1")->name == "r1");
    CHECK(says(history.run("r").error().text(), "r1, r2"));
    CHECK(says(history.run("x").error().text(), "no run is called"));

    const auto web = history.deployments("r1")->at(0);
    CHECK(web.status == "changed");
    CHECK(web.outputs == std::vector<std::pair<std::string, std::string>>{{"id", "7"}});
    CHECK(history.log("r1", "web")->at(0).message == "hello");
    CHECK(history.log("r1", "mail")->empty());
    const auto killed = history.deployments("r2").value();
    CHECK(killed[0].began == 9'500);
    CHECK(killed[0].status.empty());
    CHECK(killed[1].began == 0);
}

TEST_CASE("wanted and observed are known with the time since when") {
    const TemporaryFolder folder;
    Host host(folder.path());
    Journal& journal = host.journal();
    journal.record(run_of("r1", 1'000));
    journal.record(end_of("r1", "web", "changed", "aa"));
    journal.record(run_of("r2", 8'000));
    DeploymentFinished later = end_of("r2", "web", "unchanged", "aa");
    later.at = 9'000;
    journal.record(std::move(later));
    RunStarted renewed = run_of("r3", 10'000);
    renewed.deployments[0].certificates[0].sha256 = "bb";
    journal.record(std::move(renewed));
    REQUIRE(host.wait_for(journal.flush()).has_value());
    const auto known = History::open(folder.path())->certificates("/p.toml").value();
    REQUIRE(known.size() == 2);
    const KnownCertificate& web = known[1];
    CHECK(web.deployment == "web");
    CHECK(web.wanted.sha256 == "bb");
    CHECK(web.wanted_since == 10'000);
    CHECK(web.observed.sha256 == "aa");
    CHECK(web.observed.seen_by == "probe");
    CHECK(web.observed_since == 5'000);
    CHECK(web.observed_at == 9'000);
    CHECK(known[0].observed.seen_by.empty());
}

TEST_CASE("old runs and too many of them are forgotten, and nothing of theirs is left") {
    const TemporaryFolder folder;
    Host host(folder.path());
    for (int i = 1; i <= 5; ++i) {
        const std::string name = "r" + std::to_string(i);
        host.journal().record(run_of(name, i * 1'000));
        host.journal().record(LoggedLine{name, "web", 1, "info", "x"});
        host.journal().record(RunFinished{name, i * 1'000 + 1, "ok"});
    }
    host.journal().record(run_of("going on", 9'000));
    REQUIRE(host.wait_for(host.journal().flush()).has_value());
    CHECK(prune_history(folder.path(), 2'000, 100).value() == 1);
    CHECK(prune_history(folder.path(), 0, 3).value() == 2);
    const History history = History::open(folder.path()).value();
    CHECK(history.runs("", 10)->size() == 3);
    CHECK(history.runs("", 10)->back().name == "r4");
    CHECK(prune_history(folder.path(), 0, 0).value() == 2);
    CHECK(History::open(folder.path())->run("last")->name == "going on");
    SQLite::Database database((folder / "journal.db").string());
    CHECK(database.execAndGet("SELECT count(*) FROM log").getInt() == 0);
    CHECK(database.execAndGet("SELECT count(*) FROM deployment").getInt() == 2);
}

TEST_CASE("a journal without a folder is nowhere, rather than in the folder of the day") {
    CHECK(says(Journal::open({}).error().text(), "set XDG_STATE_HOME"));
    CHECK(says(History::open({}).error().text(), "set XDG_STATE_HOME"));
    CHECK_FALSE(std::filesystem::exists("journal.db"));
}

TEST_CASE("where there is no journal yet there is no history") {
    const TemporaryFolder folder;
    CHECK(History::open(folder.path()).error().code == ErrorCode::not_found);
    CHECK_FALSE(std::filesystem::exists(folder / "journal.db"));
}
