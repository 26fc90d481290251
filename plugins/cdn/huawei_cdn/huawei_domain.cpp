#include "plugins/cdn/huawei_cdn/huawei_domain.hpp"

#include "plugins/cdn/letters.hpp"
#include "plugins/cdn/signing/digest.hpp"
#include "plugins/cdn/signing/sdk_hmac.hpp"
#include "plugins/json/parts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>
#include <certcast/pem.hpp>

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

namespace {

constexpr std::array codes{
    CodeMeaning{"APIGW.0308", Meaning::throttled},
    CodeMeaning{"*", Meaning::clock, "signature expired"},
    CodeMeaning{"APIGW.03*", Meaning::auth},
    CodeMeaning{"APIGW.0201", Meaning::later},
    CodeMeaning{"CDN.0000", Meaning::later},
    CodeMeaning{"CDN.0002", Meaning::auth},
    CodeMeaning{"CDN.0004", Meaning::auth},
    CodeMeaning{"CDN.0020", Meaning::auth},
    CodeMeaning{"CDN.0021", Meaning::auth},
    CodeMeaning{"CDN.0105", Meaning::config},
    CodeMeaning{"CDN.0106", Meaning::later},
    CodeMeaning{"CDN.0407", Meaning::conflict},  // it is not there any more
    CodeMeaning{"CDN.04*", Meaning::config},
    CodeMeaning{"SCM.0003", Meaning::auth},
    CodeMeaning{"SCM.0008", Meaning::missing},
    CodeMeaning{"SCM.0020", Meaning::missing},
    CodeMeaning{"SCM.0010", Meaning::in_use},
    CodeMeaning{"SCM.0*", Meaning::config},
};

constexpr std::int64_t managed_certificate = 2;  // certificate_type: of SSL Certificate Manager

/// {"error_code", "error_msg"}, at the top or in "error"; CDN has some with the status 200.
std::optional<Refusal> refusal_in(const http::Response& response) {
    json::error_code error;
    const json::value body = json::parse(response.body.text(), error);
    if (!error && body.is_object()) {
        const json::object& top = body.get_object();
        const json::object& refused = top.contains("error") ? part_of(top, "error") : top;
        if (const auto code = text_in(refused, "error_code")) {
            return Refusal{std::string(*code),
                           std::string(text_in(refused, "error_msg").value_or("")),
                           response.status};
        }
    }
    if (response.is_good()) return std::nullopt;
    return Refusal{.status = response.status};
}

/// What a write would set back to its default, were it left out.
json::object settings_in(const json::object& https) {
    json::object settings{{"https_switch", 1}};
    // As it is read, the way to the origin is the status of HTTPS.
    if (const std::int64_t way = number_in(https, "https_status"); way > 0) {
        settings["access_origin_way"] = way;
    }
    if (https.contains("http2")) settings["http2"] = number_in(https, "http2");
    if (const json::object& redirect = part_of(https, "force_redirect_config"); !redirect.empty()) {
        settings["force_redirect_config"] = redirect;
    } else if (const std::int64_t old = number_in(https, "force_redirect_https"); old > 0) {
        settings["force_redirect_https"] = old;
    }
    return settings;
}

}  // namespace

HuaweiDomain::HuaweiDomain(std::string_view domain, HuaweiAccess access)
    : domain_(lower(domain)),
      access_(std::move(access)),
      api_(std::move(access_.http), refusal_in, codes) {
    api_.renews_by([this](const certcast::Job& job) { access_.credentials.renew(job); });
}

std::string HuaweiDomain::text() const {
    return "the domain " + domain_ + " at Huawei Cloud";
}

Api::MakeRequest HuaweiDomain::request_of(const std::string& method, const std::string& url,
                                          const json::object* body, const certcast::Job& job) {
    return
        [this, method, url, &job, text = Sensitive(body != nullptr ? json::serialize(*body) : "")] {
            http::Request request{.method = method, .url = url, .body = text};
            if (!text.empty()) request.headers.emplace_back("Content-Type", "application/json");
            sign_sdk_hmac(request, access_.credentials.get(job), std::chrono::system_clock::now());
            return request;
        };
}

json::object HuaweiDomain::read(const std::string& what, const std::string& url,
                                const certcast::Job& job) {
    return object_in(api_.ask(what, request_of("GET", url, nullptr, job), job), what);
}

