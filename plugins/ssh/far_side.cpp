#include "plugins/ssh/far_side.hpp"

#include "far_side_script.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <sstream>

namespace ssh {

namespace {

/// How many lines a shell can read and echo as they are; nothing: it cannot.
std::string lines_of(const certcast::Sensitive& contents) {
    const std::string_view text = contents.text();
    const bool is_plain = text.ends_with('\n') && !text.ends_with("\n\n") &&
                          text.find('\\') == std::string_view::npos &&
                          text.find('\0') == std::string_view::npos && text.starts_with("-----");
    return is_plain ? std::to_string(std::count(text.begin(), text.end(), '\n')) : std::string();
}

/// Nothing where it is no number, or larger than a certificate or what is said about it can be.
std::optional<std::size_t> size_in(const std::string& text) {
    constexpr std::size_t largest = 16 * 1024 * 1024;
    std::size_t size = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, size);
    if (error != std::errc() || stop != end || size > largest) return std::nullopt;
    return size;
}

std::string in_single_quotes(std::string_view word) {
    std::string text = "'";
    for (const char c : word) {
        if (c == '\'') {
            text += "'\\''";
        } else {
            text += c;
        }
    }
    return text + "'";
}

}  // namespace

std::string command_line(std::span<const std::string_view> words) {
    std::string line;
    for (const std::string_view word : words)
        line += (line.empty() ? "" : " ") + in_single_quotes(word);
    return line;
}

FarSide::FarSide(const Login& login, Become become, FarTask task, First first,
                 const certcast::Job& job)
    : FarHost(std::move(task)),
      become_(std::move(become)),
      patience_(std::chrono::steady_clock::now() + 2 * login.connect_timeout),
      is_looking_(first == First::look),
      connection_(login, job),
      channel_(connection_.start(line(), job)) {
    // Whatever else is sent before the password could be taken for it, or it for something else.
    if (become_.password) await_ready(job);
}

std::string FarSide::line() const {
    std::vector<std::string> words;
    if (become_.password) {
        words = {become_.program, "-k", "-S", "-p", prompt(), "--"};
    } else if (!become_.program.empty()) {
        words = {become_.program, "-n", "--"};
    }
    words.insert(words.end(), {"sh", "-c", far_side_script, "certcast", task().token, task().check,
                               task().reload, is_looking_ ? "inspect" : ""});
    for (const FarTarget& file : task().files) {
        words.insert(words.end(), {file.path, file.mode, file.owner, file.group,
                                   std::to_string(file.contents.size()), lines_of(file.contents)});
    }
    std::string line = "exec";
    for (const std::string& word : words) line += " " + in_single_quotes(word);
    return line;
}

std::string FarSide::end_of_file() const {
    return "\ncertcast-" + task().token + " ";
}

std::string FarSide::prompt() const {
    return "[certcast-" + task().token + "]";
}

void FarSide::await_ready(const certcast::Job& job) {
    constexpr int most_greetings = 1000;
    int greetings = 0;
    bool is_told = false;
    for (;;) {
        while (const std::optional<std::string> line = channel_.next_line()) {
            // What a shell says when somebody logs in comes before.
            is_ready_ = *line == "certcast ready";
            if (is_ready_) return;
            if (++greetings > most_greetings) {
                throw certcast::remote_error("the host's shell talks without end");
            }
        }
        const std::string& said = channel_.said();
        const std::size_t asked = said.find(prompt());
        if (become_.password && asked != std::string::npos) {
            if (said.rfind(prompt()) != asked) {
                throw certcast::auth_error(become_.program + " there refuses the password");
            }
            if (!is_told) channel_.write(*become_.password + "\n", job);
            is_told = true;
        }
        try {
            if (channel_.await_more(job, patience_)) continue;
        } catch (const certcast::timeout_error& error) {
            throw certcast::timeout_error(std::string(error.what()) + ", after it said: " + said);
        }
        if (become_.program.empty()) {
            throw certcast::remote_error(
                "the host's shell ended without an answer: " + said +
                "; it has to be one like sh, and if the account has SFTP alone, 'without_shell' is "
                "for it");
        }
        throw certcast::auth_error(
            become_.program + " there does not do it: " +
            (asked != std::string::npos ? said.substr(asked + prompt().size()) : said));
    }
}

void FarSide::ask(std::string_view action, const certcast::Job& job,
                  const certcast::Sensitive& contents) {
    said_.clear();
    // So that an answer still comes in time where another deployment, or a command, goes on for
    // ever.
    using std::chrono::seconds;
    const auto left = job.remaining();
    const auto patience = std::chrono::duration_cast<seconds>(left / 2);
    limit_ = std::max(std::chrono::duration_cast<seconds>(left * 9 / 10), seconds(1));
    command_begun_.reset();
    const std::string line = std::string(action) + " " + std::to_string(patience.count()) + " " +
                             std::to_string(limit_.count()) + "\n";
    channel_.write(certcast::Sensitive(line) + contents.text(), job);
}

