#include "core/base/secret.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

using namespace certcast;

namespace {

/// The VmFlags of the mapping that holds an address.
std::string flags_of(const void* address) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    std::ifstream maps("/proc/self/smaps");
    bool inside = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
            inside = from <= wanted && wanted < to;
        }
        if (inside && line.starts_with("VmFlags:")) return line + " ";
    }
    return {};
}

bool is_zero(const std::byte* data, std::size_t size) {
    return std::all_of(data, data + size, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

TEST_CASE("no core dump shows a secret, whatever its size") {
    for (const std::size_t size : {1u, 40u, 1700u, 32'768u, 65'536u, 1'000'000u}) {
        CAPTURE(size);
        Secret secret = Secret::of_size(size);
        CHECK(is_zero(secret.data(), size));
        CHECK(flags_of(secret.data()).find(" dd ") != std::string::npos);
        CHECK(flags_of(secret.data() + size - 1).find(" dd ") != std::string::npos);
    }
    const int other = 0;
    CHECK(flags_of(&other).find(" dd ") == std::string::npos);
}

TEST_CASE("the memory of a secret is zero when it is used again") {
    for (const std::size_t size : {8u, 100u, 20'000u}) {
        CAPTURE(size);
        const std::byte* before = nullptr;
        {
            const Secret secret(std::string(size, 'x'));
            before = secret.bytes().data();
        }
        const Secret next = Secret::of_size(size);
        CHECK(next.bytes().data() == before);
        CHECK(is_zero(next.bytes().data(), size));
    }
}

TEST_CASE("a secret that grows or shrinks leaves nothing where it was") {
    Secret secret(std::string(60, 'x'));
    const std::byte* const before = secret.bytes().data();
    secret.append(std::string(60, 'y'));
    CHECK(secret.text() == std::string(60, 'x') + std::string(60, 'y'));
    const Secret taken = Secret::of_size(60);
    CHECK(taken.bytes().data() == before);
    CHECK(is_zero(taken.bytes().data(), 60));
    secret.shrink(10);
    CHECK(is_zero(secret.data() + 10, 110));
}
