#include "plugins/cdn/tencent_cdn/tencent_domain.hpp"

#include "plugins/cdn/signing/tc3.hpp"
#include "plugins/json/parts.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>

#include <array>
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
    CodeMeaning{"RequestLimitExceeded*", Meaning::throttled},
    CodeMeaning{"LimitExceeded.RateLimitExceeded", Meaning::throttled},
    CodeMeaning{"InternalError*", Meaning::later},
    CodeMeaning{"LimitExceeded.CdnHostOpTooOften", Meaning::throttled},
    CodeMeaning{"UnauthorizedOperation.OperationTooOften", Meaning::throttled},
    CodeMeaning{"ResourceInUse.CdnOpInProgress", Meaning::later},
    CodeMeaning{"ResourceUnavailable.CdnHost*", Meaning::config},
    CodeMeaning{"OperationDenied*", Meaning::config},
    CodeMeaning{"InvalidParameter.CdnCertInfoNotFound", Meaning::conflict},
    CodeMeaning{"ResourceUnavailable*", Meaning::later},
    CodeMeaning{"FailedOperation.RoleNotFoundAuthorization", Meaning::auth},
    CodeMeaning{"FailedOperation.DeleteResourceFailed", Meaning::in_use},
    CodeMeaning{"AuthFailure.SignatureExpire", Meaning::clock},
    CodeMeaning{"AuthFailure*", Meaning::auth},
    CodeMeaning{"UnauthorizedOperation*", Meaning::auth},
    CodeMeaning{"ResourceNotFound*", Meaning::missing},
    CodeMeaning{"FailedOperation.CertificateNotFound", Meaning::missing},
    CodeMeaning{"InvalidParameter*", Meaning::config},
    CodeMeaning{"MissingParameter*", Meaning::config},
};

/// Refusals come with the status 200.
std::optional<Refusal> refusal_in(const http::Response& response) {
    json::error_code error;
    const json::value body = json::parse(response.body.text(), error);
    const bool is_object = !error && body.is_object();
    if (is_object) {
        const json::object& answer = part_of(body.get_object(), "Response");
        if (answer.contains("Error")) {
            const json::object& refused = part_of(answer, "Error");
            return Refusal{std::string(text_in(refused, "Code").value_or("")),
                           std::string(text_in(refused, "Message").value_or("")), response.status};
        }
    }
    if (response.is_good()) return std::nullopt;
    return Refusal{.status = response.status};
}

/// What is read, as it may be written: without what the service says of its own.
json::object settings_in(const json::object& https) {
    json::object settings;
    for (const auto& [key, value] : https) {
        if (!value.is_null() && key != "SslStatus") settings[key] = value;
    }
    const json::object& certificate = part_of(https, "CertInfo");
    settings.erase("CertInfo");
    if (const auto id = text_in(certificate, "CertId"); id && !id->empty()) {
        settings["CertInfo"] = {{"CertId", *id}};
    }
    if (settings.contains("ClientCertInfo")) {
        json::object& client = settings["ClientCertInfo"].as_object();
        for (const char* own : {"ExpireTime", "DeployTime"}) client.erase(own);
    }
    return settings;
}

}  // namespace

TencentDomain::TencentDomain(std::string domain, TencentAccess access)
    : domain_(std::move(domain)),
      access_(std::move(access)),
      api_(std::move(access_.http), refusal_in, codes) {
    api_.renews_by([this](const certcast::Job& job) { access_.credentials.renew(job); });
}

std::string TencentDomain::text() const {
    return "the domain " + domain_ + " at Tencent Cloud";
}

TencentDomain::Action TencentDomain::certificates(std::string name) const {
    return {access_.certificates, "ssl", "2019-12-05", std::move(name)};
}

TencentDomain::Action TencentDomain::cdn(std::string name) const {
    return {access_.cdn, "cdn", "2018-06-06", std::move(name)};
}

Api::MakeRequest TencentDomain::request_of(const Action& action, const json::object& values,
                                           const certcast::Job& job) {
    return [this, action, body = Sensitive(json::serialize(values)), &job] {
        http::Request request{.method = "POST",
                              .url = action.url + "/",
                              .headers = {{"Content-Type", "application/json; charset=utf-8"},
                                          {"X-TC-Action", action.name},
                                          {"X-TC-Version", action.version}},
                              .body = body};
        sign_tc3(request, access_.credentials.get(job), action.service,
                 std::chrono::system_clock::now());
        return request;
    };
}