FarSide::Answer FarSide::answer(const certcast::Job& job) {
    constexpr std::string_view mark = "certcast ";
    if (!is_ready_) await_ready(job);
    while (std::optional<std::string> line = channel_.line(job)) {
        if (!line->starts_with(mark)) {
            // It may be a part of a file, which nobody is to see.
            throw certcast::remote_error("the host answered what was not asked for");
        }
        line->erase(0, mark.size());
        const std::size_t space = line->find(' ');
        Answer found{line->substr(0, space),
                     space != std::string::npos ? line->substr(space + 1) : std::string()};
        if (found.first != "said") return found;
        said_ = sized_text(found.second, job).text();
    }
    throw certcast::remote_error("the host's shell ended without an answer: " + channel_.said());
}

/// The text of this size, which a newline ends.
certcast::Sensitive FarSide::sized_text(const std::string& size_text, const certcast::Job& job) {
    const std::optional<std::size_t> size = size_in(size_text);
    if (!size) throw certcast::remote_error("the host announces '" + size_text + "' bytes");
    certcast::Sensitive text = channel_.bytes(*size + 1, job);
    text.resize(*size);
    return text;
}

void FarSide::throw_refusal(const Answer& answer) const {
    const auto& [word, why] = answer;
    if (word == "failed") {
        const bool is_full = why.find("No space left") != std::string::npos ||
                             why.find("quota exceeded") != std::string::npos;
        if (is_full) throw certcast::config_error(why).retry_later();
        throw certcast::config_error(why);
    }
    if (word == "busy") throw certcast::conflict_error(why);
    if (word == "refused") {
        const std::string back = ", so the former files are back: ";
        throw_if_endless("check", back);
        throw certcast::config_error("'check' refuses the new files (it ended with status " + why +
                                     ")" + back + said_)
            .permanent();
    }
    throw certcast::remote_error("the host answered '" + word + " " + why + "'");
}

/// Whatever its status is: it is one of timeout's, or of a signal, as timeout pleases.
void FarSide::throw_if_endless(const std::string& command, const std::string& so) const {
    if (!command_begun_ || std::chrono::steady_clock::now() < *command_begun_ + limit_) return;
    throw certcast::timeout_error("'" + command + "' did not end within " +
                                  std::to_string(limit_.count()) + " s" + so + said_);
}

void FarSide::expect_reloaded(const Answer& answer, const certcast::Job& job) const {
    if (answer.first != "reloaded") throw_refusal(answer);
    if (answer.second != "0") {
        throw_if_endless("reload", ": ");
        throw certcast::remote_error("'reload' ended with status " + answer.second + ": " + said_);
    }
    std::istringstream lines(said_);
    for (std::string line; std::getline(lines, line);) job.info(line);
}

FarFile FarSide::file_from(const Answer& answer, const certcast::Job& job) {
    const auto& [word, rest] = answer;
    if (word == "absent") return {};
    if (word == "odd") return {.kind = FarFile::Kind::odd};
    if (word == "unreadable") return {.kind = FarFile::Kind::unreadable};
    if (word != "file") throw_refusal(answer);
    // A size could be another one by the time that the file is read.
    certcast::Sensitive contents = channel_.bytes_until(end_of_file(), job);
    const std::optional<std::string> status = channel_.line(job);
    if (status != "0") return {.kind = FarFile::Kind::unreadable};
    return {FarFile::Kind::file, rest == "as wanted", std::move(contents)};
}

std::vector<FarFile> FarSide::look(const certcast::Job& job) {
    if (!is_looking_) ask("inspect", job);
    is_looking_ = false;
    std::vector<FarFile> found;
    found.reserve(task().files.size());
    for (std::size_t i = 0; i < task().files.size(); ++i) {
        found.push_back(file_from(answer(job), job));
    }
    return found;
}

void FarSide::replace(const certcast::Job& job) {
    // Before anything is sent it is sure who takes it.
    if (!is_ready_) await_ready(job);
    certcast::Sensitive contents;
    for (const FarTarget& file : task().files) contents += file.contents.text();
    ask("deploy", job, contents);
    Answer found = answer(job);
    if (found.first == "staged") {
        job.step("replace files", pack(task()));
        command_begun_ = std::chrono::steady_clock::now();
        channel_.write("commit\n", job);
        found = answer(job);
    }
    if (found.first == "switched") {
        job.progress(700, "reloading");
        command_begun_ = std::chrono::steady_clock::now();
        found = answer(job);
    }
    expect_reloaded(found, job);
    const certcast::Sensitive read = channel_.bytes_until(end_of_file(), job);
    set_proven(channel_.line(job) == "0" && read == contents);
}

void FarSide::undo(const certcast::Job& job) {
    ask("rollback", job);
    expect_reloaded(answer(job), job);
}

void FarSide::forget(const certcast::Job& job) {
    ask("settle", job);
    const Answer found = answer(job);
    if (found.first != "settled") throw_refusal(found);
}

}  // namespace ssh
