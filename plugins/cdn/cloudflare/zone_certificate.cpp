#include "plugins/cdn/cloudflare/zone_certificate.hpp"

#include "plugins/cdn/letters.hpp"
#include "plugins/cdn/state.hpp"
#include "plugins/json/parts.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace cdn {

namespace http = certcast::http;
namespace json = boost::json;
using certcast::Sensitive;
using json_parts::number_in;
using json_parts::part_of;
using json_parts::parts_of;
using json_parts::text_in;
using json_parts::time_in;
using std::chrono::system_clock;

namespace {

constexpr std::array codes{
    CodeMeaning{"1000", Meaning::auth},     CodeMeaning{"6003", Meaning::auth},
    CodeMeaning{"6111", Meaning::auth},     CodeMeaning{"9106", Meaning::auth},
    CodeMeaning{"9109", Meaning::auth},     CodeMeaning{"10000", Meaning::auth},
    CodeMeaning{"7000", Meaning::config},   CodeMeaning{"7003", Meaning::config},
    CodeMeaning{"1002", Meaning::missing},  CodeMeaning{"1206", Meaning::config},
    CodeMeaning{"1212", Meaning::config},   CodeMeaning{"1220", Meaning::conflict},
    CodeMeaning{"21*", Meaning::config},    CodeMeaning{"2200", Meaning::config},
    CodeMeaning{"971", Meaning::throttled},
};

/// {"success": false, "errors": [{"code", "message"}]}
std::optional<Refusal> refusal_in(const http::Response& response) {
    json::error_code error;
    const json::value body = json::parse(response.body.text(), error);
    if (error || !body.is_object()) {
        if (response.is_good()) return std::nullopt;
        return Refusal{.status = response.status};
    }
    const json::value* const success = body.get_object().if_contains("success");
    const bool is_good = success != nullptr && success->is_bool() && success->get_bool();
    if (response.is_good() && is_good) return std::nullopt;
    Refusal refusal{.status = response.status};
    for (const json::object* one : parts_of(body.get_object(), "errors")) {
        if (refusal.code.empty()) refusal.code = std::to_string(number_in(*one, "code"));
        if (!refusal.message.empty()) refusal.message += "; ";
        refusal.message += text_in(*one, "message").value_or("");
    }
    return refusal;
}

}  // namespace

bool ZoneCertificate::Listed::is_for(const std::vector<std::string>& names) const {
    return !hosts.empty() && std::all_of(hosts.begin(), hosts.end(), [&](const std::string& host) {
        return std::find(names.begin(), names.end(), host) != names.end();
    });
}

ZoneCertificate::ZoneCertificate(CloudflareAccess access)
    : access_(std::move(access)), api_(std::move(access_.http), refusal_in, codes) {}

std::string ZoneCertificate::text() const {
    return "the zone " + access_.zone + " at Cloudflare";
}

std::string ZoneCertificate::path(const std::string& id) const {
    return access_.endpoint + "/zones/" + http::encoded(access_.zone) + "/custom_certificates" +
           (id.empty() ? "" : "/" + http::encoded(id));
}

Api::MakeRequest ZoneCertificate::request_of(const std::string& method, const std::string& url,
                                             const json::object* body) const {
    return [this, method, url, text = Sensitive(body != nullptr ? json::serialize(*body) : "")] {
        http::Request request{.method = method,
                              .url = url,
                              .headers = {{"Authorization", "Bearer " + access_.token}},
                              .body = text};
        if (!text.empty()) request.headers.emplace_back("Content-Type", "application/json");
        return request;
    };
}

ZoneCertificate::Listed ZoneCertificate::listed_in(const json::object& result) {
    Listed listed{.id = std::string(text_in(result, "id").value_or("")),
                  .status = std::string(text_in(result, "status").value_or("")),
                  .uploaded_on = std::string(text_in(result, "uploaded_on").value_or("")),
                  .expires_on = system_clock::to_time_t(
                      time_in(result, "expires_on").value_or(system_clock::time_point()))};
    const json::value* const hosts = result.if_contains("hosts");
    if (hosts != nullptr && hosts->is_array()) {
        for (const json::value& host : hosts->get_array()) {
            if (host.is_string()) listed.hosts.push_back(lower(host.get_string()));
        }
    }
    return listed;
}

/// The newest first.
std::vector<ZoneCertificate::Listed> ZoneCertificate::all(const certcast::Job& job) {
    constexpr std::size_t page_size = 50;
    const std::string what = "reading the certificates of " + text();
    std::vector<Listed> found;
    for (int page = 1;; ++page) {
        const std::string url =
            path() + "?page=" + std::to_string(page) + "&per_page=" + std::to_string(page_size);
        const json::object answer = object_in(api_.ask(what, request_of("GET", url), job), what);
        const auto results = parts_of(answer, "result");
        for (const json::object* one : results) found.push_back(listed_in(*one));
        if (results.size() < page_size) break;
    }
    std::sort(found.begin(), found.end(), [](const Listed& left, const Listed& right) {
        return left.uploaded_on > right.uploaded_on;
    });
    return found;
}