json::object TencentDomain::ask(const std::string& what, const Action& action,
                                const json::object& values, const certcast::Job& job) {
    const json::object answer =
        object_in(api_.ask(what, request_of(action, values, job), job), what);
    return part_of(answer, "Response");
}

Binding TencentDomain::binding(const certcast::Job& job) {
    const json::array filters{{{"Name", "domain"}, {"Value", json::array{domain_}}}};
    const json::object answer =
        ask("reading " + text(), cdn("DescribeDomainsConfig"), {{"Filters", filters}}, job);
    const auto all = parts_of(answer, "Domains");
    if (all.empty()) {
        throw certcast::config_error(text() + " is not there, or may not be read");
    }
    const json::object& domain = *all.front();
    const json::object& https = part_of(domain, "Https");
    if (https.empty()) return {.settings = {{"Switch", "off"}}};
    Binding binding{.settings = settings_in(https)};
    if (text_in(https, "Switch") == "on") {
        binding.id = text_in(part_of(https, "CertInfo"), "CertId").value_or("");
        if (binding.id.empty()) binding.id = "without an id";
    }
    const std::string status(text_in(https, "SslStatus").value_or(""));
    if (text_in(domain, "Status") == "processing" || status == "deploying") {
        binding.under_way = "its settings are being brought out";
    } else if (status == "failed") {
        binding.failure = "deploying the certificate has failed";
    }
    return binding;
}

std::optional<std::string> TencentDomain::find(const Contents& contents, const certcast::Job& job) {
    const std::string name = name_of(contents.fullchain_pem());
    const json::object answer =
        ask("looking for the certificate " + name, certificates("DescribeCertificates"),
            {{"SearchKey", name}, {"Limit", 100}}, job);
    for (const json::object* one : parts_of(answer, "Certificates")) {
        if (text_in(*one, "Alias") != name) continue;
        if (const auto id = text_in(*one, "CertificateId")) return std::string(*id);
    }
    return std::nullopt;
}

/// Without Repeatable a certificate that is there already is not taken twice, but named; the chain
/// does not count. So where it was certcast's, it is another chain that is wanted.
Uploaded TencentDomain::upload(const Contents& contents, const certcast::Job& job) {
    Uploaded first = upload(contents, false, job);
    if (first.is_ours) return first;
    const std::string name = name_of_certificate(first.id, job);
    if (name == first.name) return {first.id, name};  // another deployment was faster
    return name.starts_with(upload_prefix) ? upload(contents, true, job) : first;
}

Uploaded TencentDomain::upload(const Contents& contents, bool repeatable,
                               const certcast::Job& job) {
    const std::string what = "uploading the certificate";
    const std::string name = name_of(contents.fullchain_pem());
    const json::object values{{"CertificatePublicKey", contents.fullchain_pem()},
                              {"CertificatePrivateKey", contents.key_pem.text()},
                              {"CertificateType", "SVR"},
                              {"Alias", name},
                              {"Repeatable", repeatable}};
    const auto request = request_of(certificates("UploadCertificate"), values, job);
    const json::object said = object_in(api_.ask_once(what, request, job), what);
    const json::object& answer = part_of(said, "Response");
    const std::string earlier(text_in(answer, "RepeatCertId").value_or(""));
    if (!earlier.empty()) return {earlier, name, false};
    const std::string id(text_in(answer, "CertificateId").value_or(""));
    if (!id.empty()) return {id, name};
    throw certcast::remote_error(what + ": the answer has no CertificateId").retry_later();
}

std::string TencentDomain::name_of_certificate(const std::string& id, const certcast::Job& job) {
    const json::object answer = ask("reading the name of the certificate " + id,
                                    certificates("DescribeCertificates"), {{"SearchKey", id}}, job);
    for (const json::object* one : parts_of(answer, "Certificates")) {
        if (text_in(*one, "CertificateId") != id) continue;
        return std::string(text_in(*one, "Alias").value_or(""));
    }
    return {};
}

void TencentDomain::write(const std::string& what, const json::object& https,
                          const certcast::Job& job) {
    const json::object values{{"Domain", domain_}, {"Https", https}};
    api_.ask_once(what, request_of(cdn("UpdateDomainConfig"), values, job), job);
}

