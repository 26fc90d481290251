#pragma once

#include "plugins/cdn/contents.hpp"

#include <certcast/job.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cdn {

struct Uploaded {
    std::string id;
    std::string name;
    bool is_ours = true;  ///< else the vendor had it already, and it stays

    friend bool operator==(const Uploaded&, const Uploaded&) = default;
};

/// What was put there last. No vendor gives a key back, and without it nobody could bring it back.
struct Kept {
    std::string id;
    Contents contents;
};

/// What later runs are told of one domain: the certificates that were uploaded for it and may still
/// be there.
class State {
public:
    explicit State(std::string_view stored);

    const std::vector<Uploaded>& certificates() const { return certificates_; }
    bool has(std::string_view id, std::string_view name) const;
    const std::optional<Kept>& kept() const { return kept_; }

    void add(const Uploaded& one, const certcast::Job& job);
    void remove(std::string_view id, const certcast::Job& job);
    void keep(Kept kept, const certcast::Job& job);

private:
    void store(const certcast::Job& job) const;

    std::vector<Uploaded> certificates_;
    std::optional<Kept> kept_;
};

}  // namespace cdn
