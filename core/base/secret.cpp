#include "core/base/secret.hpp"

#include <utility>

namespace certcast {

Secret::Secret(std::string_view text) : Secret(std::as_bytes(std::span(text))) {}

Secret::Secret(std::span<const std::byte> bytes) : bytes_(bytes.begin(), bytes.end()) {}

Secret Secret::of_size(std::size_t size) {
    Secret secret;
    secret.bytes_.resize(size);
    return secret;
}

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {
    other.bytes_.clear();
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        bytes_ = std::move(other.bytes_);
        other.bytes_.clear();
    }
    return *this;
}

void Secret::shrink(std::size_t size) {
    if (size >= bytes_.size()) return;
    wipe(bytes_.data() + size, bytes_.size() - size);
    bytes_.resize(size);
}

void Secret::append(std::string_view text) {
    const auto added = std::as_bytes(std::span(text));
    bytes_.insert(bytes_.end(), added.begin(), added.end());
}

}  // namespace certcast
