#include "plugins/cdn/aws_cloudfront/distribution.hpp"

#include "plugins/cdn/aws_cloudfront/viewer_certificate.hpp"
#include "plugins/cdn/leaf.hpp"
#include "plugins/json/base64.hpp"
#include "plugins/json/parts.hpp"

#include <boost/json/array.hpp>
#include <certcast/errors.hpp>

#include <algorithm>
#include <pugixml.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace cdn {

namespace http = certcast::http;
namespace json = boost::json;
using json_parts::part_of;
using json_parts::parts_of;
using json_parts::text_in;

namespace {

// Not seen by CloudFront yet, a new certificate is refused as if it were wrong.
constexpr std::chrono::minutes longest_lag{1};
/// Of certificates that certcast has imported; its value is the distribution that they are for.
constexpr std::string_view tag_key = "certcast";

/// A time as a number of seconds, which may have a fraction.
std::int64_t seconds_in(const json::object& object, std::string_view key) {
    const json::value* const found = object.if_contains(key);
    if (found != nullptr && found->is_double()) {
        return static_cast<std::int64_t>(found->get_double());
    }
    return json_parts::number_in(object, key);
}

std::vector<std::string> texts_in(const json::object& object, std::string_view key) {
    std::vector<std::string> texts;
    const json::value* const found = object.if_contains(key);
    if (found == nullptr || !found->is_array()) return texts;
    for (const json::value& one : found->get_array()) {
        if (one.is_string()) texts.emplace_back(one.get_string());
    }
    return texts;
}

}  // namespace

Distribution::Distribution(std::string id, AwsAccess access, std::chrono::milliseconds poll)
    : id_(std::move(id)), may_replace_(access.replaces), aws_(std::move(access)), poll_(poll) {}

std::string Distribution::text() const {
    return "the distribution " + id_ + " at CloudFront";
}

json::object Distribution::ask_acm(const std::string& what, const std::string& action,
                                   const json::object& values, const certcast::Job& job) {
    return object_in(api().ask(what, aws_.to_acm(action, values, job), job), what);
}

Distribution::Config Distribution::config(const certcast::Job& job) {
    const http::Response response = api().ask(
        "reading " + text(),
        aws_.to_cloudfront("GET", "distribution/" + http::encoded(id_) + "/config", {}, {}, job),
        job);
    return {std::string(response.body.text()), std::string(response.header("ETag").value_or(""))};
}

Binding Distribution::binding(const certcast::Job& job) {
    const std::string what = "reading the status of " + text();
    const http::Response response = api().ask(
        what, aws_.to_cloudfront("GET", "distribution/" + http::encoded(id_), {}, {}, job), job);
    pugi::xml_document document;
    document.load_buffer(response.body.data(), response.body.size());
    const std::string status = document.document_element().child("Status").text().get();
    const std::string element = viewer_certificate_in(config(job).xml);
    Binding binding{.id = certificate_arn_in(element), .settings = {{"viewer", element}}};
    if (status != "Deployed") binding.under_way = "its status is " + status;
    if (!binding.id.empty()) binding.pem = pem_of(binding.id, job);
    return binding;
}

std::optional<std::string> Distribution::pem_of(const std::string& arn, const certcast::Job& job) {
    const std::string what = "reading the certificate " + arn;
    const Api::Answer answer =
        api().ask_despite({Meaning::missing}, what,
                          aws_.to_acm("GetCertificate", {{"CertificateArn", arn}}, job), job);
    if (!answer.response) return std::nullopt;
    const json::object said = object_in(*answer.response, what);
    std::string pem(text_in(said, "Certificate").value_or(""));
    if (!pem.ends_with('\n')) pem += '\n';
    return pem + std::string(text_in(said, "CertificateChain").value_or(""));
}

/// By the tag that it got when it was imported.
bool Distribution::is_of_this_distribution(const std::string& arn, const certcast::Job& job) {
    const std::string what = "reading the tags of the certificate " + arn;
    const auto request = aws_.to_acm("ListTagsForCertificate", {{"CertificateArn", arn}}, job);
    // One that was removed a moment ago is still listed.
    const Api::Answer answer = api().ask_despite({Meaning::missing}, what, request, job);
    if (!answer.response) return false;
    const json::object said = object_in(*answer.response, what);
    for (const json::object* tag : parts_of(said, "Tags")) {
        if (text_in(*tag, "Key") == tag_key && text_in(*tag, "Value") == id_) return true;
    }
    return false;
}

/// Those that ACM lists with the same end and key are looked at.
std::optional<std::string> Distribution::find(const Contents& contents, const certcast::Job& job) {
    const std::string what = "looking for the certificate";
    const Leaf leaf = leaf_in(contents.leaf_pem);
    // Without its name here, a key type is not listed.
    json::object values{{"Includes", {{"keyTypes", json::array{leaf.key}}}}, {"MaxItems", 1000}};
    for (;;) {
        const json::object answer = ask_acm(what, "ListCertificates", values, job);
        for (const json::object* one : parts_of(answer, "CertificateSummaryList")) {
            const std::string arn(text_in(*one, "CertificateArn").value_or(""));
            if (seconds_in(*one, "NotAfter") != leaf.not_after || arn.empty()) continue;
            const std::optional<std::string> pem = pem_of(arn, job);
            if (!pem || !holds(*pem, contents.fullchain_pem())) continue;
            if (is_of_this_distribution(arn, job)) return arn;
        }
        const auto next = text_in(answer, "NextToken");
        if (!next || next->empty()) return std::nullopt;
        values["NextToken"] = *next;
    }
}

