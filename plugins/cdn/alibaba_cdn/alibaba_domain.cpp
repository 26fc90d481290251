#include "plugins/cdn/alibaba_cdn/alibaba_domain.hpp"

#include "plugins/cdn/signing/acs3.hpp"
#include "plugins/cdn/signing/digest.hpp"
#include "plugins/json/parts.hpp"

#include <openssl/rand.h>
#include <boost/json/parse.hpp>
#include <certcast/errors.hpp>
#include <certcast/pem.hpp>

#include <array>
#include <chrono>

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
    CodeMeaning{"Throttling*", Meaning::throttled},
    CodeMeaning{"ServiceUnavailable*", Meaning::later},
    CodeMeaning{"InternalError*", Meaning::later},
    CodeMeaning{"ServiceBusy", Meaning::later},
    CodeMeaning{"SignatureNonceUsed", Meaning::later},  // the next one has another
    CodeMeaning{"InvalidTimeStamp.Expired", Meaning::clock},
    CodeMeaning{"IncompleteSignature", Meaning::auth},
    CodeMeaning{"SignatureDoesNotMatch", Meaning::auth},
    CodeMeaning{"InvalidAccessKeyId*", Meaning::auth},
    CodeMeaning{"InvalidSecurityToken*", Meaning::auth},
    CodeMeaning{"Forbidden*", Meaning::auth},
    CodeMeaning{"NoPermission*", Meaning::auth},
    CodeMeaning{"InvalidDomain.NotFound", Meaning::config},
    CodeMeaning{"InvalidParameter*", Meaning::config},
    CodeMeaning{"NameRepeat", Meaning::conflict},
    CodeMeaning{"NotFound", Meaning::missing},
    CodeMeaning{"CertNotExisted", Meaning::missing},
    // Of a certificate that is not there any more, or is kept in another region.
    CodeMeaning{"SSLPri.MissingParameter", Meaning::conflict},
    CodeMeaning{"InvalidStatus.DeleteProtection", Meaning::in_use},
};

std::optional<Refusal> refusal_in(const http::Response& response) {
    if (response.is_good()) return std::nullopt;
    Refusal refusal{.status = response.status};
    json::error_code error;
    const json::value body = json::parse(response.body.text(), error);
    if (!error && body.is_object()) {
        refusal.code = text_in(body.get_object(), "Code").value_or("");
        refusal.message = text_in(body.get_object(), "Message").value_or("");
    }
    return refusal;
}

std::string nonce() {
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) throw certcast::internal_error("no random bytes");
    return hex(std::string_view(reinterpret_cast<const char*>(bytes), sizeof(bytes)));
}

/// Ids are numbers in one place and texts in another.
std::string id_in(const json::object& object, std::string_view key) {
    const json::value* const found = object.if_contains(key);
    if (found == nullptr) return {};
    if (found->is_int64()) return std::to_string(found->get_int64());
    return found->is_string() ? std::string(found->get_string()) : std::string();
}

}  // namespace

AlibabaDomain::AlibabaDomain(std::string domain, AlibabaAccess access)
    : domain_(std::move(domain)),
      access_(std::move(access)),
      api_(std::move(access_.http), refusal_in, codes) {
    api_.renews_by([this](const certcast::Job& job) { access_.credentials.renew(job); });
}

std::string AlibabaDomain::text() const {
    return "the domain " + domain_ + " at Alibaba Cloud";
}

AlibabaDomain::Action AlibabaDomain::certificates(std::string name) const {
    return {access_.certificates, "2020-04-07", std::move(name)};
}

AlibabaDomain::Action AlibabaDomain::cdn(std::string name) const {
    return {access_.cdn, "2018-05-10", std::move(name)};
}

http::Request AlibabaDomain::request_of(const Action& action, const FormValues& values,
                                        const certcast::Job& job) {
    Sensitive form = form_of(values);
    http::Request request{
        .method = action.method,
        .url = action.url + "/",
        .headers = {{"x-acs-action", action.name}, {"x-acs-version", action.version}}};
    if (access_.asks_by_query || action.method == "GET") {
        request.url += "?" + std::string(form.text());
    } else {
        request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
        request.body = std::move(form);
    }
    sign_acs3(request, access_.credentials.get(job), nonce(), std::chrono::system_clock::now());
    return request;
}

json::object AlibabaDomain::ask(const std::string& what, const Action& action,
                                const FormValues& values, const certcast::Job& job) {
    const auto request = [&] { return request_of(action, values, job); };
    return object_in(api_.ask(what, request, job), what);
}

Binding AlibabaDomain::binding(const certcast::Job& job) {
    const std::string what = "reading " + text();
    const json::object answer =
        ask(what, cdn("DescribeDomainCertificateInfo"), {{"DomainName", Sensitive(domain_)}}, job);
    const auto all = parts_of(part_of(answer, "CertInfos"), "CertInfo");
    if (all.empty()) return {.settings = {{"SSLProtocol", "off"}}};
    const json::object& info = *all.front();
    if (text_in(info, "ServerCertificateStatus") != "on") {
        return {.settings = {{"SSLProtocol", "off"}}};
    }
    Binding binding{.id = id_in(info, "CertId"),
                    .settings = {{"SSLProtocol", "on"}, {"CertId", id_in(info, "CertId")}}};
    for (const char* key : {"CertName", "CertType", "CertRegion"}) {
        if (const auto value = text_in(info, key)) binding.settings[key] = *value;
    }
    const std::string pem(text_in(info, "ServerCertificate").value_or(""));
    if (certcast::first_certificate(pem)) binding.pem = pem;
    const std::string status(text_in(info, "Status").value_or(""));
    if (status == "checking" || status == "applying") {
        binding.under_way = "its certificate is being brought out (" + status + ")";
    } else if (!status.empty() && status != "success") {
        binding.failure = "the certificate's status is " + status;
    }
    // One that was never in the service has no id there.
    if (binding.id.empty()) binding.id = "without an id";
    return binding;
}

