#include "plugins/ssh/ssh_config.hpp"

#include "plugins/ssh/words.hpp"

#include <certcast/errors.hpp>
#include <certcast/files.hpp>

#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <sstream>
#include <string_view>
#include <system_error>

namespace ssh {

namespace {

namespace fs = std::filesystem;

constexpr const char* system_config = "/etc/ssh/ssh_config";
constexpr std::uint16_t usual_port = 22;

std::vector<std::string> parts_of(const std::string& list) {
    std::vector<std::string> parts;
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    return parts;
}

/// One of the patterns fits, and none that begins with '!'.
bool fits_one_of(const std::string& text, const std::vector<std::string>& patterns) {
    bool found = false;
    for (const std::string& pattern : patterns) {
        const bool is_negated = pattern.starts_with('!');
        if (!fits(text, pattern.substr(is_negated ? 1 : 0))) continue;
        if (is_negated) return false;
        found = true;
    }
    return found;
}

/// Where a line is, for messages.
struct Place {
    const fs::path& file;
    int line;

    [[noreturn]] void fail(const std::string& what) const {
        throw certcast::config_error(file.string() + ":" + std::to_string(line) + ": " + what);
    }
};

/// A line: a keyword in small letters, and what follows.
struct Line {
    std::string keyword;
    std::string rest;
};

Line parted(const std::string& text) {
    constexpr const char* blank = " \t\r\f";
    const std::size_t begin = text.find_first_not_of(blank);
    if (begin == std::string::npos || text[begin] == '#') return {};
    const std::size_t end = std::min(text.find_first_of(" \t\r\f=", begin), text.size());
    std::size_t rest = text.find_first_not_of(blank, end);
    if (rest != std::string::npos && text[rest] == '=') {
        rest = text.find_first_not_of(blank, rest + 1);
    }
    if (rest == std::string::npos) rest = text.size();
    const std::size_t last = text.find_last_not_of(blank);
    return {lower(text.substr(begin, end - begin)), text.substr(rest, last + 1 - rest)};
}

/// Words in quotes are one; what begins with # is a comment.
std::vector<std::string> words_of(const std::string& rest, const Place& place) {
    std::vector<std::string> words;
    std::string word;
    bool is_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        const char c = rest[i];
        const char next = i + 1 < rest.size() ? rest[i + 1] : '\0';
        const bool is_space = c == ' ' || c == '\t';
        if (c == '\\' &&
            (next == '"' || next == '\'' || next == '\\' || (quote == 0 && next == ' '))) {
            word += next;
            is_word = true;
            ++i;
        } else if (quote != 0 ? c == quote : c == '"' || c == '\'') {
            quote = quote != 0 ? '\0' : c;
            is_word = true;
        } else if (quote == 0 && is_space) {
            if (is_word) words.push_back(std::move(word));
            word.clear();
            is_word = false;
        } else if (quote == 0 && c == '#' && !is_word) {
            break;
        } else {
            word += c;
            is_word = true;
        }
    }
    if (quote != 0) place.fail("a quote is not closed");
    if (is_word) words.push_back(std::move(word));
    return words;
}

class ConfigReader {
public:
    ConfigReader(const std::string& host, const std::string& user, fs::path folder)
        : host_(host), user_(user), folder_(std::move(folder)) {}

    /// A file that is not there says nothing.
    void read(const fs::path& file, const fs::path& beside) { include(file, beside, true, 0); }

    HostConfig config() {
        const auto expand = [&](const std::string& text, const std::string& what) {
            return expanded(text, [&](char letter) { return meaning_of(letter, text, what); });
        };
        config_.host_name = host_name();
        for (fs::path& path : config_.identity_files) {
            path = at_home(expand(path.string(), "IdentityFile"));
        }
        for (fs::path& path : config_.known_hosts) {
            path = at_home(expand(path.string(), "UserKnownHostsFile"));
        }
        if (config_.proxy_jump == std::vector<std::string>{"none"}) config_.proxy_jump.clear();
        if (config_.proxy_command == "none") config_.proxy_command.clear();
        for (std::string& hop : config_.proxy_jump) hop = expand(hop, "ProxyJump");
        return std::move(config_);
    }

private:
    void include(const fs::path& file, const fs::path& beside, bool is_meant, int depth) {
        const certcast::FileImage image = certcast::read_file(file);
        std::istringstream text{std::string(image.contents.text())};
        bool applies = is_meant;
        std::string raw;
        for (int number = 1; std::getline(text, raw); ++number) {
            const Place place{file, number};
            const Line line = parted(raw);
            if (line.keyword.empty()) continue;
            if (line.rest.empty()) place.fail(line.keyword + " says nothing");
            if (line.keyword == "host") {
                applies = is_meant && fits_one_of(host_, words_of(line.rest, place));
            } else if (line.keyword == "match") {
                applies = is_meant && matches(words_of(line.rest, place), place);
            } else if (line.keyword == "include" && applies) {
                constexpr int deepest = 16;
                if (depth == deepest) place.fail("one file includes the other without end");
                for (const std::string& word : words_of(line.rest, place)) {
                    for (const fs::path& path : named(word, beside, place)) {
                        include(path, beside, true, depth + 1);
                    }
                }
            } else if (applies) {
                take(line, place);
            }
        }
    }

