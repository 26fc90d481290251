#pragma once

#include "plugins/ssh/connection.hpp"
#include "plugins/ssh/far_host.hpp"

#include <certcast/job.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ssh {

/// As whom the script runs, other than who has logged in.
struct Become {
    std::string program;  ///< "sudo" or "doas"; empty: it runs as who has logged in
    std::optional<certcast::Sensitive> password;
};

/// A line that a shell takes as these words.
std::string command_line(std::span<const std::string_view> words);

/// The script that does the task over there, and answers as long as the connection holds.
class FarSide : public FarHost {
public:
    enum class First { look, other };  ///< what it will be asked at first

    FarSide(const Login& login, Become become, FarTask task, First first, const certcast::Job& job);

    bool is_open() const override { return connection_.is_open() && channel_.is_open(); }
    std::vector<FarFile> look(const certcast::Job& job) override;
    void replace(const certcast::Job& job) override;
    void undo(const certcast::Job& job) override;
    void forget(const certcast::Job& job) override;

private:
    using Answer = std::pair<std::string, std::string>;  ///< a word, and the rest

    std::string line() const;
    std::string prompt() const;
    std::string end_of_file() const;
    /// Gives the password to nobody but who asks for it by our own words.
    void await_ready(const certcast::Job& job);
    void ask(std::string_view action, const certcast::Job& job,
             const certcast::Sensitive& contents = {});
    Answer answer(const certcast::Job& job);
    certcast::Sensitive sized_text(const std::string& size_text, const certcast::Job& job);
    FarFile file_from(const Answer& answer, const certcast::Job& job);
    [[noreturn]] void throw_refusal(const Answer& answer) const;
    void throw_if_endless(const std::string& command, const std::string& so) const;
    void expect_reloaded(const Answer& answer, const certcast::Job& job) const;

    Become become_;
    Deadline patience_;  ///< until the script is ready
    bool is_looking_;    ///< without being asked, once
    Connection connection_;
    Channel channel_;
    bool is_ready_ = false;                  ///< it has answered
    std::string said_;                       ///< by the latest command, for the end of a message
    std::chrono::seconds limit_{0};          ///< of a command there
    std::optional<Deadline> command_begun_;  ///< where that is known
};

}  // namespace ssh