void TencentDomain::bind(const Uploaded& certificate, const Binding& before,
                         const certcast::Job& job) {
    if (!before.id.empty() && !before.settings.contains("CertInfo")) warn_of_loss(*this, job);
    if (access_.deploys) return deploy(certificate, job);
    json::object https = before.settings;
    https["Switch"] = "on";
    https["CertInfo"] = {{"CertId", certificate.id}};
    write("binding " + text() + " to the certificate " + certificate.id, https, job);
}

void TencentDomain::restore(const json::object& former, const Binding& now,
                            const certcast::Job& job) {
    const bool was_on = text_in(former, "Switch") == "on";
    if (was_on && !former.contains("CertInfo")) throw_lost(*this);
    json::object https = now.settings;
    https["Switch"] = was_on ? "on" : "off";
    https.erase("CertInfo");
    if (former.contains("CertInfo")) https["CertInfo"] = former.at("CertInfo");
    write("binding " + text() + " to its former certificate", https, job);
}

void TencentDomain::deploy(const Uploaded& certificate, const certcast::Job& job) {
    const std::string what = "deploying the certificate " + certificate.id + " to " + text();
    const json::object values{{"CertificateId", certificate.id},
                              {"InstanceIdList", json::array{domain_ + "|on"}},
                              {"ResourceType", "cdn"},
                              {"Status", 1}};
    std::int64_t record = 0;
    const auto begin = [&]() -> std::string {
        const json::object answer =
            ask(what, certificates("DeployCertificateInstance"), values, job);
        if (number_in(answer, "DeployStatus") != 1) return "another deployment is under way";
        record = number_in(answer, "DeployRecordId");
        return {};
    };
    wait_until_done(what, begin, access_.poll, job);
    const auto look = [&] { return state_of_deployment(record, job); };
    wait_until_done(what, look, access_.poll, job);
}

std::string TencentDomain::state_of_deployment(std::int64_t record, const certcast::Job& job) {
    const std::string what = "deploying to " + text();
    const json::object answer =
        ask(what, certificates("DescribeHostDeployRecordDetail"),
            {{"DeployRecordId", std::to_string(record)}, {"Limit", 200}}, job);
    if (number_in(answer, "FailedTotalCount") > 0) {
        std::string why = "the deployment has failed";
        for (const json::object* one : parts_of(answer, "DeployRecordDetailList")) {
            const std::string_view words = text_in(*one, "ErrorMsg").value_or("");
            if (!words.empty()) why = words;
        }
        throw certcast::remote_error(what + ": " + why);
    }
    const std::int64_t total = number_in(answer, "TotalCount");
    const bool is_done = total > 0 && number_in(answer, "SuccessTotalCount") == total;
    return is_done ? "" : "the deployment is under way";
}

bool TencentDomain::remove(const Uploaded& certificate, const certcast::Job& job) {
    const std::string what = "removing the certificate " + certificate.id;
    const json::object values{{"CertificateId", certificate.id}, {"IsCheckResource", true}};
    const Api::Answer answer =
        api_.ask_despite({Meaning::missing, Meaning::in_use}, what,
                         request_of(certificates("DeleteCertificate"), values, job), job);
    if (!answer.response) return answer.meaning == Meaning::missing;
    const json::object said = part_of(object_in(*answer.response, what), "Response");
    const std::string task(text_in(said, "TaskId").value_or(""));
    return task.empty() || await_removal(task, certificate, job);
}

bool TencentDomain::await_removal(const std::string& task, const Uploaded& certificate,
                                  const certcast::Job& job) {
    enum : std::int64_t { under_way = 0, removed = 1, without_role = 3, in_use = 4 };
    const std::string what = "removing the certificate " + certificate.id;
    std::int64_t status = under_way;
    const auto look = [&]() -> std::string {
        const json::object answer = ask(what, certificates("DescribeDeleteCertificatesTaskResult"),
                                        {{"TaskIds", json::array{task}}}, job);
        const auto results = parts_of(answer, "DeleteTaskResult");
        if (!results.empty()) status = number_in(*results.front(), "Status");
        if (status == under_way) return "it is asked what uses it";
        if (status == removed || status == in_use) return {};
        if (status == without_role) {
            throw certcast::auth_error(what +
                                       ": the account has no service role that may ask what uses "
                                       "it (SSL_QCSLinkedRoleInReplaceLoadCertificate)");
        }
        throw certcast::remote_error(
            what + ": " + std::string(text_in(*results.front(), "Error").value_or("failed")));
    };
    wait_until_done(what, look, access_.poll, job);
    return status == removed;
}

}  // namespace cdn
