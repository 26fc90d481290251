#pragma once

#include "core/base/redactor.hpp"
#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/event.hpp"
#include "core/worker/command.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace certcast {

/// Resolves the pipeline's secrets when they are first asked for, once per run, for everybody.
/// Whatever it gives out the redactor knows before. Errors name the secret and its source, never
/// a value.
class SecretStore {
public:
    /// Takes the variables that secrets come from out of the environment at once, so that no
    /// command which is run meanwhile inherits them. Everything referred to outlives the store.
    SecretStore(boost::asio::any_io_executor executor, const Pipeline& pipeline,
                CommandRunner& commands, Redactor& redactor);

    /// What was found first, an error included, unless `refresh` asks the source again.
    boost::asio::awaitable<Result<Secret>> resolve(std::string name, bool refresh = false);

    const std::vector<std::string>& warnings() const { return warnings_; }

private:
    struct Entry {
        std::optional<Result<Secret>> found;
        std::shared_ptr<Event> being_asked;
    };

    boost::asio::awaitable<Result<Secret>> ask(const std::string& name, const SecretSource& source);
    boost::asio::awaitable<Result<Secret>> ask_source(const SecretSource& source);
    boost::asio::awaitable<Result<Secret>> ask_command(const SecretSource& source);

    boost::asio::any_io_executor executor_;
    const Pipeline& pipeline_;
    CommandRunner& commands_;
    Redactor& redactor_;
    std::map<std::string, Entry> entries_;
    std::vector<std::string> warnings_;
};

}  // namespace certcast