std::optional<ZoneCertificate::Listed> ZoneCertificate::get(const std::string& id,
                                                            const certcast::Job& job) {
    const std::string what = "reading the certificate " + id + " of " + text();
    const Api::Answer answer =
        api_.ask_despite({Meaning::missing}, what, request_of("GET", path(id)), job);
    if (!answer.response) return std::nullopt;
    Listed found = listed_in(part_of(object_in(*answer.response, what), "result"));
    if (found.status == "deleted") return std::nullopt;
    return found;
}

std::optional<ZoneCertificate::Listed> ZoneCertificate::of_hosts(
    const std::vector<std::string>& hosts, const certcast::Job& job) {
    for (Listed& one : all(job)) {
        if (one.is_for(hosts) && one.status != "deleted") return std::move(one);
    }
    return std::nullopt;
}

/// By the id that it had last; behind a change that nobody has heard the end of, by its hosts.
Binding ZoneCertificate::binding(const certcast::Job& job) {
    std::optional<Listed> found;
    const State state(job.state());
    if (id_.empty() && state.kept()) id_ = state.kept()->id;
    if (!id_.empty()) found = get(id_, job);
    if (!found && state.kept())
        found = of_hosts(leaf_in(state.kept()->contents.leaf_pem).names, job);
    if (!found) found = of_hosts(leaf_in(job.leaf_pem()).names, job);
    if (!found) return {};
    id_ = found->id;
    Binding binding{.id = found->id};
    if (!found->is_there()) {
        binding.failure = "its certificate is " + found->status;
    } else if (found->status != "active") {
        binding.under_way = "its certificate is " + found->status;
    }
    return binding;
}

std::optional<std::string> ZoneCertificate::find(const Contents& contents,
                                                 const certcast::Job& job) {
    const Leaf leaf = leaf_in(contents.leaf_pem);
    for (const Listed& one : all(job)) {
        const bool is_it = one.is_there() && one.expires_on == leaf.not_after;
        if (is_it && one.is_for(leaf.names)) return one.id;
    }
    return std::nullopt;
}

json::object ZoneCertificate::body_of(const Contents& contents) const {
    return {{"certificate", contents.fullchain_pem()},
            {"private_key", contents.key_pem.text()},
            {"bundle_method", access_.bundle_method}};
}

std::string ZoneCertificate::id_in(const http::Response& response, const std::string& what) {
    id_ = text_in(part_of(object_in(response, what), "result"), "id").value_or("");
    if (!id_.empty()) return id_;
    throw certcast::remote_error(what + ": the answer has no id").retry_later();
}

Uploaded ZoneCertificate::upload(const Contents& contents, const certcast::Job& job) {
    const std::string what = "uploading the certificate to " + text();
    json::object body = body_of(contents);
    body["type"] = access_.type;
    try {
        return {id_in(api_.ask_once(what, request_of("POST", path(), &body), job), what),
                name_of(contents.fullchain_pem())};
    } catch (const certcast::config_error& error) {
        const bool is_full = error.code() == "1212";
        if (!is_full || !of_hosts(leaf_in(contents.leaf_pem).names, job)) throw;
        throw certcast::config_error(std::string(error.what()) +
                                     "; takeover = true replaces the one for the same hosts, "
                                     "which certcast has not put there")
            .code(error.code());
    }
}

/// A change whose answer is lost has been made under another id.
std::string ZoneCertificate::replace(const std::string& id, const Contents& contents,
                                     const certcast::Job& job) {
    const std::string what = "replacing the certificate " + id + " of " + text();
    const json::object body = body_of(contents);
    const Api::Answer answer = api_.ask_despite({Meaning::missing, Meaning::conflict}, what,
                                                request_of("PATCH", path(id), &body), job);
    if (answer.response) return id_in(*answer.response, what);
    if (auto found = find(contents, job)) {
        id_ = *found;
        return id_;
    }
    throw_refusal(what, answer.refusal, answer.meaning);
}

bool ZoneCertificate::remove(const Uploaded& certificate, const certcast::Job& job) {
    api_.ask_despite({Meaning::missing},
                     "removing the certificate " + certificate.id + " of " + text(),
                     request_of("DELETE", path(certificate.id)), job);
    if (id_ == certificate.id) id_.clear();
    return true;
}

}  // namespace cdn
