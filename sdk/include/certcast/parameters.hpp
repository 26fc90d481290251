// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/values.hpp>

#include <optional>
#include <type_traits>

namespace certcast {

/// One parameter of a deployer: what operators may write under config, and its type. Declared as a
/// `static constexpr auto` of the deployer's class and listed in its `parameters`. `Given`: it
/// always has a value, because it is required or has a default.
template <typename Kind, bool Given>
class Param {
public:
    /// Of the elements, where it is a list.
    static constexpr std::uint32_t single_type = [] {
        if constexpr (requires { Kind::element_type; }) {
            return Kind::element_type;
        } else {
            return Kind::type;
        }
    }();
    static constexpr bool is_path = single_type == CERTCAST_PATH;

    constexpr explicit Param(std::string_view name, Kind kind = {}) : kind_(kind) {
        raw_.name = detail::str(name);
        raw_.type = Kind::type;
        if constexpr (requires { Kind::element_type; }) raw_.element_type = Kind::element_type;
    }
    template <bool Other>
    constexpr explicit Param(const Param<Kind, Other>& other)
        : raw_(other.raw_), kind_(other.kind_), alias_(other.alias_) {}

    constexpr auto required() const { return Param<Kind, true>(with_flag(CERTCAST_REQUIRED)); }
    /// As an operator would write it, without quotes: "30s", "443", "true".
    constexpr auto default_to(std::string_view value) const
        requires(Kind::type != CERTCAST_COMMAND && Kind::type != CERTCAST_SECRET &&
                 Kind::type != CERTCAST_CERTIFICATE && Kind::type != CERTCAST_LIST &&
                 Kind::type != CERTCAST_MAP) {
        Param copy = *this;
        copy.raw_.default_value = detail::str(value);
        return Param<Kind, true>(copy);
    }
    constexpr Param doc(std::string_view text) const {
        Param copy = *this;
        copy.raw_.doc = detail::str(text);
        return copy;
    }
    /// A name that operators used to write for it.
    constexpr Param alias(std::string_view name) const {
        Param copy = *this;
        copy.alias_ = detail::str(name);
        copy.raw_.alias_count = 1;
        return copy;
    }
    /// INT: the value; DURATION: milliseconds; TEXT: bytes; LIST and MAP: entries.
    constexpr Param between(std::int64_t least, std::int64_t most) const {
        Param copy = *this;
        copy.raw_.min = least;
        copy.raw_.max = most;
        return copy;
    }
    /// An ECMAScript regular expression that must match the whole value; plugin.h says how large.
    constexpr Param matching(std::string_view pattern) const requires(Kind::type == CERTCAST_TEXT) {
        Param copy = *this;
        copy.raw_.pattern = detail::str(pattern);
        return copy;
    }

    // What is done with the path, hence what the sandbox grants. Writing grants its folder.
    constexpr Param reads() const requires is_path { return with_flag(CERTCAST_READS); }
    constexpr Param writes() const requires is_path { return with_flag(CERTCAST_WRITES); }
    constexpr Param must_exist() const requires is_path { return with_flag(CERTCAST_MUST_EXIST); }
    constexpr Param device() const requires is_path { return with_flag(CERTCAST_DEVICE); }
    /// A local service's socket. Only who gives it is granted UNIX_SOCKETS, and keeps its user.
    constexpr Param connects() const requires is_path { return with_flag(CERTCAST_CONNECTS); }
    /// A program that the deployer itself starts. Only who gives it is granted EXEC, and keeps its
    /// user.
    constexpr Param starts() const requires(single_type == CERTCAST_TEXT) {
        return with_flag(CERTCAST_STARTS);
    }

    /// Names what is deployed to.
    constexpr Param identity() const { return with_flag(CERTCAST_IDENTITY); }
    /// Deployments with equal values never overlap.
    constexpr Param exclusive() const { return with_flag(CERTCAST_EXCLUSIVE); }
    /// Deployments with equal values share rate limits.
    constexpr Param account() const { return with_flag(CERTCAST_ACCOUNT); }
    constexpr Param deprecated() const { return with_flag(CERTCAST_DEPRECATED); }
    constexpr Param advanced() const { return with_flag(CERTCAST_ADVANCED); }

    constexpr std::string_view name() const {
        return {raw_.name.data, static_cast<std::size_t>(raw_.name.size)};
    }
    /// REQUIRES: *this is a static constant, because the result points into it.
    constexpr certcast_param raw() const {
        certcast_param raw = raw_;
        if (raw.alias_count > 0) raw.aliases = &alias_;
        if constexpr (requires { kind_.choices; }) {
            raw.choices = kind_.choices.data();
            raw.choice_count = kind_.choices.size();
        }
        if constexpr (requires { kind_.fields; }) {
            raw.fields = kind_.fields.data();
            raw.field_count = kind_.fields.size();
            raw.field_stride = sizeof(certcast_param);
        }
        return raw;
    }

private:
    template <typename, bool>
    friend class Param;