Binding HuaweiDomain::binding(const certcast::Job& job) {
    const json::object domain = details(job);
    Binding binding{.settings = {{"https_switch", 0}}};
    const std::string status(text_in(domain, "domain_status").value_or(""));
    if (status == "configuring") binding.under_way = "its settings are being brought out";
    if (status.ends_with("_failed")) binding.failure = "the domain's status is " + status;
    constexpr std::int64_t unsaid = -1;
    const std::int64_t https_status = number_in(domain, "https_status", unsaid);
    if (https_status == 0) return binding;
    const json::object answer =
        read("reading " + text(),
             access_.cdn + "/v1.0/cdn/domains/https-certificate-info?domain_name=" +
                 http::encoded(domain_) + project("&"),
             job);
    for (const json::object* https : parts_of(answer, "https")) {
        if (text_in(*https, "domain_name") != domain_) continue;
        const std::string name(text_in(*https, "cert_name").value_or(""));
        const std::string pem(text_in(*https, "certificate").value_or(""));
        const auto leaf = certcast::first_certificate(pem);
        if (leaf) binding.pem = pem;
        binding.settings = settings_in(*https);
        binding.settings["cert_name"] = name;
        // CDN shows the name of a certificate alone.
        const auto id = leaf ? id_of(name, *leaf, job) : std::nullopt;
        binding.id = id.value_or("of CDN itself: " + name);
        if (id) {
            binding.settings["certificate_type"] = managed_certificate;
            binding.settings["scm_certificate_id"] = *id;
        }
    }
    if (!binding.id.empty() || https_status == unsaid) return binding;
    throw certcast::config_error(
        text() +
        " has HTTPS, but its certificate may not be read; is it of another "
        "project ('enterprise_project_id')?");
}

json::object HuaweiDomain::details(const certcast::Job& job) {
    const json::object answer = read(
        "reading the status of " + text(),
        access_.cdn + "/v1.0/cdn/configuration/domains/" + http::encoded(domain_) + project("?"),
        job);
    return part_of(answer, "domain");
}

std::string HuaweiDomain::project(const char* separator) const {
    if (access_.project.empty()) return {};
    return separator + ("enterprise_project_id=" + http::encoded(access_.project));
}

/// By its name and the fingerprint (SHA-1) that is told of each; of several the first.
std::optional<std::string> HuaweiDomain::id_of(std::string_view name, std::string_view leaf_der,
                                               const certcast::Job& job) {
    constexpr std::int64_t page_size = 50;
    constexpr std::int64_t largest_offset = 100;
    const std::string what = "looking for the certificate " + std::string(name);
    const std::string wanted = sha1_hex(leaf_der);
    std::optional<std::string> found;
    for (std::int64_t offset = 0;; offset += page_size) {
        const json::object answer =
            read(what,
                 access_.certificates + "/v3/scm/certificates?content=" + http::encoded(name) +
                     "&limit=" + std::to_string(page_size) + "&offset=" + std::to_string(offset) +
                     "&sort_dir=ASC&sort_key=certUpdateTime" + project("&"),
                 job);
        for (const json::object* one : parts_of(answer, "certificates")) {
            const std::string id(text_in(*one, "id").value_or(""));
            if (text_in(*one, "name") != name || (found && *found < id)) continue;
            if (fingerprint_of(id, job) == wanted) found = id;
        }
        const bool is_last = offset + page_size >= number_in(answer, "total_count");
        if (is_last || offset + page_size > largest_offset) return found;
    }
}

std::string HuaweiDomain::fingerprint_of(const std::string& id, const certcast::Job& job) {
    const json::object shown =
        read("reading the certificate " + id,
             access_.certificates + "/v3/scm/certificates/" + http::encoded(id), job);
    std::string fingerprint = lower(text_in(shown, "fingerprint").value_or(""));
    std::erase(fingerprint, ':');
    return fingerprint;
}

std::optional<std::string> HuaweiDomain::find(const Contents& contents, const certcast::Job& job) {
    const auto leaf = certcast::first_certificate(contents.leaf_pem);
    return id_of(name_of(contents.fullchain_pem()), leaf.value_or(""), job);
}

