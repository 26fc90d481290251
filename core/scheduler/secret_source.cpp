#include "core/scheduler/secret_source.hpp"

#include "core/base/regular_file.hpp"

#include <boost/json/memory_resource.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <cstdlib>
#include <cstring>
#include <map>

namespace certcast {

namespace json = boost::json;

namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const std::size_t first = text.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::string_view unquoted(std::string_view text) {
    const bool quoted = text.size() >= 2 && text.front() == text.back() &&
                        (text.front() == '"' || text.front() == '\'');
    return quoted ? text.substr(1, text.size() - 2) : text;
}

/// Lets a JSON document be kept where secrets are.
class SecretResource final : public json::memory_resource {
    void* do_allocate(std::size_t size, std::size_t) override { return take_secret_memory(size); }
    void do_deallocate(void* memory, std::size_t size, std::size_t) override {
        return_secret_memory(memory, size);
    }
    bool do_is_equal(const json::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

Error no_field(std::string_view field, std::string_view why) {
    return {ErrorCode::invalid, "its field \"" + std::string(field) + "\" " + std::string(why), {}};
}

Result<Secret> json_field(std::string_view document, std::string_view field) {
    SecretResource memory;
    json::parser parser(&memory);
    parser.reset(&memory);
    boost::system::error_code failure;
    parser.write(document.data(), document.size(), failure);
    const json::value parsed = failure ? json::value(&memory) : parser.release();
    if (failure || !parsed.is_object())
        return no_field(field, "is asked for, but it is no JSON object");
    const json::value* found = parsed.get_object().if_contains(field);
    if (found == nullptr) return no_field(field, "is not in its JSON object");
    if (const json::string* text = found->if_string()) {
        return Secret(std::string_view(text->data(), text->size()));
    }
    if (found->is_structured() || found->is_null())
        return no_field(field, "is no text and no number");
    return Secret(json::serialize(*found));
}

Result<Secret> line_field(std::string_view document, std::string_view field) {
    while (!document.empty()) {
        const std::size_t end = document.find('\n');
        std::string_view line = trimmed(document.substr(0, end));
        document.remove_prefix(end == std::string_view::npos ? document.size() : end + 1);
        if (line.starts_with("export ")) line = trimmed(line.substr(7));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || trimmed(line.substr(0, equals)) != field) continue;
        return Secret(unquoted(trimmed(line.substr(equals + 1))));
    }
    return no_field(field, "is on none of its KEY=VALUE lines");
}

}  // namespace

std::optional<Secret> take_from_environment(const std::string& variable) {
    static std::map<std::string, Secret> taken;
    if (char* const value = std::getenv(variable.c_str())) {
        const std::size_t size = std::strlen(value);
        taken.insert_or_assign(variable, Secret(std::string_view(value, size)));
        wipe(value, size);
        ::unsetenv(variable.c_str());
    }
    const auto found = taken.find(variable);
    return found != taken.end() ? std::optional(found->second.clone()) : std::nullopt;
}

Result<Secret> read_secret_file(const std::filesystem::path& path,
                                std::vector<std::string>& warnings) {
    auto read = read_regular_file(path, 1);
    if (read.has_error()) return read.error();
    if ((read->mode & S_IROTH) != 0) {
        warnings.push_back(path.string() +
                           ": everybody on this machine can read this secret; chmod o-r");
    }
    return std::move(read->content);
}

Result<std::filesystem::path> credential_path(const std::string& name) {
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr || *folder == '\0') {
        return Error{ErrorCode::not_found,
                     "CREDENTIALS_DIRECTORY is not set: systemd sets it for a service with "
                     "LoadCredential=",
                     {}};
    }
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
        return Error{ErrorCode::invalid, "\"" + name + "\" is no name of a credential", {}};
    }
    return std::filesystem::path(folder) / name;
}

Result<Secret> pick_field(const Secret& document, std::string_view field) {
    std::string_view text = document.text();
    if (field.empty()) {
        if (text.ends_with('\n')) text.remove_suffix(1);
        if (text.ends_with('\r')) text.remove_suffix(1);
        return Secret(text);
    }
    return trimmed(text).starts_with('{') ? json_field(text, field) : line_field(text, field);
}

}  // namespace certcast
