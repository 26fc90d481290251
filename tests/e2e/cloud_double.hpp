#pragma once

#include "tests/worker/workspace.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast::testing {

/// What a double has been sent, and what it answered.
struct CloudRequest {
    std::string action;
    std::string method;
    std::string url;
    std::string headers;  ///< as JSON
    std::string body;
    std::int64_t answer = 0;  ///< its status; 0: none was sent
    std::string code;         ///< the vendor's, of an error
};

/// The double of a cloud vendor (tests/cdn) that runs on a port of its own, and holds the vendor's
/// objects. Its certificate is one of the workspace's authority.
class CloudDouble {
public:
    /// `script`: a file of tests/cdn. `settings`: what is in double.json.
    CloudDouble(const Workspace& workspace, const std::string& script,
                const boost::json::object& settings);
    CloudDouble(const CloudDouble&) = delete;
    CloudDouble& operator=(const CloudDouble&) = delete;
    ~CloudDouble();

    std::uint16_t port() const { return port_; }
    /// "https://127.0.0.1:PORT", where `scheme` is no other.
    std::string url(const std::string& scheme = "https") const;
    /// The vendor's objects as they are now.
    boost::json::object state() const;
    std::vector<CloudRequest> requests() const;
    /// How often an action was asked for.
    std::size_t count(std::string_view action) const;
    /// A list of faults, as tests/cdn/double.mjs has them.
    void set_faults(const std::string& faults) const;

private:
    std::filesystem::path folder_;
    int stdin_ = -1;  ///< the double ends with whoever holds it
    std::uint16_t port_ = 0;
    std::unique_ptr<Process> process_;
};

}  // namespace certcast::testing