Uploaded HuaweiDomain::upload(const Contents& contents, const certcast::Job& job) {
    const std::string what = "importing the certificate";
    const std::string name = name_of(contents.fullchain_pem());
    json::object values{{"name", name},
                        {"certificate", contents.leaf_pem},
                        {"private_key", contents.key_pem.text()}};
    if (!access_.project.empty()) values["enterprise_project_id"] = access_.project;
    if (!contents.chain_pem.empty()) values["certificate_chain"] = contents.chain_pem;
    const auto request =
        request_of("POST", access_.certificates + "/v3/scm/certificates/import", &values, job);
    const json::object answer = object_in(api_.ask_once(what, request, job), what);
    const std::string id(text_in(answer, "certificate_id").value_or(""));
    if (id.empty()) {
        throw certcast::remote_error(what + ": the answer has no certificate_id").retry_later();
    }
    // CDN shows names alone: of those that several deployments import at once, the first counts.
    const std::string first = find(contents, job).value_or(id);
    if (first != id) delete_certificate(id, job);
    return {first, name};
}

void HuaweiDomain::write(const std::string& what, const json::object& https,
                         const certcast::Job& job) {
    const json::object body{{"https", https}};
    const std::string url = access_.cdn + "/v1.0/cdn/domains/config-https-info" + project("?");
    const json::object answer = asked_to_write(what, request_of("PUT", url, &body, job), job);
    for (const json::object* one : parts_of(answer, "result")) {
        if (text_in(*one, "status") != "fail") continue;
        throw certcast::remote_error(
            what + ": " + std::string(text_in(*one, "reason").value_or("it has failed")));
    }
}

/// That the domain's status does not permit it passes where it is being configured, and only there.
json::object HuaweiDomain::asked_to_write(const std::string& what, const Api::MakeRequest& request,
                                          const certcast::Job& job) {
    try {
        return object_in(api_.ask_once(what, request, job), what);
    } catch (const certcast::remote_error& error) {
        if (error.code() != "CDN.0106") throw;
        const std::string status(text_in(details(job), "domain_status").value_or(""));
        if (status == "configuring" || status == "online") throw;
        throw certcast::config_error(std::string(error.what()) + "; its status is " + status)
            .code(error.code());
    }
}

void HuaweiDomain::bind(const Uploaded& certificate, const Binding& before,
                        const certcast::Job& job) {
    const bool is_lost = !before.settings.contains("scm_certificate_id");
    if (!before.id.empty() && is_lost) warn_of_loss(*this, job);
    json::object https = before.settings;
    https["domain_name"] = domain_;
    https["https_switch"] = 1;
    https["certificate_type"] = managed_certificate;
    https["scm_certificate_id"] = certificate.id;
    https["cert_name"] = certificate.name;
    write("binding " + text() + " to the certificate " + certificate.id, https, job);
}

void HuaweiDomain::restore(const json::object& former, const Binding& now,
                           const certcast::Job& job) {
    const bool was_on = number_in(former, "https_switch") == 1;
    if (was_on && !former.contains("scm_certificate_id")) throw_lost(*this);
    json::object https = was_on ? now.settings : json::object{{"https_switch", 0}};
    https["domain_name"] = domain_;
    for (const char* key : {"certificate_type", "scm_certificate_id", "cert_name"}) {
        if (was_on) https[key] = former.at(key);
    }
    write("binding " + text() + " to its former certificate", https, job);
}

bool HuaweiDomain::remove(const Uploaded& certificate, const certcast::Job& job) {
    if (is_used(certificate, job)) return false;
    return delete_certificate(certificate.id, job);
}

bool HuaweiDomain::delete_certificate(const std::string& id, const certcast::Job& job) {
    const Api::Answer answer = api_.ask_despite(
        {Meaning::missing, Meaning::in_use}, "removing the certificate " + id,
        request_of("DELETE", access_.certificates + "/v3/scm/certificates/" + http::encoded(id),
                   nullptr, job),
        job);
    return answer.response || answer.meaning == Meaning::missing;
}

/// By the names of the certificates that domains have: nobody documents that what is in use is not
/// deleted.
bool HuaweiDomain::is_used(const Uploaded& certificate, const certcast::Job& job) {
    constexpr std::int64_t page_size = 100;
    const std::string what = "asking what uses the certificate " + certificate.id;
    for (std::int64_t page = 1;; ++page) {
        const json::object answer =
            read(what,
                 access_.cdn + "/v1.0/cdn/domains/https-certificate-info?page_size=" +
                     std::to_string(page_size) + "&page_number=" + std::to_string(page) +
                     (access_.project.empty() ? "" : "&enterprise_project_id=all"),
                 job);
        for (const json::object* one : parts_of(answer, "https")) {
            if (text_in(*one, "cert_name") == certificate.name) return true;
        }
        if (page * page_size >= number_in(answer, "total")) return false;
    }
}

}  // namespace cdn
