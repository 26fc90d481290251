#include "plugins/cdn/aws_cloudfront/aws_credentials.hpp"

#include "plugins/cdn/api.hpp"
#include "plugins/json/parts.hpp"

#include <certcast/errors.hpp>
#include <certcast/files.hpp>

#include <algorithm>
#include <map>

namespace cdn {

namespace http = certcast::http;
namespace json = boost::json;
using certcast::Sensitive;

namespace {

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

}  // namespace

Credentials profile_in(const std::filesystem::path& file, std::string_view text,
                       std::string_view profile) {
    std::map<std::string, Sensitive, std::less<>> values;
    bool is_it = false;
    bool is_there = false;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#' || line.front() == ';') continue;
        if (line.front() == '[') {
            const std::size_t close = line.find(']');
            is_it = trimmed(line.substr(1, close == std::string_view::npos ? close : close - 1)) ==
                    profile;
            is_there = is_there || is_it;
            continue;
        }
        const std::size_t equals = line.find('=');
        if (!is_it || equals == std::string_view::npos) continue;
        values[std::string(trimmed(line.substr(0, equals)))] =
            Sensitive(trimmed(line.substr(equals + 1)));
    }
    const std::string where = file.string() + ", profile '" + std::string(profile) + "'";
    if (!is_there) throw certcast::config_error(where + ": there is no such profile");
    const auto value = [&](const char* key) {
        const auto found = values.find(key);
        if (found != values.end()) return found->second;
        throw certcast::config_error(where + " has no " + key +
                                     "; roles, SSO and programs of a profile are not supported");
    };
    Credentials credentials{
        std::string(value("aws_access_key_id").text()), value("aws_secret_access_key"), {}};
    if (const auto token = values.find("aws_session_token"); token != values.end()) {
        credentials.token = token->second;
    }
    return credentials;
}

Credentials read_profile(const std::filesystem::path& file, std::string_view profile) {
    const certcast::FileImage image = certcast::read_file(file);
    if (!image.present) throw certcast::config_error(file.string() + " is not there");
    return profile_in(file, image.contents.text(), profile);
}

AskedCredentials::Given ask_metadata(const std::string& endpoint, const certcast::Job& job) {
    http::Client client({.connect_timeout = std::chrono::seconds(2),
                         .longest_request = std::chrono::seconds(10),
                         .allows_plain = true});
    const auto ask = [&](const char* method, const std::string& path, const char* name,
                         const Sensitive& value) {
        const std::string what = "asking the instance metadata service for " + path;
        http::Response response = client.send(
            {.method = method, .url = endpoint + path, .headers = {{name, value}}}, job);
        http::expect_good(response, what);
        return response;
    };
    const char* const token_name = "X-aws-ec2-metadata-token";
    const Sensitive token =
        ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", Sensitive("300"))
            .body;
    const std::string folder = "/latest/meta-data/iam/security-credentials/";
    const std::string role(trimmed(ask("GET", folder, token_name, token).body.text()));
    if (role.empty() || role.find('\n') != std::string::npos) {
        throw certcast::config_error("the instance metadata service names no role of this machine");
    }
    const std::string what = "the credentials of the role " + role;
    const json::object said =
        object_in(ask("GET", folder + http::encoded(role), token_name, token), what);
    const auto text = [&](const char* key) {
        const auto value = json_parts::text_in(said, key);
        if (!value || value->empty()) throw certcast::remote_error(what + " have no " + key);
        return *value;
    };
    return {.credentials = {std::string(text("AccessKeyId")), Sensitive(text("SecretAccessKey")),
                            Sensitive(text("Token"))},
            .until = json_parts::time_in(said, "Expiration")};
}

}  // namespace cdn