std::string Distribution::import(const Contents& contents, json::object values,
                                 const certcast::Job& job) {
    const std::string what = "importing the certificate";
    values["Certificate"] = json_parts::to_base64(contents.leaf_pem).text();
    values["PrivateKey"] = json_parts::to_base64(contents.key_pem.text()).text();
    if (!contents.chain_pem.empty()) {
        values["CertificateChain"] = json_parts::to_base64(contents.chain_pem).text();
    }
    const auto request = aws_.to_acm("ImportCertificate", values, job);
    // A certificate under its ARN can be imported any number of times.
    const http::Response response = values.contains("CertificateArn")
                                        ? api().ask(what, request, job)
                                        : api().ask_once(what, request, job);
    const json::object answer = object_in(response, what);
    std::string arn(text_in(answer, "CertificateArn").value_or(""));
    if (!arn.empty()) return arn;
    throw certcast::remote_error(what + ": the answer has no CertificateArn").retry_later();
}

Uploaded Distribution::upload(const Contents& contents, const certcast::Job& job) {
    const std::string name = name_of(contents.fullchain_pem());
    const json::array tags{{{"Key", tag_key}, {"Value", id_}}, {{"Key", "Name"}, {"Value", name}}};
    return {import(contents, {{"Tags", tags}}, job), name};
}

bool Distribution::may_replace(const Binding& now, const Contents& contents,
                               const certcast::Job& job) {
    // ACM keeps to the kind and size of the key.
    return may_replace_ && now.pem && leaf_in(*now.pem).key == leaf_in(contents.leaf_pem).key &&
           !is_used_by_others(now.id, job);
}

std::string Distribution::replace(const std::string& arn, const Contents& contents,
                                  const certcast::Job& job) {
    job.info("ACM has it under its ARN; CloudFront may go on with the former one for hours");
    return import(contents, {{"CertificateArn", arn}}, job);
}

bool Distribution::is_used_by_others(const std::string& arn, const certcast::Job& job) {
    const json::object answer = ask_acm("asking what uses the certificate " + arn,
                                        "DescribeCertificate", {{"CertificateArn", arn}}, job);
    const std::vector<std::string> users = texts_in(part_of(answer, "Certificate"), "InUseBy");
    return std::any_of(users.begin(), users.end(), [&](const std::string& user) {
        return !user.ends_with("distribution/" + id_);
    });
}

void Distribution::bind(const Uploaded& certificate, const Binding&, const certcast::Job& job) {
    change_viewer_certificate([&](const std::string& now) { return bound_to(now, certificate.id); },
                              longest_lag, job);
}

void Distribution::restore(const json::object& former, const Binding&, const certcast::Job& job) {
    const std::string element(text_in(former, "viewer").value_or(""));
    const std::string arn = certificate_arn_in(element);
    const auto change = [&](const std::string& now) {
        // What else is chosen there may have been changed since.
        return arn.empty() ? element : bound_to(now, arn);
    };
    change_viewer_certificate(change, {}, job);
}

void Distribution::change_viewer_certificate(
    const std::function<std::string(const std::string&)>& change, std::chrono::milliseconds lag,
    const certcast::Job& job) {
    constexpr int most_conflicts = 5;
    const auto begun = std::chrono::steady_clock::now();
    for (int conflicts = 0;;) {
        Config now = config(job);
        now.xml = with_viewer_certificate(now.xml, change(viewer_certificate_in(now.xml)));
        std::string why;
        try {
            return update(now, job);
        } catch (const certcast::conflict_error& error) {
            if (++conflicts == most_conflicts) throw;
            why = error.what();
        } catch (const certcast::config_error& error) {
            const bool may_be_lag = error.code() == "InvalidViewerCertificate" &&
                                    std::chrono::steady_clock::now() - begun < lag;
            if (!may_be_lag) throw;
            why = error.what();
        }
        wait_for("changing " + text(), why, std::min(poll_, std::chrono::milliseconds(5'000)), job);
    }
}

void Distribution::update(const Config& config, const certcast::Job& job) {
    api().ask_once("changing " + text(),
                   aws_.to_cloudfront("PUT", "distribution/" + http::encoded(id_) + "/config",
                                      config.xml, config.etag, job),
                   job);
}

bool Distribution::remove(const Uploaded& certificate, const certcast::Job& job) {
    const json::object values{{"CertificateArn", certificate.id}};
    const std::string what = "removing the certificate " + certificate.id;
    const Api::Answer described = api().ask_despite(
        {Meaning::missing}, what, aws_.to_acm("DescribeCertificate", values, job), job);
    if (!described.response) return true;
    const json::object said = object_in(*described.response, what);
    if (!texts_in(part_of(said, "Certificate"), "InUseBy").empty()) return false;
    const Api::Answer answer =
        api().ask_despite({Meaning::missing, Meaning::in_use}, what,
                          aws_.to_acm("DeleteCertificate", values, job), job);
    return answer.response || answer.meaning == Meaning::missing;
}

}  // namespace cdn
