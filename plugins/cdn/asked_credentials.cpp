#include "plugins/cdn/asked_credentials.hpp"

namespace cdn {

const Credentials& AskedCredentials::get(const certcast::Job& job) {
    constexpr auto early = std::chrono::minutes(5);
    const bool is_over =
        given_ && given_->until && std::chrono::system_clock::now() + early > *given_->until;
    if (!given_ || is_over) given_ = source_(job, false);
    return given_->credentials;
}

}  // namespace cdn