std::optional<std::string> AlibabaDomain::find(const Contents& contents, const certcast::Job& job) {
    const std::string name = name_of(contents.fullchain_pem());
    const std::string what = "looking for the certificate " + name;
    constexpr std::int64_t page_size = 100;
    for (std::int64_t page = 1;; ++page) {
        const json::object answer = ask(what, certificates("ListUserCertificateOrder"),
                                        {{"OrderType", Sensitive("UPLOAD")},
                                         {"CurrentPage", Sensitive(std::to_string(page))},
                                         {"ShowSize", Sensitive(std::to_string(page_size))}},
                                        job);
        const auto list = parts_of(answer, "CertificateOrderList");
        for (const json::object* one : list) {
            if (text_in(*one, "Name") == name) return id_in(*one, "CertificateId");
        }
        if (list.empty() || page * page_size >= number_in(answer, "TotalCount")) {
            return std::nullopt;
        }
    }
}

Uploaded AlibabaDomain::upload(const Contents& contents, const certcast::Job& job) {
    const std::string name = name_of(contents.fullchain_pem());
    const std::string what = "uploading the certificate";
    const FormValues values{{"Name", Sensitive(name)},
                            {"Cert", Sensitive(contents.fullchain_pem())},
                            {"Key", contents.key_pem}};
    const auto request = [&] {
        return request_of(certificates("UploadUserCertificate"), values, job);
    };
    const json::object answer = object_in(api_.ask_once(what, request, job), what);
    const std::string id = id_in(answer, "CertId");
    if (id.empty()) throw certcast::remote_error(what + ": the answer has no CertId").retry_later();
    return {id, name};
}

void AlibabaDomain::write(const std::string& what, const FormValues& values,
                          const certcast::Job& job) {
    api_.ask_once(
        what, [&] { return request_of(cdn("SetCdnDomainSSLCertificate"), values, job); }, job);
}

void AlibabaDomain::bind(const Uploaded& certificate, const Binding& before,
                         const certcast::Job& job) {
    const bool is_lost = text_in(before.settings, "CertType") != "cas";
    if (!before.id.empty() && is_lost) warn_of_loss(*this, job);
    write("binding " + text() + " to the certificate " + certificate.id,
          {{"DomainName", Sensitive(domain_)},
           {"SSLProtocol", Sensitive("on")},
           {"CertType", Sensitive("cas")},
           {"CertId", Sensitive(certificate.id)},
           {"CertName", Sensitive(certificate.name)},
           {"CertRegion", Sensitive(access_.region)}},
          job);
}

void AlibabaDomain::restore(const json::object& former, const Binding&, const certcast::Job& job) {
    const std::string_view type = text_in(former, "CertType").value_or("");
    if (text_in(former, "SSLProtocol") == "on" && type != "cas") throw_lost(*this);
    FormValues values{{"DomainName", Sensitive(domain_)}};
    for (const char* key : {"SSLProtocol", "CertType", "CertId", "CertName", "CertRegion"}) {
        if (const auto value = text_in(former, key); value && !value->empty()) {
            values.emplace_back(key, Sensitive(*value));
        }
    }
    write("binding " + text() + " to its former certificate", values, job);
}

bool AlibabaDomain::remove(const Uploaded& certificate, const certcast::Job& job) {
    if (is_used(certificate, job)) return false;
    const FormValues values{{"CertId", Sensitive(certificate.id)}};
    const auto request = [&] {
        return request_of(certificates("DeleteUserCertificate"), values, job);
    };
    const Api::Answer answer =
        api_.ask_despite({Meaning::missing, Meaning::in_use},
                         "removing the certificate " + certificate.id, request, job);
    return answer.response || answer.meaning == Meaning::missing;
}

/// As far as CDN itself and the Certificate Management Service know.
bool AlibabaDomain::is_used(const Uploaded& certificate, const certcast::Job& job) {
    const std::string what = "asking what uses the certificate " + certificate.id;
    const FormValues by_id{{"CertId", Sensitive(certificate.id)}};
    Action action = cdn("DescribeCertificateInfoByID");
    action.method = "GET";
    const auto request = [&] { return request_of(action, by_id, job); };
    const Api::Answer answer = api_.ask_despite({Meaning::missing}, what, request, job);
    if (answer.response) {
        const json::object info = object_in(*answer.response, what);
        for (const json::object* one : parts_of(part_of(info, "CertInfos"), "CertInfo")) {
            // A list as JSON in a text.
            const std::string_view domains = text_in(*one, "DomainList").value_or("");
            if (!domains.empty() && domains != "[]") return true;
        }
    }
    const json::object elsewhere = ask(what, certificates("ListCloudResources"),
                                       {{"CertIds", Sensitive("[" + certificate.id + "]")}}, job);
    return !parts_of(elsewhere, "Data").empty();
}

}  // namespace cdn
