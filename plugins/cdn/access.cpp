#include "plugins/cdn/access.hpp"

#include <certcast/files.hpp>
#include <certcast/pem.hpp>

#include <utility>

namespace cdn {

certcast::http::Settings settings_of(const certcast::Job& job) {
    certcast::http::Settings settings;
    if (const auto file = job[ca_file_parameter]) {
        settings.ca_pem = certcast::read_file(*file).contents.text();
        if (certcast::certificates_in(settings.ca_pem).empty()) {
            throw certcast::config_error(file->string() + " has no certificate in it ('ca_file')");
        }
    }
    if (auto proxy = job.secret(proxy_parameter)) settings.proxy = *std::move(proxy);
    settings.longest_request = job[request_timeout_parameter];
    return settings;
}

std::string endpoint_of(std::string_view url) {
    while (url.ends_with('/')) url.remove_suffix(1);
    return std::string(url);
}

void expect_https(std::string_view parameter, std::string_view url, const certcast::Job& job) {
    if (url.starts_with("https://")) return;
    job.diagnose(certcast::Level::error, parameter, "keys go by https alone",
                 "expected https://HOST[:PORT]");
}

}  // namespace cdn
