// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/job.hpp>

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace certcast {

/// What inspect found in all places of one certificate. Of places that hold different ones none is
/// what all of them should serve again, so then it is unknown.
class LeafOfPlaces {
public:
    /// `leaf`: as DER; nothing where none is there, or what is there cannot be read.
    void add(bool is_there, std::optional<std::string> leaf) {
        unreadable_ = unreadable_ || (is_there && !leaf);
        leaves_.insert(std::move(leaf));
    }
    void tell(const Job& job, bool as_wanted, std::size_t certificate = 0) const {
        if (leaves_.size() == 1 && !unreadable_) {
            job.live(*leaves_.begin(), as_wanted, certificate);
        } else {
            job.live_unknown(certificate, as_wanted);
        }
    }

private:
    std::set<std::optional<std::string>> leaves_;
    bool unreadable_ = false;
};

}  // namespace certcast
