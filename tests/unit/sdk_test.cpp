#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/unit/fake_host.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <pthread.h>
#include <certcast/deployer.hpp>

#include <filesystem>
#include <future>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

using namespace certcast::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// Does whatever a test wants it to, with one parameter of every type.
struct Probing {
    static constexpr certcast::About about{.id = "org.example.probing",
                                           .version = "2.1.0",
                                           .name = "Of the tests",
                                           .vendor = "Example",
                                           .url = "https://example.org",
                                           .needs = certcast::NETWORK | certcast::DRY_RUN,
                                           .timeouts = {.deploy = 30s, .rollback = 1min},
                                           .grace = 2s,
                                           .longest_protect = 5s,
                                           .max_certificates = 3,
                                           .max_parallel = 7};
    static constexpr auto file = certcast::path("file").required().writes().identity();
    static constexpr auto count =
        certcast::integer("count").default_to("443").between(1, 65535).alias("port");
    static constexpr auto maybe = certcast::integer("maybe");
    static constexpr auto fast = certcast::boolean("fast").default_to("false");
    static constexpr auto pause = certcast::duration("pause").default_to("1500ms");
    static constexpr auto kind =
        certcast::choice("kind", "red", "green").default_to("red").doc("A colour");
    static constexpr auto where = certcast::endpoint("where");
    static constexpr auto words = certcast::texts("words");
    static constexpr auto password = certcast::secret("password");
    static constexpr auto run = certcast::command("run");
    static constexpr auto name = certcast::text("name").required().matching("[a-z]+");
    static constexpr auto pairs = certcast::objects("pairs", name, kind, maybe);
    static constexpr auto parameters = certcast::parameters(
        file, count, maybe, fast, pause, kind, where, words, password, run, name, pairs);
    static constexpr auto unlisted = certcast::text("unlisted").required();
    static constexpr auto other_files =
        certcast::other_files(certcast::reads("/etc/ssl/openssl.cnf"));

    std::function<void(certcast::Job&)>& act() {
        static std::function<void(certcast::Job&)> function;
        return function;
    }
    void deploy(certcast::Job& job) { act()(job); }
    void settle(certcast::Job&) const {}
};

struct Second {
    static constexpr certcast::About about{.id = "org.example.second", .version = "1", .name = "2"};
    void deploy(certcast::Job&) {}
};

/// Sets what deploy does and runs it.
FakeOutcome deploy(FakeHost& host, std::function<void(certcast::Job&)> act) {
    Probing().act() = std::move(act);
    return host.run(CERTCAST_STAGE_DEPLOY);
}

const certcast_deployer& probing() {
    return certcast::plugin_of<Probing>().deployers[0];
}

}  // namespace

static_assert(std::is_same_v<decltype(std::declval<certcast::Job>()[Probing::file]), fs::path>);
static_assert(
    std::is_same_v<decltype(std::declval<certcast::Job>()[Probing::count]), std::int64_t>);
static_assert(std::is_same_v<decltype(std::declval<certcast::Job>()[Probing::maybe]),
                             std::optional<std::int64_t>>);
static_assert(
    std::is_same_v<decltype(std::declval<certcast::Job>()[Probing::kind]), std::string_view>);