    constexpr Param with_flag(std::uint64_t flag) const {
        Param copy = *this;
        copy.raw_.flags |= flag;
        return copy;
    }

    certcast_param raw_{};
    Kind kind_{};
    certcast_str alias_{};
};

constexpr auto boolean(std::string_view name) {
    return Param<detail::BooleanKind, false>(name);
}
constexpr auto integer(std::string_view name) {
    return Param<detail::IntegerKind, false>(name);
}
constexpr auto text(std::string_view name) {
    return Param<detail::TextKind, false>(name);
}
constexpr auto secret(std::string_view name) {
    return Param<detail::SecretKind, false>(name);
}
constexpr auto duration(std::string_view name) {
    return Param<detail::DurationKind, false>(name);
}
constexpr auto path(std::string_view name) {
    return Param<detail::PathKind, false>(name);
}
constexpr auto url(std::string_view name) {
    return Param<detail::UrlKind, false>(name);
}
constexpr auto endpoint(std::string_view name) {
    return Param<detail::EndpointKind, false>(name);
}
/// The operator's own argument list, for job.run_command and job.request_reload.
constexpr auto command(std::string_view name) {
    return Param<detail::CommandKind, false>(name);
}
constexpr auto certificate_name(std::string_view name) {
    return Param<detail::CertificateKind, false>(name);
}
/// One of the words that follow the name.
template <typename... Words>
constexpr auto choice(std::string_view name, Words... words) {
    using Kind = detail::ChoiceKind<sizeof...(Words)>;
    return Param<Kind, false>(name, Kind{{detail::str(words)...}});
}

constexpr auto texts(std::string_view name) {
    return Param<detail::ListKind<detail::TextKind>, false>(name);
}
constexpr auto integers(std::string_view name) {
    return Param<detail::ListKind<detail::IntegerKind>, false>(name);
}
constexpr auto paths(std::string_view name) {
    return Param<detail::ListKind<detail::PathKind>, false>(name);
}
constexpr auto endpoints(std::string_view name) {
    return Param<detail::ListKind<detail::EndpointKind>, false>(name);
}
constexpr auto text_map(std::string_view name) {
    return Param<detail::MapKind<detail::TextKind>, false>(name);
}
/// A list of tables with these fields, which are static constants themselves.
template <typename... Fields>
constexpr auto objects(std::string_view name, const Fields&... fields) {
    using Kind = detail::ObjectsKind<sizeof...(Fields)>;
    return Param<Kind, false>(name, Kind{{fields.raw()...}});
}

/// What operators may write, in the order in which it is shown to them.
template <typename... Params>
constexpr std::array<certcast_param, sizeof...(Params)> parameters(const Params&... params) {
    return {params.raw()...};
}

/// Typed access to the values of a table.
class Object {
public:
    explicit Object(const certcast_value& value) : value_(value) {}

    /// The value, or std::optional of it where the parameter may be missing.
    template <typename Kind, bool Given>
    auto operator[](const Param<Kind, Given>& param) const {
        static_assert(
            requires { typename Kind::Value; },
            "ask job.secret(parameter) for the text of a secret");
        const certcast_value* value = find(param.name());
        if constexpr (Given) {
            if (value == nullptr) {
                throw internal_error("the parameter '" + std::string(param.name()) +
                                     "' has no value; is it listed in `parameters`?");
            }
            return Kind::read(*value);
        } else {
            using Value = typename Kind::Value;
            return value != nullptr ? std::optional<Value>(Kind::read(*value)) : std::nullopt;
        }
    }

    template <typename Kind, bool Given>
    bool has(const Param<Kind, Given>& param) const {
        return find(param.name()) != nullptr;
    }

    /// The raw value, or nullptr where none is given.
    const certcast_value* find(std::string_view key) const {
        for (std::uint64_t i = 0; i < value_.count; ++i) {
            const certcast_entry& entry = value_.entries[i];
            if (detail::view(entry.key) != key) continue;
            return entry.value.type == CERTCAST_NONE ? nullptr : &entry.value;
        }
        return nullptr;
    }

private:
    certcast_value value_;
};

template <std::size_t Count>
std::vector<Object> detail::ObjectsKind<Count>::read(const certcast_value& value) {
    std::vector<Object> objects;
    for (std::uint64_t i = 0; i < value.count; ++i) {
        objects.emplace_back(value.entries[i].value);
    }
    return objects;
}

}  // namespace certcast
