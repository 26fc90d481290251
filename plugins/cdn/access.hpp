#pragma once

#include <certcast/deployer.hpp>
#include <certcast/http.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace cdn {

// What the deployers of all vendors take to get there.
inline constexpr auto ca_file_parameter =
    certcast::path("ca_file").reads().must_exist().advanced().doc(
        "Who has issued the certificates of the vendor's servers, as PEM; default: whom the system "
        "trusts");
inline constexpr auto proxy_parameter =
    certcast::secret("proxy").advanced().doc("http://[USER:PASSWORD@]HOST:PORT, which leads there");
inline constexpr auto request_timeout_parameter = certcast::duration("request_timeout")
                                                      .default_to("30s")
                                                      .between(100, 3'600'000)
                                                      .advanced()
                                                      .doc("What a single request may take");
inline constexpr auto poll_parameter =
    certcast::duration("poll")
        .default_to("10s")
        .between(10, 3'600'000)
        .advanced()
        .doc("How often the vendor is asked whether a change is live");
/// `change`: what bringing a change out to all of the vendor's servers may take.
constexpr certcast::Timeouts timeouts(std::chrono::milliseconds change) {
    return {.inspect = std::chrono::minutes(2),
            .deploy = change,
            .verify = std::chrono::minutes(2),
            .settle = std::chrono::minutes(5),
            .rollback = change};
}
/// With them goes what the vendor's servers are known by.
inline constexpr auto trust_store = certcast::reads("/etc/ssl/certs");

certcast::http::Settings settings_of(const certcast::Job& job);

/// The URL in it, without slashes at its end. REQUIRES: expect_https has looked at it.
std::string endpoint_of(std::string_view url);
/// In validate: a key goes by https alone.
void expect_https(std::string_view parameter, std::string_view url, const certcast::Job& job);

}  // namespace cdn
