#include "plugins/ssh/far_side.hpp"

#include "far_side_script.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <sstream>

namespace ssh {

namespace {

/// "-rw-r-----" as "0640"; more than the nine letters (an ACL's +) is passed over.
std::string octal(std::string_view rights) {
    if (rights.size() < 10) return {};
    std::array<char, 4> digits{'0', '0', '0', '0'};
    constexpr std::string_view letters = "rwxrwxrwx";
    for (std::size_t i = 0; i < letters.size(); ++i) {
        const char found = rights[i + 1];
        const bool is_special = found == 's' || found == 't' || found == 'S' || found == 'T';
        const bool is_set = found == letters[i] || found == 's' || found == 't';
        digits[1 + i / 3] = static_cast<char>(digits[1 + i / 3] + (is_set ? 4 >> (i % 3) : 0));
        if (is_special) digits[0] = static_cast<char>(digits[0] + (4 >> (i / 3)));
    }
    return {digits.data(), digits.size()};
}

bool is_owner(const std::string& wanted, const std::string& name, const std::string& number) {
    return wanted.empty() || wanted == name || wanted == number;
}

/// One run of the script over there.
class Script {
public:
    struct Words {
        std::string action;
        std::string token;
        FarCommands commands;
    };

    Script(Connection& connection, const Words& words, const std::vector<std::string>& files,
           const certcast::Job& job)
        : job_(job), channel_(connection.start(line_for(words, files), job)) {}

    void send(certcast::ByteView bytes) { channel_.write(bytes, job_); }
    certcast::Sensitive bytes(std::size_t count) { return channel_.bytes(count, job_); }

    /// Its next answer: a word, and the rest.
    std::pair<std::string, std::string> answer() {
        std::optional<std::string> line = channel_.line(job_);
        constexpr std::string_view mark = "certcast ";
        // What a shell says of itself when somebody logs in comes before.
        while (line && !line->starts_with(mark)) {
            job_.debug("the host says: " + *line);
            line = channel_.line(job_);
        }
        if (!line) {
            throw certcast::remote_error("the host's shell ended without an answer" + said());
        }
        line->erase(0, mark.size());
        const std::size_t space = line->find(' ');
        if (space == std::string::npos) return {*line, ""};
        return {line->substr(0, space), line->substr(space + 1)};
    }

    /// What commands have said, for the end of a message.
    std::string said() const {
        std::string text = channel_.said();
        while (!text.empty() && text.back() == '\n') text.pop_back();
        return text.empty() ? "" : ": " + text;
    }
    void log_said() const {
        std::istringstream lines(channel_.said());
        for (std::string line; std::getline(lines, line);) job_.info(line);
    }

private:
    static std::string line_for(const Words& words, const std::vector<std::string>& files) {
        std::string line = "exec sh -c " + shell_word(far_side_script) + " certcast";
        const std::string patience = std::to_string(words.commands.patience.count());
        for (const std::string& word :
             {words.action, words.token, patience, words.commands.check, words.commands.reload}) {
            line += " " + shell_word(word);
        }
        for (const std::string& word : files) line += " " + shell_word(word);
        return line;
    }

    const certcast::Job& job_;
    Channel channel_;
};

std::vector<std::string> words_of(std::span<const std::string> paths) {
    std::vector<std::string> words;
    for (const std::string& path : paths) words.insert(words.end(), {path, "", "", "", "0"});
    return words;
}

std::vector<std::string> words_of(std::span<const FarTarget> files) {
    std::vector<std::string> words;
    for (const FarTarget& file : files) {
        words.insert(words.end(), {file.path, file.mode, file.owner, file.group,
                                   std::to_string(file.contents.size())});
    }
    return words;
}

[[noreturn]] void throw_failed(const std::string& why) {
    if (why.find("No space left") != std::string::npos ||
        why.find("quota exceeded") != std::string::npos) {
        throw certcast::config_error(why).retry_later();
    }
    throw certcast::config_error(why);
}

/// Answers that every action may give. Returns the status of the reload, which is the last one.
int end_of(Script& script, const std::pair<std::string, std::string>& answer) {
    const auto& [word, rest] = answer;
    if (word == "failed") throw_failed(rest + script.said());
    if (word == "busy") throw certcast::conflict_error(rest);
    if (word == "refused") {
        throw certcast::config_error(
            "'check' refuses the new files, so the former ones are back (it "
            "ended with status " +
            rest + ")" + script.said())
            .permanent();
    }
    int status = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), status);
    if (word != "reloaded" || error != std::errc()) {
        throw certcast::remote_error("the host answered '" + word + " " + rest + "'");
    }
    script.log_said();
    return status;
}

