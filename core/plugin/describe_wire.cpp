#include "core/base/utf8.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/raw_value.hpp"
#include "core/plugin/schema.hpp"
#include "core/plugin/text_rules.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <set>
#include <utility>

namespace certcast {

namespace {

constexpr std::uint32_t most_deployers = 64;
constexpr std::uint32_t most_params = 512;
constexpr std::uint32_t most_names = 256;
constexpr std::uint32_t most_stages = 64;
constexpr std::size_t longest_text = 4096;
constexpr std::size_t longest_name = 64;
/// Matching takes time, and everything that is described is matched at once.
constexpr std::size_t longest_matched_default = 128;
constexpr int deepest_params = 4;
constexpr std::uint64_t longest_ms = 10ULL * 366 * 24 * 3'600'000;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// [a-z][a-z0-9_]*, with `joint` in the place of the underscore.
bool is_word(std::string_view text, char joint) {
    return !text.empty() && text.size() <= longest_name && is_lower(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return is_lower(c) || is_digit(c) || c == joint; });
}

/// A bare word, or reverse DNS: words joined by dots.
bool is_id(std::string_view text) {
    for (;;) {
        const std::size_t dot = text.find('.');
        if (!is_word(text.substr(0, dot), '-')) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

/// Reads the description of a library. The first thing found wrong ends it: everything after that
/// reads as empty and is thrown away with the rest.
class LibraryDecoder {
public:
    LibraryDecoder(std::span<const std::byte> bytes, std::string where)
        : in_(bytes), where_(std::move(where)) {}

    Result<Library> library(std::filesystem::path path);

private:
    Descriptor descriptor();
    std::vector<Parameter> params(const std::string& prefix, int depth);
    Parameter param(const std::string& prefix, int depth);
    void check_param(const Parameter& param, const std::string& path);

    std::string text(std::string_view what, std::size_t longest = longest_text);
    std::vector<std::string> texts(std::string_view what);
    std::uint32_t count(std::string_view what, std::size_t least_size, std::uint32_t most);
    Duration milliseconds(std::string_view what);

    bool ok() const { return !error_ && in_.ok(); }
    void fail(std::string message);

    wire::Reader in_;
    std::string where_;
    std::string subject_;  ///< "deployer \"x\": ", in front of messages
    std::uint32_t param_count_ = 0;
    std::optional<Error> error_;
};

void LibraryDecoder::fail(std::string message) {
    // What is missing reads as empty; the reason for that is that it is missing.
    if (error_ || !in_.ok()) return;
    error_ = Error{ErrorCode::invalid, subject_ + std::move(message), where_};
}

std::string LibraryDecoder::text(std::string_view what, std::size_t longest) {
    const std::string_view found = in_.text();
    const std::string name(what);
    if (found.size() > longest) {
        fail(name + " is longer than " + std::to_string(longest) + " bytes");
    } else if (!is_utf8(found)) {
        fail(name + " is not UTF-8");
    } else if (has_control_character(found)) {
        fail(name + " holds a control character");
    } else {
        return std::string(found);
    }
    return {};
}

std::uint32_t LibraryDecoder::count(std::string_view what, std::size_t least_size,
                                    std::uint32_t most) {
    const std::uint32_t found = in_.count(least_size);
    if (found > most) {
        fail("it has " + std::to_string(found) + " " + std::string(what) + ", expected at most " +
             std::to_string(most));
        return 0;
    }
    return found;
}

std::vector<std::string> LibraryDecoder::texts(std::string_view what) {
    std::vector<std::string> all;
    for (std::uint32_t left = count(what, 4, most_names); left > 0 && ok(); --left) {
        all.push_back(text(what));
    }
    return all;
}

Duration LibraryDecoder::milliseconds(std::string_view what) {
    const std::uint64_t found = in_.u64();
    if (found > longest_ms) fail(std::string(what) + " is longer than ten years");
    return Duration(static_cast<std::int64_t>(std::min(found, longest_ms)));
}

void LibraryDecoder::check_param(const Parameter& param, const std::string& path) {
    const std::string name = "parameter \"" + path + "\": ";
    const bool has_elements = param.type == ParameterType::list || param.type == ParameterType::map;
    const ParameterType scalar = has_elements ? param.element_type : param.type;
    const bool has_fields = scalar == ParameterType::object;
    const bool has_choices = scalar == ParameterType::choice;

    if (param.type == ParameterType::none) fail(name + "it has no type");
    if (has_elements) {
        switch (param.element_type) {
            case ParameterType::none:
            case ParameterType::command:
            case ParameterType::list:
            case ParameterType::map:
                fail(name + "its elements have no type, or one that cannot be nested");
                break;
            case ParameterType::boolean:
            case ParameterType::integer:
            case ParameterType::text:
            case ParameterType::secret:
            case ParameterType::duration:
            case ParameterType::path:
            case ParameterType::choice:
            case ParameterType::url:
            case ParameterType::endpoint:
            case ParameterType::object:
            case ParameterType::certificate:
                break;
        }
    } else if (param.element_type != ParameterType::none) {
        fail(name + "only a LIST or MAP has an element type");
    }
    if (has_choices && param.choices.empty()) fail(name + "an ENUM needs choices");
    if (!has_choices && !param.choices.empty()) fail(name + "only an ENUM has choices");
    if (has_fields && param.fields.empty()) fail(name + "an OBJECT needs fields");
    if (!has_fields && !param.fields.empty()) fail(name + "only an OBJECT has fields");
    if (param.min > param.max) fail(name + "its min is larger than its max");
    if (!param.pattern.empty()) {
        if (scalar != ParameterType::text) fail(name + "only a TEXT has a pattern");
        if (const auto wrong = wrong_pattern(param.pattern)) fail(name + *wrong);
        if (param.default_value && param.default_value->size() > longest_matched_default) {
            fail(name + "its default is longer than 128 bytes, which a pattern is not applied to");
        }
    }
    // What was refused so far would only come again as a default that does not fit.
    if (!ok()) return;
    if (const auto wrong = wrong_default(param)) fail(name + "its default is wrong: " + *wrong);
}

Parameter LibraryDecoder::param(const std::string& prefix, int depth) {
    Parameter param;
    param.name = text("the name of a parameter");
    const std::string path = prefix + param.name;
    const std::string name = "parameter \"" + path + "\": ";
    if (!is_word(param.name, '_')) {
        fail("the parameter name " + in_quotes(path) +
             " is wrong: expected lower-case letters, digits and _, a letter first");
    }
    if (++param_count_ > most_params) fail("it has more than 512 parameters");
    param.doc = text(name + "its doc");

    const std::uint32_t type = in_.u32();
    const std::uint32_t element_type = in_.u32();
    constexpr auto last = static_cast<std::uint32_t>(ParameterType::certificate);
    if (type > last || element_type > last) {
        fail(name + "its type " + std::to_string(std::max(type, element_type)) + " is unknown");
    } else {
        param.type = static_cast<ParameterType>(type);
        param.element_type = static_cast<ParameterType>(element_type);
    }
    param.flags = in_.u64();
    param.aliases = texts("aliases");
    for (const std::string& alias : param.aliases) {
        if (!is_word(alias, '_')) fail(name + "its alias " + in_quotes(alias) + " is no name");
    }
    param.choices = texts("choices");
    param.min = in_.i64();
    param.max = in_.i64();
    const bool has_default = in_.u8() != 0;
    std::string default_value = text(name + "its default");
    if (has_default) param.default_value = std::move(default_value);
    param.pattern = text(name + "its pattern");
    if (depth == deepest_params) {
        if (in_.count(4) != 0) fail(name + "its fields are nested deeper than 4 levels");
    } else {
        param.fields = params(path + ".", depth + 1);
    }
    if (ok()) check_param(param, path);
    return param;
}

std::vector<Parameter> LibraryDecoder::params(const std::string& prefix, int depth) {
    constexpr std::size_t least_size = 61;
    std::vector<Parameter> all;
    std::set<std::string> names;
    for (std::uint32_t left = count("parameters", least_size, most_params); left > 0 && ok();
         --left) {
        Parameter next = param(prefix, depth);
        if (!names.insert(next.name).second) {
            fail("parameter \"" + prefix + next.name + "\" is declared twice");
        }
        for (const std::string& alias : next.aliases) {
            if (!names.insert(alias).second) {
                fail("parameter \"" + prefix + next.name + "\": its alias \"" + alias +
                     "\" is declared twice");
            }
        }
        all.push_back(std::move(next));
    }
    return all;
}

Descriptor LibraryDecoder::descriptor() {
    Descriptor found;
    subject_.clear();
    found.id = text("the id of a deployer");
    subject_ = "deployer " + in_quotes(found.id) + ": ";
    if (!is_id(found.id)) {
        fail(
            "its id is wrong: expected a word like \"nginx\" or reverse DNS like "
            "\"org.example.thing\", of small letters, digits and \"-\"");
    }
    found.version = text("its version", longest_name);
    found.name = text("its name");
    found.vendor = text("its vendor");
    found.url = text("its url");
    found.needs = in_.u64();
    found.params = params({}, 1);
    for (std::uint32_t left = count("files", 12, most_names); left > 0 && ok(); --left) {
        std::string path = text("the path of a file");
        if (!path.starts_with('/')) fail("its file " + in_quotes(path) + " is no absolute path");
        found.files.push_back({std::move(path), in_.u64()});
    }
    const std::uint32_t timeouts = count("stage timeouts", 8, most_stages);
    for (std::uint32_t stage = 0; stage < timeouts && ok(); ++stage) {
        const Duration timeout = milliseconds("a timeout");
        if (stage < stage_count) found.stage_timeouts[stage] = timeout;
    }
    found.grace = milliseconds("its grace");
    found.longest_protect = milliseconds("its longest protect");
    found.max_certificates = in_.u32();
    found.max_parallel = in_.u32();
    found.stages = in_.u32();
    if (!found.has(Stage::deploy)) fail("it has no deploy stage");
    return found;
}

Result<Library> LibraryDecoder::library(std::filesystem::path path) {
    constexpr std::size_t least_size = 68;
    Library library;
    library.path = std::move(path);
    if (const std::uint32_t version = in_.u32(); version != describe_format) {
        fail("its description has format " + std::to_string(version) + ", expected 1");
    }
    library.cold_start = in_.u8() != 0;
    const std::uint32_t deployers = count("deployers", least_size, most_deployers);
    if (deployers == 0) fail("it holds no deployer");
    for (std::uint32_t i = 0; i < deployers && ok(); ++i) {
        Descriptor next = descriptor();
        for (const Descriptor& other : library.deployers) {
            if (other.id == next.id) fail("the library holds it twice");
        }
        library.deployers.push_back(std::move(next));
    }
    if (error_) return *error_;
    if (!in_.finished()) {
        return Error{ErrorCode::invalid,
                     subject_ + (in_.ok() ? "its description is longer than expected"
                                          : "its description ends early"),
                     where_};
    }
    return library;
}

}  // namespace

Result<Library> decode_library(std::span<const std::byte> bytes, std::filesystem::path path) {
    LibraryDecoder decoder(bytes, path.string());
    return decoder.library(std::move(path));
}

}  // namespace certcast
