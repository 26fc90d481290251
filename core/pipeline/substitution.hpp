#pragma once

#include "core/plugin/raw_value.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace certcast {

/// What one deployment is deployed to: a name and what the pipeline says of it.
struct Target {
    std::string name;
    RawValue values;  ///< a table, without the name
    Location location;
};

/// Replaces ${target.name}, ${target.KEY}, ${vars.KEY}, ${x:-default} and $$ in strings. A string
/// that is one reference takes the value's type. Every name that is not defined is reported.
class Substitution {
public:
    /// `target` is nullptr where there is none. Everything given outlives the substitution.
    Substitution(const Target* target, Diagnostics& diagnostics)
        : target_(target), diagnostics_(diagnostics) {}

    /// Adds variables; those added later win.
    void add_vars(const RawValue& table);

    RawValue apply(const RawValue& value);

private:
    struct Variable {
        const RawValue* written = nullptr;
        std::optional<RawValue> value;  ///< once it was asked for
        bool being_read = false;
    };

    RawValue text(std::string_view text, const RawValue& at);
    RawValue reference(std::string_view inside, const RawValue& at);
    std::optional<RawValue> lookup(std::string_view name, const RawValue& at);
    void report_undefined(std::string_view name, const RawValue& at);

    const Target* target_;
    Diagnostics& diagnostics_;
    std::map<std::string, Variable, std::less<>> vars_;
    int depth_ = 0;
    std::size_t copied_ = 0;
};

}  // namespace certcast
