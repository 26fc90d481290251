#include "core/certificate/openssl_memory.hpp"

#include "core/base/secret_memory.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

namespace certcast {

namespace {

/// Stands before each block, since OpenSSL does not tell how large what it frees is.
struct alignas(std::max_align_t) Head {
    std::size_t size;
};

void* allocate(std::size_t size, const char* /*file*/, int /*line*/) noexcept {
    if (size == 0) return nullptr;
    try {
        void* const memory = take_secret_memory(sizeof(Head) + size);
        return ::new (memory) Head{size} + 1;
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void release(void* block, const char* /*file*/, int /*line*/) noexcept {
    if (block == nullptr) return;
    Head* const head = static_cast<Head*>(block) - 1;
    return_secret_memory(head, sizeof(Head) + head->size);
}

void* reallocate(void* block, std::size_t size, const char* file, int line) noexcept {
    void* const larger = allocate(size, file, line);
    if (block == nullptr) return larger;
    if (larger != nullptr) {
        std::memcpy(larger, block, std::min(size, (static_cast<Head*>(block) - 1)->size));
    }
    if (larger != nullptr || size == 0) release(block, file, line);
    return larger;
}

}  // namespace

bool keep_openssl_in_secret_memory() {
    return CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

}  // namespace certcast