    std::vector<fs::path> named(const std::string& pattern, const fs::path& beside,
                                const Place& place) const {
        glob_t found{};
        std::vector<fs::path> paths;
        const int status = ::glob((beside / at_home(pattern)).c_str(), GLOB_ERR, nullptr, &found);
        const int error = errno;
        for (std::size_t i = 0; status == 0 && i < found.gl_pathc; ++i) {
            paths.emplace_back(found.gl_pathv[i]);
        }
        ::globfree(&found);
        if (status == GLOB_NOSPACE) throw std::bad_alloc();
        // What cannot be read must not count as if it were not there.
        if (status == GLOB_ABORTED && error != ENOENT) {
            place.fail("'" + pattern +
                       "' cannot be looked for: " + std::generic_category().message(error));
        }
        return paths;
    }

    bool matches(const std::vector<std::string>& words, const Place& place) const {
        for (std::size_t i = 0; i < words.size(); ++i) {
            const bool is_negated = words[i].starts_with('!');
            const std::string what = lower(words[i].substr(is_negated ? 1 : 0));
            if (what == "all") continue;
            // Names are looked up as they are, and once.
            if (what == "canonical" || what == "final") {
                if (is_negated) continue;
                return false;
            }
            if (what != "host" && what != "originalhost" && what != "user") {
                place.fail("'Match " + what +
                           "' is not understood here; without it, or with parameters of the "
                           "deployment in place of ssh_folder, it can be told");
            }
            if (++i == words.size()) place.fail("'Match " + what + "' says nothing");
            const std::string& subject = what == "user"   ? user()
                                         : what == "host" ? host_name()
                                                          : host_;
            if (fits_one_of(subject, parts_of(words[i])) == is_negated) return false;
        }
        return true;
    }

    void take(const Line& line, const Place& place) {
        const std::string& word = line.keyword;
        // ProxyCommand takes the line as it is; of the two the first counts.
        const bool has_proxy = !config_.proxy_jump.empty() || !config_.proxy_command.empty();
        if (word == "proxycommand") {
            if (!has_proxy) config_.proxy_command = line.rest;
            return;
        }
        static constexpr std::string_view known[] = {
            "hostname",           "port",     "user", "hostkeyalias", "identityfile",
            "userknownhostsfile", "proxyjump"};
        if (std::find(std::begin(known), std::end(known), word) == std::end(known)) return;
        const std::vector<std::string> words = words_of(line.rest, place);
        if (words.empty()) place.fail(word + " says nothing");
        const std::string& value = words.front();
        const auto set = [&](std::string& member) {
            if (member.empty()) member = value;
        };
        if (word == "hostname") set(config_.host_name);
        if (word == "user") set(config_.user);
        if (word == "hostkeyalias") set(config_.known_as);
        if (word == "port" && config_.port == 0) {
            const auto port = port_in(value);
            if (!port) place.fail("'" + value + "' is no port");
            config_.port = *port;
        }
        if (word == "identityfile") config_.identity_files.emplace_back(value);
        if (word == "userknownhostsfile" && config_.known_hosts.empty()) {
            config_.known_hosts.assign(words.begin(), words.end());
        }
        if (word == "proxyjump" && !has_proxy) config_.proxy_jump = parts_of(value);
    }

    std::string host_name() const {
        if (config_.host_name.empty()) return host_;
        return expanded(config_.host_name, [this](char letter) {
            return letter == 'h' ? std::optional(host_) : std::nullopt;
        });
    }

    /// The meaning of a letter in `text`, which is the value of `what`.
    std::string meaning_of(char letter, const std::string& text, const std::string& what) const {
        switch (letter) {
            case 'd':
                return folder_.parent_path().string();
            case 'h':
                return config_.host_name;
            case 'n':
                return host_;
            case 'p':
                return std::to_string(config_.port != 0 ? config_.port : usual_port);
            case 'r':
                return user();
            default:
                throw certcast::config_error(what + " '" + text + "' of " + host_ +
                                             " has more than %%, %d, %h, %n, %p and %r, which "
                                             "is not understood here");
        }
    }

    const std::string& user() const { return user_.empty() ? config_.user : user_; }

    fs::path at_home(const std::string& path) const {
        if (!path.starts_with("~/")) return path;
        return folder_.parent_path() / path.substr(2);
    }

    const std::string& host_;
    const std::string& user_;
    fs::path folder_;
    HostConfig config_;
};

}  // namespace

HostConfig config_in(const std::vector<fs::path>& files, const std::string& host,
                     const std::string& user, const fs::path& folder) {
    ConfigReader reader(host, user, folder);
    bool is_users = true;
    for (const fs::path& file : files) {
        reader.read(file, is_users ? folder : file.parent_path());
        is_users = false;
    }
    return reader.config();
}

HostConfig config_of(const std::string& host, const std::string& user, const fs::path& folder) {
    const fs::path own = folder.has_filename() ? folder : folder.parent_path();
    return config_in({own / "config", system_config}, host, user, own);
}

}  // namespace ssh
