#pragma once

#include "core/base/error.hpp"
#include "core/pipeline/pipeline.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace certcast {

/// What an ACME client has told the hook that it runs.
struct Renewal {
    enum class Client { certbot, acme_sh, lego, dehydrated };
    enum class News {
        renewed,
        unchanged,    ///< nothing new; what has failed before may be tried again
        of_no_matter  ///< another thing that a client tells its hooks
    };
    Client client = Client::certbot;
    News news = News::renewed;
    std::vector<std::filesystem::path> files;  ///< of the certificate, or the folder that has them
};

/// By name, or nothing.
using Variables = std::function<std::optional<std::string>(const char* name)>;

/// `from`: "certbot", "acme.sh", "lego", "dehydrated", or "auto", which finds out. `arguments`:
/// what dehydrated gives its hook.
Result<Renewal> read_renewal(const std::string& from, std::span<const std::string> arguments,
                             const Variables& variables);

/// The certificates of a pipeline that are read from there.
std::vector<std::string> certificates_of(const Pipeline& pipeline, const Renewal& renewal);

/// Leaves only what deploys them.
void keep_deployments_of(const Renewal& renewal, Pipeline& pipeline);

/// The same, and says where that is nothing: other pipelines may have some,
/// and a client tells of all that it renews.
bool has_deployments_of(const Renewal& renewal, Pipeline& pipeline);

}  // namespace certcast
