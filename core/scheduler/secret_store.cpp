#include "core/scheduler/secret_store.hpp"

#include "core/scheduler/secret_source.hpp"

#include <boost/asio/this_coro.hpp>

namespace certcast {

namespace asio = boost::asio;

namespace {

constexpr std::size_t largest_output = 1024 * 1024;

std::string source_in_words(const SecretSource& source) {
    switch (source.kind) {
        case SecretSource::Kind::environment:
            return "variable " + source.value;
        case SecretSource::Kind::file:
            return "file " + source.value;
        case SecretSource::Kind::credential:
            return "credential " + source.value;
        case SecretSource::Kind::command:
            break;
    }
    // Only the program: somebody may have put a token among its arguments.
    return "command " + (source.command.empty() ? "(empty)" : source.command.front());
}

Result<Secret> copy_of(const Result<Secret>& result) {
    if (result.has_error()) return result.error();
    return result->clone();
}

Error failed(ErrorCode code, std::string message) {
    return {code, std::move(message), {}};
}

}  // namespace

SecretStore::SecretStore(asio::any_io_executor executor, const Pipeline& pipeline,
                         CommandRunner& commands, Redactor& redactor)
    : executor_(std::move(executor)),
      pipeline_(pipeline),
      commands_(commands),
      redactor_(redactor) {
    for (const auto& [name, source] : pipeline.secrets) {
        // At once, so that nothing that is started inherits it.
        if (source.kind == SecretSource::Kind::environment) take_from_environment(source.value);
    }
}

asio::awaitable<Result<Secret>> SecretStore::resolve(std::string name, bool refresh) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto source = pipeline_.secrets.find(name);
    if (source == pipeline_.secrets.end()) {
        co_return failed(ErrorCode::not_found, "the pipeline has no secret \"" + name + "\"");
    }
    Entry& entry = entries_[name];
    while (entry.being_asked) {
        const std::shared_ptr<Event> asked = entry.being_asked;
        const bool answered = co_await asked->wait();
        if (!answered) {
            co_return failed(ErrorCode::cancelled, "the secret is no longer waited for");
        }
        refresh = refresh && !entry.found;
    }
    if (entry.found && !refresh) co_return copy_of(*entry.found);

    // Wakes the others on every way out; those find nothing where this asker was cancelled and ask
    // themselves.
    struct Asking {
        explicit Asking(Entry& asked) : entry(asked) {}
        Asking(const Asking&) = delete;
        Asking& operator=(const Asking&) = delete;
        ~Asking() { std::exchange(entry.being_asked, nullptr)->set(); }

        Entry& entry;
    };
    entry.found.reset();
    entry.being_asked = std::make_shared<Event>(executor_);
    const Asking asking{entry};
    Result<Secret> found = co_await ask(name, source->second);
    if (found.has_value()) redactor_.add(found->text());
    Result<Secret> answer = copy_of(found);
    const bool stopped = found.has_error() && found.error().code == ErrorCode::cancelled;
    if (!stopped) entry.found = std::move(found);
    co_return answer;
}

asio::awaitable<Result<Secret>> SecretStore::ask(const std::string& name,
                                                 const SecretSource& source) {
    Result<Secret> document = co_await ask_source(source);
    Result<Secret> value =
        document.has_value() ? pick_field(*document, source.field) : std::move(document);
    if (value.has_value() && value->empty()) {
        value = failed(ErrorCode::not_found, "it is empty");
    }
    if (value.has_error()) {
        const Error error = value.error();
        co_return failed(error.code, "secret \"" + name + "\" from " + source_in_words(source) +
                                         ": " + error.message);
    }
    co_return value;
}

asio::awaitable<Result<Secret>> SecretStore::ask_source(const SecretSource& source) {
    switch (source.kind) {
        case SecretSource::Kind::environment: {
            auto value = take_from_environment(source.value);
            if (!value) co_return failed(ErrorCode::not_found, "the variable is not set");
            co_return std::move(*value);
        }
        case SecretSource::Kind::file:
            co_return read_secret_file(source.value, warnings_);
        case SecretSource::Kind::credential: {
            const Result<std::filesystem::path> path = credential_path(source.value);
            if (path.has_error()) co_return path.error();
            co_return read_secret_file(*path, warnings_);
        }
        case SecretSource::Kind::command:
            break;
    }
    co_return co_await ask_command(source);
}

asio::awaitable<Result<Secret>> SecretStore::ask_command(const SecretSource& source) {
    Command command;
    command.argv = source.command;
    command.timeout = source.timeout;
    command.output_limit = largest_output;
    command.capture_stderr = false;
    Result<CommandResult> ran = co_await commands_.run(std::move(command));
    if (ran.has_error()) co_return ran.error();
    if (ran->timed_out) {
        co_return failed(ErrorCode::timeout, "it gave no answer within " +
                                                 in_words(source.timeout) +
                                                 "; run it by hand to see what it waits for");
    }
    if (ran->status != 0) {
        co_return failed(ErrorCode::io, "it ended with status " + std::to_string(ran->status) +
                                            "; run it by hand to see why");
    }
    if (ran->truncated) {
        co_return failed(ErrorCode::invalid, "it gave more than 1 MiB, which no secret is");
    }
    co_return std::move(ran->output);
}

}  // namespace certcast
