#pragma once

#include <cstdint>
#include <string_view>

namespace certcast {

/// What is made of a plugin's sandbox. `required`: where this machine cannot enforce all of it,
/// nothing is loaded. `off`: the operator trusts the plugin like certcast itself.
enum class Sandbox : std::uint8_t { on = 0, required = 1, off = 2 };

constexpr std::string_view name_of(Sandbox sandbox) {
    switch (sandbox) {
        case Sandbox::on:
            return "on";
        case Sandbox::required:
            return "required";
        case Sandbox::off:
            return "off";
    }
    return {};
}

}  // namespace certcast