TEST_CASE("the table says what the class says of itself") {
    const certcast_plugin& plugin = certcast::plugin_of<Probing, Second>();
    CHECK(plugin.abi_major == CERTCAST_ABI_MAJOR);
    REQUIRE(plugin.deployer_count == 2);
    CHECK(view(plugin.deployers[1].descriptor->id) == "org.example.second");
    CHECK(plugin.deployers[1].descriptor->param_count == 0);
    CHECK((plugin.deployers[1].settle == nullptr));

    const certcast_descriptor& about = *plugin.deployers[0].descriptor;
    CHECK(view(about.version) == "2.1.0");
    CHECK(about.needs == (CERTCAST_NEEDS_NETWORK | CERTCAST_NEEDS_DRY_RUN));
    REQUIRE(about.stage_timeout_count > CERTCAST_STAGE_ROLLBACK);
    CHECK(about.stage_timeouts_ms[CERTCAST_STAGE_DEPLOY] == 30'000);
    CHECK(about.stage_timeouts_ms[CERTCAST_STAGE_ROLLBACK] == 60'000);
    CHECK(about.stage_timeouts_ms[CERTCAST_STAGE_VERIFY] == 0);
    CHECK(about.grace_ms == 2'000);
    CHECK(about.longest_protect_ms == 5'000);
    CHECK(about.max_certificates == 3);
    CHECK(about.max_parallel == 7);
    REQUIRE(about.file_count == 1);
    CHECK(view(about.files[0].path) == "/etc/ssl/openssl.cnf");
    CHECK((plugin.deployers[0].deploy != nullptr));
    CHECK((plugin.deployers[0].settle != nullptr));
    CHECK((plugin.deployers[0].inspect == nullptr));

    REQUIRE(about.param_count == 12);
    CHECK(about.params[0].flags == (CERTCAST_REQUIRED | CERTCAST_WRITES | CERTCAST_IDENTITY));
    CHECK(view(about.params[1].default_value) == "443");
    REQUIRE(about.params[1].alias_count == 1);
    CHECK(view(about.params[1].aliases[0]) == "port");
    CHECK(about.params[1].max == 65535);
    CHECK(about.params[2].default_value.data == nullptr);
    REQUIRE(about.params[5].choice_count == 2);
    CHECK(view(about.params[5].choices[1]) == "green");
    CHECK(about.params[7].element_type == CERTCAST_TEXT);
    CHECK(view(about.params[10].pattern) == "[a-z]+");
    REQUIRE(about.params[11].field_count == 3);
    CHECK(about.params[11].element_type == CERTCAST_OBJECT);
    CHECK(view(about.params[11].fields[1].choices[0]) == "red");
}

TEST_CASE("values have the types of their parameters") {
    FakeHost host(probing());
    host.config = {{"file", "/tmp/x"},
                   {"pause", "2m"},
                   {"where", "[::1]:8443"},
                   {"words", std::vector<std::string>{"a", "b"}},
                   {"run", std::vector<std::string>{"nginx", "-t"}},
                   {"pairs", std::vector<Table>{{{"name", "one"}, {"kind", "green"}},
                                                {{"name", "two"}, {"maybe", "7"}}}}};
    const FakeOutcome outcome = deploy(host, [](certcast::Job& job) {
        CHECK(job[Probing::file] == "/tmp/x");
        CHECK(job[Probing::count] == 443);
        CHECK_FALSE(job[Probing::maybe]);
        CHECK_FALSE(job[Probing::fast]);
        CHECK(job[Probing::pause] == 2min);
        CHECK(job[Probing::kind] == "red");
        REQUIRE(job[Probing::where]);
        CHECK(job[Probing::where]->host == "::1");
        CHECK(job[Probing::where]->port == "8443");
        CHECK(job[Probing::where]->text() == "[::1]:8443");
        CHECK(*job[Probing::words] == std::vector<std::string_view>{"a", "b"});
        CHECK(job[Probing::run]->at(1) == "-t");
        CHECK_FALSE(job.has(Probing::password));
        CHECK_FALSE(job.secret(Probing::password));
        const auto pairs = job[Probing::pairs];
        REQUIRE(pairs);
        REQUIRE(pairs->size() == 2);
        CHECK((*pairs)[0][Probing::kind] == "green");
        CHECK((*pairs)[1][Probing::kind] == "red");
        CHECK((*pairs)[1][Probing::maybe] == 7);
    });
    CHECK(outcome.ok);
    CHECK(outcome.message == "");
}

TEST_CASE("a parameter that is not listed is a mistake of the deployer's") {
    FakeHost host(probing());
    const FakeOutcome outcome =
        deploy(host, [](certcast::Job& job) { static_cast<void>(job[Probing::unlisted]); });
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == CERTCAST_INTERNAL_ERROR);
    CHECK(outcome.message.find("'unlisted'") != std::string::npos);
}

TEST_CASE("whatever is thrown ends at the edge with its category") {
    struct Case {
        const char* name;
        std::function<void()> thrower;
        std::uint32_t category;
        std::uint32_t retry;
    };
    const auto system = [](int error) {
        return [error] { throw std::system_error(error, std::generic_category(), "what"); };
    };
    const std::vector<Case> cases{
        {"what", [] { throw certcast::config_error("what"); }, CERTCAST_CONFIG_ERROR,
         CERTCAST_RETRY_DEFAULT},
        {"what", [] { throw certcast::auth_error("what").permanent(); }, CERTCAST_AUTH_ERROR,
         CERTCAST_RETRY_NEVER},
        {"what", [] { throw certcast::conflict_error("what"); }, CERTCAST_CONFLICT_ERROR,
         CERTCAST_RETRY_DEFAULT},
        {"what", system(ECONNREFUSED), CERTCAST_NETWORK_ERROR, CERTCAST_RETRY_DEFAULT},
        {"what", system(EHOSTUNREACH), CERTCAST_NETWORK_ERROR, CERTCAST_RETRY_DEFAULT},
        {"what", system(EPIPE), CERTCAST_NETWORK_ERROR, CERTCAST_RETRY_DEFAULT},
        {"what", system(ETIMEDOUT), CERTCAST_TIMEOUT_ERROR, CERTCAST_RETRY_DEFAULT},
        {"what", system(ENOENT), CERTCAST_CONFIG_ERROR, CERTCAST_RETRY_DEFAULT},
        {"what", system(EACCES), CERTCAST_CONFIG_ERROR, CERTCAST_RETRY_DEFAULT},
        {"what", system(ENOSPC), CERTCAST_CONFIG_ERROR, CERTCAST_RETRY_LATER},
        {"what", system(ENOMEM), CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_LATER},
        {"what", system(EDOM), CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_NEVER},
        {"memory", [] { throw std::bad_alloc(); }, CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_LATER},
        {"what", [] { throw std::logic_error("what"); }, CERTCAST_INTERNAL_ERROR,
         CERTCAST_RETRY_NEVER},
        {"no std::exception", [] { throw 7; }, CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_NEVER},
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        CAPTURE(i);
        FakeHost host(probing());
        const FakeOutcome outcome = deploy(host, [&](certcast::Job&) { cases[i].thrower(); });
        CHECK_FALSE(outcome.ok);
        CHECK(outcome.category == cases[i].category);
        CHECK(outcome.retry == cases[i].retry);
        CHECK(outcome.message.find(cases[i].name) != std::string::npos);
    }
}

TEST_CASE("an error carries the remote word and when to try again") {
    FakeHost host(probing());
    const FakeOutcome outcome = deploy(host, [](certcast::Job&) {
        throw certcast::remote_error("full").code("QuotaExceeded").retry_later(30s);
    });
    CHECK(outcome.category == CERTCAST_REMOTE_ERROR);
    CHECK(outcome.retry == CERTCAST_RETRY_LATER);
    CHECK(outcome.retry_after_ms == 30'000);
    CHECK(outcome.code == "QuotaExceeded");
}

TEST_CASE("a thread that is cancelled unwinds through the edge") {
    struct Context {
        FakeHost host{probing()};
        std::promise<void> inside;
        bool returned = false;
    } context;
    pthread_t thread{};
    const auto body = [](void* raw) -> void* {
        auto& self = *static_cast<Context*>(raw);
        deploy(self.host, [&self](certcast::Job&) {
            self.inside.set_value();
            for (;;) pause();
        });
        self.returned = true;
        return nullptr;
    };
    REQUIRE(pthread_create(&thread, nullptr, body, &context) == 0);
    context.inside.get_future().wait();
    pthread_cancel(thread);
    void* result = nullptr;
    pthread_join(thread, &result);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_FALSE(context.returned);
}

TEST_CASE("what the host refuses is an exception with the host's words") {
    FakeHost host(probing());
    host.config["password"] = "db";
    FakeOutcome outcome;
    SUBCASE("a secret whose command failed is the operator's to mend") {
        outcome = deploy(host, [](certcast::Job& job) { job.secret(Probing::password); });
        CHECK(outcome.category == CERTCAST_CONFIG_ERROR);
        CHECK(outcome.message == "the secret 'db': the command ended with status 1");
    }
    SUBCASE("a command that the operator did not give") {
        outcome = deploy(host, [](certcast::Job& job) { job.run_command(Probing::run); });
        CHECK(outcome.category == CERTCAST_CONFIG_ERROR);
    }
    SUBCASE("waiting ends when the attempt is cancelled") {
        host.cancel(CERTCAST_CANCEL_USER);
        outcome = deploy(host, [](certcast::Job& job) { job.wait(1h, "a reboot"); });
        CHECK(outcome.category == CERTCAST_CANCELLED_ERROR);
    }
    SUBCASE("also when that was before it began to wait") {
        host.cancel(CERTCAST_CANCEL_USER);
        outcome = deploy(host, [](certcast::Job& job) { job.wait(0ms, "nothing"); });
        CHECK(outcome.category == CERTCAST_CANCELLED_ERROR);
    }
    SUBCASE("or when its time is up") {
        host.cancel(CERTCAST_CANCEL_DEADLINE);
        outcome = deploy(host, [](certcast::Job& job) { job.wait(1h, "a reboot"); });
        CHECK(outcome.category == CERTCAST_TIMEOUT_ERROR);
    }
    CHECK_FALSE(outcome.ok);
}

TEST_CASE("protection ends with its scope, also when that is left by an exception") {
    FakeHost host(probing());
    deploy(host, [&](certcast::Job& job) {
        const auto protection = job.protect(2s);
        CHECK(host.protections == 1);
        throw std::runtime_error("out");
    });
    CHECK(host.protections == 0);
}

TEST_CASE("state, outputs, secrets and commands reach the host") {
    FakeHost host(probing());
    host.config["password"] = "db";
    host.config["run"] = std::vector<std::string>{"true"};
    host.secrets["db"] = "hunter2";
    host.state = "before";
    host.command = [](const std::string&) { return std::pair(3, std::string("no")); };
    const FakeOutcome outcome = deploy(host, [](certcast::Job& job) {
        CHECK(job.secret(Probing::password).value() == "hunter2");
        CHECK(job.state() == "before");
        job.set_state("after");
        job.output("id", "42");
        const certcast::CommandOutput result = job.run_command(Probing::run, {{"NAME", "x"}});
        CHECK(result.status == 3);
        CHECK(result.output == "no");
        CHECK_FALSE(result.ok());
        CHECK(job.remaining() > 1s);
        CHECK(job.remaining() <= 10s);
        job.changed(0, false);
    });
    CHECK(outcome.ok);
    CHECK(host.state == "after");
    CHECK(host.outputs["id"] == "42");
    CHECK(host.changed.at(0) == false);
}

TEST_CASE("what the account knows is not found out again, and what it does not is kept") {
    FakeHost host(probing());
    int times = 0;
    std::string answer;
    certcast::Sensitive refused;
    std::chrono::milliseconds lifetime = 1h;
    const auto asked = [&] {
        return deploy(host, [&](certcast::Job& job) {
            const auto find_out = [&] {
                ++times;
                return certcast::Shared{certcast::Sensitive("new"), lifetime};
            };
            answer = job.shared("login", 10s, find_out, refused).text();
        });
    };
    SUBCASE("nobody knows it") {
        CHECK(asked().ok);
        CHECK(asked().ok);
        CHECK(host.shared["login"] == "new");
        CHECK(times == 1);
    }
    SUBCASE("nobody else may use it") {
        lifetime = -1s;
        CHECK(asked().ok);
        CHECK(host.shared.empty());
    }
    SUBCASE("another one was refused") {
        host.shared["login"] = "old";
        refused = certcast::Sensitive("older");
        CHECK(asked().ok);
        CHECK(answer == "old");
        refused = certcast::Sensitive("old");
        CHECK(asked().ok);
        CHECK(host.shared["login"] == "new");
    }
    SUBCASE("the host is older than that") {
        host.extension = "certcast.session/0";
        CHECK(asked().ok);
        CHECK(times == 1);
    }
    SUBCASE("the stage is to stop") {
        host.cancel(CERTCAST_CANCEL_USER);
        CHECK(asked().category == CERTCAST_CANCELLED_ERROR);
        return;
    }
    CHECK(answer == "new");
}

TEST_CASE("a file image survives the way through a step") {
    const TemporaryFolder folder;
    const fs::path path = folder.write("a", std::string("two\0parts", 9));
    FakeHost host(probing());
    deploy(host, [&](certcast::Job& job) {
        job.step("one", certcast::read_file(path));
        const std::vector<certcast::SavedFile> saved{{path, certcast::read_file(path)},
                                                     {folder / "absent", {}}};
        job.step("both", certcast::pack(saved));
    });
    REQUIRE(host.steps.size() == 2);
    CHECK(certcast::unpack_file(host.steps[0].undo) == certcast::read_file(path));
    const auto both = certcast::unpack_files(host.steps[1].undo);
    REQUIRE(both.size() == 2);
    CHECK(both[0].image == certcast::read_file(path));
    CHECK(both[1].path == folder / "absent");
    CHECK_FALSE(both[1].image.present);
    CHECK_THROWS_AS(certcast::unpack_files("nonsense"), certcast::internal_error);
}

namespace {

struct Unrelated {
    std::uint64_t space[4]{};
};
/// Stages that are kept in a base class, which is not the first one.
struct CommonStages {
    const CommonStages* self = this;
    void deploy(certcast::Job&) {
        if (self != this) throw certcast::config_error("called on another object");
    }
};
struct Inheriting : Unrelated, CommonStages {
    static constexpr certcast::About about{.id = "org.example.heir", .version = "1", .name = "3"};
};

}  // namespace

TEST_CASE("a stage of a base class is called on that base class") {
    FakeHost host(certcast::plugin_of<Inheriting>().deployers[0]);
    CHECK(host.run(CERTCAST_STAGE_DEPLOY).message == "");
}
