#include "core/base/secret.hpp"

#include <string.h>

#include <algorithm>
#include <utility>

namespace certcast {

void wipe(void* data, std::size_t size) {
    if (size != 0) explicit_bzero(data, size);
}

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
        wipe();
        bytes_ = std::move(other.bytes_);
        other.bytes_.clear();
    }
    return *this;
}

Secret::~Secret() {
    wipe();
}

void Secret::shrink(std::size_t size) {
    if (size >= bytes_.size()) return;
    certcast::wipe(bytes_.data() + size, bytes_.size() - size);
    bytes_.resize(size);
}

void Secret::append(std::string_view text) {
    // A vector that grows frees its old block unwiped, so the new block is made by hand.
    Secret longer = of_size(bytes_.size() + text.size());
    std::copy(bytes_.begin(), bytes_.end(), longer.bytes_.begin());
    const auto added = std::as_bytes(std::span(text));
    std::copy(added.begin(), added.end(),
              longer.bytes_.begin() + static_cast<std::ptrdiff_t>(bytes_.size()));
    *this = std::move(longer);
}

void Secret::wipe() {
    certcast::wipe(bytes_.data(), bytes_.size());
}

}  // namespace certcast
