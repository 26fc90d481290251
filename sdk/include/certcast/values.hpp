// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/plugin.h>
#include <certcast/errors.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certcast {

/// Where something listens: a host name or an address without brackets, and a port.
struct Endpoint {
    std::string host;
    std::string port;

    std::string text() const {
        const bool is_v6 = host.find(':') != std::string::npos;
        return (is_v6 ? "[" + host + "]" : host) + ":" + port;
    }
    static Endpoint parse(std::string_view text) {
        const std::size_t colon = text.rfind(':');
        if (colon == std::string_view::npos) {
            throw config_error("'" + std::string(text) + "' is no endpoint; write HOST:PORT");
        }
        std::string_view host = text.substr(0, colon);
        if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
            host = host.substr(1, host.size() - 2);
        }
        return {std::string(host), std::string(text.substr(colon + 1))};
    }
};

class Object;

namespace detail {

inline std::string_view view(certcast_str text) {
    return {text.data, static_cast<std::size_t>(text.size)};
}
inline std::string_view view(certcast_bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data), static_cast<std::size_t>(bytes.size)};
}
constexpr certcast_str str(std::string_view text) {
    return {text.data(), text.size()};
}

// How a value of each type of parameter is declared, and what job[parameter] makes of it.

struct BooleanKind {
    static constexpr std::uint32_t type = CERTCAST_BOOL;
    using Value = bool;
    static Value read(const certcast_value& value) { return value.integer != 0; }
};

struct IntegerKind {
    static constexpr std::uint32_t type = CERTCAST_INT;
    using Value = std::int64_t;
    static Value read(const certcast_value& value) { return value.integer; }
};

struct DurationKind {
    static constexpr std::uint32_t type = CERTCAST_DURATION;
    using Value = std::chrono::milliseconds;
    static Value read(const certcast_value& value) { return Value(value.integer); }
};

/// The index of the certificate, for the material that belongs to it.
struct CertificateKind {
    static constexpr std::uint32_t type = CERTCAST_CERTIFICATE;
    using Value = std::size_t;
    static Value read(const certcast_value& value) { return static_cast<Value>(value.integer); }
};

struct PathKind {
    static constexpr std::uint32_t type = CERTCAST_PATH;
    using Value = std::filesystem::path;
    static Value read(const certcast_value& value) { return {view(value.text)}; }
};

struct EndpointKind {
    static constexpr std::uint32_t type = CERTCAST_ENDPOINT;
    using Value = Endpoint;
    static Value read(const certcast_value& value) { return Endpoint::parse(view(value.text)); }
};

template <std::uint32_t Type>
struct StringKind {
    static constexpr std::uint32_t type = Type;
    using Value = std::string_view;
    static Value read(const certcast_value& value) { return view(value.text); }
};
using TextKind = StringKind<CERTCAST_TEXT>;
using UrlKind = StringKind<CERTCAST_URL>;

template <std::size_t Count>
struct ChoiceKind {
    static constexpr std::uint32_t type = CERTCAST_ENUM;
    using Value = std::string_view;
    static Value read(const certcast_value& value) { return view(value.text); }
    std::array<certcast_str, Count> choices{};
};

/// Its text is not in the configuration: job.secret asks for it.
struct SecretKind {
    static constexpr std::uint32_t type = CERTCAST_SECRET;
};

struct CommandKind {
    static constexpr std::uint32_t type = CERTCAST_COMMAND;
    using Value = std::vector<std::string_view>;
    static Value read(const certcast_value& value) {
        Value words;
        for (std::uint64_t i = 0; i < value.count; ++i) {
            words.push_back(view(value.entries[i].value.text));
        }
        return words;
    }
};

template <typename Element>
struct ListKind {
    static constexpr std::uint32_t type = CERTCAST_LIST;
    static constexpr std::uint32_t element_type = Element::type;
    using Value = std::vector<typename Element::Value>;
    static Value read(const certcast_value& value) {
        Value elements;
        for (std::uint64_t i = 0; i < value.count; ++i) {
            elements.push_back(Element::read(value.entries[i].value));
        }
        return elements;
    }
};

template <typename Element>
struct MapKind {
    static constexpr std::uint32_t type = CERTCAST_MAP;
    static constexpr std::uint32_t element_type = Element::type;
    using Value = std::vector<std::pair<std::string_view, typename Element::Value>>;
    static Value read(const certcast_value& value) {
        Value elements;
        for (std::uint64_t i = 0; i < value.count; ++i) {
            elements.emplace_back(view(value.entries[i].key),
                                  Element::read(value.entries[i].value));
        }
        return elements;
    }
};

template <std::size_t Count>
struct ObjectsKind {
    static constexpr std::uint32_t type = CERTCAST_LIST;
    static constexpr std::uint32_t element_type = CERTCAST_OBJECT;
    using Value = std::vector<Object>;
    static Value read(const certcast_value& value);
    std::array<certcast_param, Count> fields{};
};

}  // namespace detail

}  // namespace certcast
