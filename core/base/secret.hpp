#pragma once

#include "core/base/secret_memory.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace certcast {

/// Bytes that are wiped when they are dropped and that no core dump shows. Copies are explicit, by
/// clone().
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string_view text);
    explicit Secret(std::span<const std::byte> bytes);
    /// `size` zero bytes, to be filled through data().
    static Secret of_size(std::size_t size);

    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() = default;

    Secret clone() const { return Secret(bytes()); }

    std::byte* data() { return bytes_.data(); }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }
    std::span<const std::byte> bytes() const { return bytes_; }
    std::string_view text() const {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }
    /// Drops the bytes beyond `size`, wiped.
    void shrink(std::size_t size);
    void append(std::string_view text);

private:
    std::vector<std::byte, SecretAllocator<std::byte>> bytes_;
};

}  // namespace certcast