void check_reloaded(const Script& script, int status) {
    if (status == 0) return;
    throw certcast::remote_error("'reload' ended with status " + std::to_string(status) +
                                 script.said());
}

}  // namespace

bool is_as_wanted(const FarFile& now, const FarTarget& wanted) {
    const std::string mode = wanted.mode.size() == 3 ? "0" + wanted.mode : wanted.mode;
    return now.kind == FarFile::Kind::file && now.contents == wanted.contents && now.mode == mode &&
           is_owner(wanted.owner, now.owner, now.uid) && is_owner(wanted.group, now.group, now.gid);
}

std::string shell_word(std::string_view word) {
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

std::string command_line(std::span<const std::string_view> words) {
    std::string line;
    for (const std::string_view word : words) line += (line.empty() ? "" : " ") + shell_word(word);
    return line;
}

std::vector<FarFile> look(Connection& connection, std::span<const std::string> paths,
                          const certcast::Job& job) {
    Script script(connection, {"inspect", "", {}}, words_of(paths), job);
    std::vector<FarFile> found;
    for (const std::string& path : paths) {
        FarFile& file = found.emplace_back();
        const auto [word, rest] = script.answer();
        if (word == "absent") continue;
        if (word == "odd") {
            file.kind = FarFile::Kind::odd;
            continue;
        }
        std::istringstream parts(rest);
        std::string rights;
        std::string size_text;
        parts >> file.owner >> file.group >> rights >> file.uid >> file.gid >> size_text;
        file.mode = octal(rights);
        if (word == "file" && size_text == "unreadable") {
            file.kind = FarFile::Kind::unreadable;
            continue;
        }
        std::size_t size = 0;
        const char* const end = size_text.data() + size_text.size();
        constexpr std::size_t largest = 16 * 1024 * 1024;
        if (word != "file" || std::from_chars(size_text.data(), end, size).ptr != end ||
            size_text.empty()) {
            throw certcast::remote_error("the host answered '" + word + " " + rest + "' about " +
                                         path + script.said());
        }
        if (size > largest) {
            throw certcast::config_error(path + " is larger than a certificate can be");
        }
        file.kind = FarFile::Kind::file;
        file.contents = script.bytes(size);
        if (script.answer().first != "end") {
            throw certcast::conflict_error(path + " was changed while it was read");
        }
    }
    return found;
}

void replace(Connection& connection, const std::string& token, std::span<const FarTarget> files,
             const FarCommands& commands, const certcast::Job& job) {
    Script script(connection, {"deploy", token, commands}, words_of(files), job);
    for (const FarTarget& file : files) script.send(file.contents);
    auto answer = script.answer();
    if (answer.first == "staged") {
        job.step("replace files", pack(token, files));
        script.send("commit\n");
        answer = script.answer();
    }
    if (answer.first == "switched") {
        job.progress(700, "reloading");
        answer = script.answer();
    }
    check_reloaded(script, end_of(script, answer));
}

void undo(Connection& connection, const std::string& token, std::span<const std::string> paths,
          const FarCommands& commands, const certcast::Job& job) {
    Script script(connection, {"rollback", token, commands}, words_of(paths), job);
    check_reloaded(script, end_of(script, script.answer()));
}

void forget(Connection& connection, const std::string& token, std::span<const std::string> paths,
            const FarCommands& commands, const certcast::Job& job) {
    Script script(connection, {"settle", token, commands}, words_of(paths), job);
    const auto answer = script.answer();
    if (answer.first != "settled") end_of(script, answer);
}

std::string pack(const std::string& token, std::span<const FarTarget> files) {
    std::string undo = token;
    for (const FarTarget& file : files) undo += '\0' + file.path;
    return undo;
}

Replaced unpack(std::string_view undo) {
    Replaced replaced;
    replaced.token = undo.substr(0, undo.find('\0'));
    while (undo.find('\0') != std::string_view::npos) {
        undo.remove_prefix(undo.find('\0') + 1);
        replaced.paths.emplace_back(undo.substr(0, undo.find('\0')));
    }
    return replaced;
}

}  // namespace ssh
