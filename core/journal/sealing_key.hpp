#pragma once

#include "core/base/error.hpp"
#include "core/base/secret.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace certcast {

/// Seals what a copy of the journal must not show: AES-256 in Galois/Counter Mode (NIST SP 800-38D)
/// with a key that lies beside it. May be used from several threads.
class SealingKey {
public:
    /// Reads FOLDER/journal.key, and makes it where there is none.
    static Result<SealingKey> in(const std::filesystem::path& folder);
    /// Makes none.
    static Result<SealingKey> read(const std::filesystem::path& folder);

    /// `about` says what it is and where it belongs: sealed bytes open nowhere else.
    Result<std::vector<std::byte>> seal(std::span<const std::byte> plain,
                                        std::string_view about) const;
    Result<Secret> open(std::span<const std::byte> sealed, std::string_view about) const;

private:
    explicit SealingKey(Secret key) : key_(std::move(key)) {}

    Secret key_;
};

}  // namespace certcast
