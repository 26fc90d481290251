#include "core/base/secret_memory.hpp"

#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)
#define ASAN_UNPOISON_MEMORY_REGION(memory, size)
#endif

#include <array>
#include <bit>
#include <mutex>
#include <new>

namespace certcast {

namespace {

constexpr std::size_t region_size = 256 * 1024;
constexpr std::size_t least_block = 64;
constexpr std::size_t largest_block = 32 * 1024;  ///< what is larger has pages of its own
constexpr std::size_t block_sizes = std::countr_zero(largest_block / least_block) + 1;

struct FreeBlock {
    FreeBlock* next;
};

// Not wiped on fork: what a fork server was told, its workers go on reading.
void* map(std::size_t size) {
    void* const pages =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    madvise(pages, size, MADV_DONTDUMP);
    return pages;
}

/// Blocks whose sizes are powers of two. Regions are never given back to the system.
class Blocks {
public:
    void* take(std::size_t size) {
        const std::lock_guard lock(mutex_);
        FreeBlock*& first = free_[place_of(size)];
        if (first == nullptr) return cut(std::bit_ceil(size));
        FreeBlock* const block = first;
        ASAN_UNPOISON_MEMORY_REGION(block, std::bit_ceil(size));
        first = block->next;
        block->next = nullptr;
        return block;
    }
    void put(void* memory, std::size_t size) {
        const std::lock_guard lock(mutex_);
        FreeBlock*& first = free_[place_of(size)];
        first = ::new (memory) FreeBlock{first};
    }

private:
    static std::size_t place_of(std::size_t size) {
        return static_cast<std::size_t>(std::countr_zero(std::bit_ceil(size) / least_block));
    }
    void* cut(std::size_t size) {
        if (size > left_) {
            region_ = static_cast<std::byte*>(map(region_size));
            left_ = region_size;
            ASAN_POISON_MEMORY_REGION(region_, region_size);
        }
        left_ -= size;
        ASAN_UNPOISON_MEMORY_REGION(region_ + left_, size);
        return region_ + left_;
    }

    std::mutex mutex_;
    std::array<FreeBlock*, block_sizes> free_{};
    std::byte* region_ = nullptr;
    std::size_t left_ = 0;
};

constinit Blocks blocks;

std::size_t block_size(std::size_t size) {
    return size < least_block ? least_block : size;
}

}  // namespace

void wipe(void* data, std::size_t size) {
    if (size != 0) explicit_bzero(data, size);
}

void* take_secret_memory(std::size_t size) {
    size = block_size(size);
    return size > largest_block ? map(size) : blocks.take(size);
}

void return_secret_memory(void* memory, std::size_t size) noexcept {
    wipe(memory, size);
    size = block_size(size);
    if (size > largest_block) {
        munmap(memory, size);
        return;
    }
    blocks.put(memory, size);
    ASAN_POISON_MEMORY_REGION(memory, std::bit_ceil(size));
}

}  // namespace certcast
