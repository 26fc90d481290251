#pragma once

#include "core/base/secret.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace certcast {

/// Whether a long piece of a value is as secret as the whole of it.
enum class Pieces { secret, harmless };

/// A text in which values are looked for. `begins` and `ends`: nothing stands before it or behind
/// it, so that it may begin or end in the middle of a value.
struct Searched {
    std::string_view text;
    bool begins = true;
    bool ends = true;
    bool words = true;  ///< also for values of less than four bytes, as words of their own
};

/// Values, found in a text by one pass whatever their number: by the eight bytes at each eighth
/// place of them, or the first and last four.
class SecretIndex {
public:
    void add(std::string_view value, Pieces pieces);
    bool empty() const { return values_.empty(); }

    /// `found` gets the first and the last byte of each occurrence: a whole value, sixteen bytes or
    /// more of one whose pieces are secret, or six or more that the text's begin or end cuts off.
    using Found = std::function<void(std::size_t first, std::size_t last)>;
    void search(const Searched& searched, const Found& found) const;

private:
    struct Place {
        std::uint32_t value;
        std::uint32_t offset;
    };
    /// Places in values by the bytes that stand there. Open addressing; equal bytes in a row.
    class Table {
    public:
        void add(std::uint64_t bytes, Place place);
        template <typename Use>
        void each(std::uint64_t bytes, Use use) const;

    private:
        struct Slot {
            std::uint64_t bytes;
            std::uint32_t value;  ///< its number from 1; 0: the slot is free
            std::uint32_t offset;
        };
        void insert(const Slot& slot);
        std::size_t begin_of(std::uint64_t bytes) const;

        std::vector<Slot, SecretAllocator<Slot>> slots_;
        std::size_t used_ = 0;
    };
    struct Value {
        Secret bytes;
        Pieces pieces;
    };

    bool knows(std::string_view value, Pieces pieces) const;
    void search_by_four(const Searched& searched, std::size_t at, const Found& found) const;
    void search_by_eight(const Searched& searched, std::size_t at, const Found& found) const;
    void search_words(const Searched& searched, std::size_t at, const Found& found) const;

    std::vector<Value> values_;
    Table by_four_;
    Table by_eight_;
    std::vector<std::uint32_t> words_;
};

}  // namespace certcast
