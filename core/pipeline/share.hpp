#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace certcast {

/// A number of deployments, or a share of however many there are.
struct Share {
    std::uint32_t number = 0;
    bool is_percent = false;

    /// Never more than `all`.
    std::size_t rounded_up(std::size_t all) const {
        const std::size_t so_many = is_percent ? (all * number + 99) / 100 : number;
        return so_many < all ? so_many : all;
    }
    std::size_t rounded_down(std::size_t all) const {
        const std::size_t so_many = is_percent ? all * number / 100 : number;
        return so_many < all ? so_many : all;
    }
    /// As it is written: "5%", "3".
    std::string text() const { return std::to_string(number) + (is_percent ? "%" : ""); }
};

}  // namespace certcast
