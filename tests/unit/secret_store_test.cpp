#include "core/scheduler/secret_store.hpp"

#include "tests/unit/scheduler_fakes.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <cstring>

using namespace certcast;
using certcast::testing::TemporaryFolder;

namespace {

struct Vault {
    Vault() : commands(loop.clock()) {}

    SecretSource& add(const std::string& name, SecretSource::Kind kind, std::string value) {
        SecretSource& source = pipeline.secrets[name];
        source.kind = kind;
        if (kind == SecretSource::Kind::command) {
            source.command = {std::move(value), "--token=abc123"};
        } else {
            source.value = std::move(value);
        }
        return source;
    }
    SecretStore& store() {
        if (!made) made.emplace(loop.executor(), pipeline, commands, redactor);
        return *made;
    }
    Result<Secret> get(const std::string& name, bool refresh = false) {
        return loop.run(store().resolve(name, refresh));
    }
    std::string text(const std::string& name) {
        const Result<Secret> found = get(name);
        return found.has_value() ? std::string(found->text()) : "error: " + found.error().text();
    }

    Loop loop;
    FakeCommands commands;
    Pipeline pipeline;
    Redactor redactor;
    std::optional<SecretStore> made;
};

bool contains(const std::string& text, std::string_view words) {
    return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a secret from the environment is moved out of it") {
    ::setenv("CERTCAST_TEST_SECRET", "hunter22", 1);
    const char* block = ::getenv("CERTCAST_TEST_SECRET");
    Vault vault;
    vault.add("one", SecretSource::Kind::environment, "CERTCAST_TEST_SECRET");
    vault.add("two", SecretSource::Kind::environment, "CERTCAST_TEST_SECRET");
    vault.add("none", SecretSource::Kind::environment, "CERTCAST_TEST_NOTHING");
    vault.store();
    CHECK(::getenv("CERTCAST_TEST_SECRET") == nullptr);
    CHECK(std::memchr(block, 'h', 8) == nullptr);
    CHECK(vault.text("one") == "hunter22");
    CHECK(vault.text("two") == "hunter22");
    CHECK(vault.get("one", true).value().text() == "hunter22");
    CHECK(vault.text("none") ==
          "error: secret \"none\" from variable CERTCAST_TEST_NOTHING: the variable is not set");
}

TEST_CASE("a secret from a file is all of it, less one newline") {
    const TemporaryFolder folder;
    Vault vault;
    folder.write("a", "hunter22\n");
    folder.write("b", "hunter22\r\n");
    folder.write("c", "two\nlines\n\n");
    vault.add("a", SecretSource::Kind::file, (folder / "a").string());
    vault.add("b", SecretSource::Kind::file, (folder / "b").string());
    vault.add("c", SecretSource::Kind::file, (folder / "c").string());
    CHECK(vault.text("a") == "hunter22");
    CHECK(vault.text("b") == "hunter22");
    CHECK(vault.text("c") == "two\nlines\n");
    CHECK(vault.store().warnings().empty());
}

TEST_CASE("a file that is no secret file is refused or warned about") {
    const TemporaryFolder folder;
    Vault vault;
    std::string expected = "no such";
    const std::string path = (folder / "secret").string();
    SUBCASE("missing") {
        expected = "No such file";
    }
    SUBCASE("a pipe that nobody writes") {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        expected = "no regular file";
    }
    SUBCASE("a folder") {
        std::filesystem::create_directory(path);
        expected = "is a folder";
    }
    SUBCASE("empty") {
        folder.write("secret", "\n");
        expected = "it is empty";
    }
    SUBCASE("huge") {
        folder.write("secret", std::string(1024 * 1024 + 1, 'x'));
        expected = "1 MiB";
    }
    SUBCASE("open to everybody") {
        folder.write("secret", "hunter22\n");
        std::filesystem::permissions(path, std::filesystem::perms(0644));
        vault.add("s", SecretSource::Kind::file, path);
        CHECK(vault.text("s") == "hunter22");
        REQUIRE(vault.store().warnings().size() == 1);
        CHECK(contains(vault.store().warnings()[0], path));
        return;
    }
    vault.add("s", SecretSource::Kind::file, path);
    const std::string message = vault.text("s");
    CHECK(contains(message, expected));
    CHECK(contains(message, path));
}

TEST_CASE("a credential is read where systemd put it") {
    const TemporaryFolder folder;
    folder.write("fleet", "hunter22");
    Vault vault;
    vault.add("fleet", SecretSource::Kind::credential, "fleet");
    vault.add("escape", SecretSource::Kind::credential, "../fleet");
    ::unsetenv("CREDENTIALS_DIRECTORY");
    CHECK(contains(vault.text("fleet"), "CREDENTIALS_DIRECTORY is not set"));
    ::setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
    CHECK(vault.get("fleet", true).value().text() == "hunter22");
    CHECK(contains(vault.text("escape"), "no name of a credential"));
    ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_CASE("a command is run once for everybody, and again only when asked to") {
    Vault vault;
    vault.add("fleet", SecretSource::Kind::command, "pass");
    vault.commands.output = "hunter22\n";
    std::vector<std::string> got;
    for (int i = 0; i < 5; ++i) {
        vault.loop.start<Result<Secret>>(vault.store().resolve("fleet"), [&](Result<Secret> one) {
            got.emplace_back(one.value().text());
        });
    }
    vault.loop.finish();
    CHECK(got == std::vector<std::string>(5, "hunter22"));
    CHECK(vault.text("fleet") == "hunter22");
    CHECK(vault.commands.ran.size() == 1);
    vault.commands.output = "hunter33\n";
    CHECK(vault.get("fleet", true).value().text() == "hunter33");
    CHECK(vault.text("fleet") == "hunter33");
    CHECK(vault.commands.ran.size() == 2);
    CHECK(vault.redactor.redact("hunter22 hunter33") == "*** ***");
}

TEST_CASE("a command that fails says which, and nothing that it printed") {
    Vault vault;
    vault.add("fleet", SecretSource::Kind::command, "pass").timeout = Duration(5'000);
    vault.commands.output = "half a secret";
    std::string expected;
    SUBCASE("by its status") {
        vault.commands.status = 3;
        expected = "status 3";
    }
    SUBCASE("by the clock") {
        vault.commands.timed_out = true;
        expected = "5.0 s";
    }
    SUBCASE("by silence") {
        vault.commands.output = "\n";
        expected = "it is empty";
    }
    const std::string message = vault.text("fleet");
    CHECK(contains(message, expected));
    CHECK(contains(message, "secret \"fleet\" from command pass"));
    CHECK_FALSE(contains(message, "half"));
    CHECK_FALSE(contains(message, "abc123"));
    CHECK(vault.text("fleet") == message);
    CHECK(vault.commands.ran.size() == 1);
    CHECK(vault.commands.timeouts[0] == Duration(5'000));
}

TEST_CASE("when the first asker is stopped the next one asks in its place") {
    Vault vault;
    vault.add("fleet", SecretSource::Kind::command, "pass");
    asio::cancellation_signal stop;
    bool stopped = false;
    asio::co_spawn(
        vault.loop.executor(), vault.store().resolve("fleet"),
        asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr, Result<Secret> result) {
            stopped = result.has_error();
        }));
    vault.loop.settle();
    std::string second;
    vault.loop.start<Result<Secret>>(vault.store().resolve("fleet"), [&](Result<Secret> one) {
        second = one.has_value() ? std::string(one->text()) : one.error().text();
    });
    vault.loop.settle();
    stop.emit(asio::cancellation_type::terminal);
    vault.loop.finish();
    CHECK(stopped);
    CHECK(second == "done");
    CHECK(vault.commands.ran.size() == 2);
}

TEST_CASE("a field is picked out of a document") {
    struct Row {
        std::string document;
        std::string field;
        std::string expected;
    };
    const std::vector<Row> rows = {
        {R"({"user": "a", "password": "hunter22"})", "password", "hunter22"},
        {R"( {"pin": 1234})", "pin", "1234"},
        {R"({"a": {"b": 1}})", "a", "no text"},
        {R"({"a": null})", "a", "no text"},
        {R"({"user": "a"})", "password", "not in its JSON"},
        {R"({"user": )", "password", "no JSON object"},
        {"# secrets\nUSER=a\nexport PASS = 'hunter 22'\n", "PASS", "hunter 22"},
        {"PASS=a=b\r\n", "PASS", "a=b"},
        {"USER=a", "PASS", "none of its KEY=VALUE"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.document);
        Vault vault;
        vault.add("s", SecretSource::Kind::command, "pass").field = row.field;
        vault.commands.output = row.document;
        const std::string got = vault.text("s");
        CHECK(contains(got, row.expected));
        CHECK_FALSE(contains(got, "user"));
    }
}

TEST_CASE("a secret that the pipeline does not have is not found") {
    Vault vault;
    CHECK(vault.get("nobody").error().code == ErrorCode::not_found);
}
