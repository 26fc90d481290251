#include "plugins/cdn/aws_cloudfront/aws_api.hpp"

#include "plugins/cdn/signing/sigv4.hpp"
#include "plugins/json/parts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <chrono>
#include <pugixml.hpp>
#include <utility>

namespace cdn {

namespace http = certcast::http;
namespace json = boost::json;
using certcast::Sensitive;

namespace {

constexpr std::array codes{
    CodeMeaning{"Throttling*", Meaning::throttled},
    CodeMeaning{"TooManyRequests*", Meaning::throttled},
    CodeMeaning{"RequestLimitExceeded*", Meaning::throttled},
    CodeMeaning{"SlowDown", Meaning::throttled},
    CodeMeaning{"", Meaning::throttled, "Rate exceeded"},
    CodeMeaning{"ServiceUnavailable*", Meaning::later},
    CodeMeaning{"InternalFailure", Meaning::later},
    CodeMeaning{"InternalError*", Meaning::later},
    CodeMeaning{"InternalServer*", Meaning::later},
    CodeMeaning{"RequestInProgressException", Meaning::later},
    CodeMeaning{"IllegalUpdate", Meaning::later, "in progress"},
    CodeMeaning{"PreconditionFailed", Meaning::conflict},
    CodeMeaning{"InvalidIfMatchVersion", Meaning::conflict},
    CodeMeaning{"ConflictException", Meaning::conflict},
    CodeMeaning{"RequestExpired", Meaning::clock},
    CodeMeaning{"*", Meaning::clock, "Signature expired"},
    CodeMeaning{"*", Meaning::clock, "Signature not yet current"},
    CodeMeaning{"AccessDenied*", Meaning::auth},
    CodeMeaning{"ExpiredToken*", Meaning::auth},
    CodeMeaning{"IncompleteSignature*", Meaning::auth},
    CodeMeaning{"InvalidClientTokenId", Meaning::auth},
    CodeMeaning{"InvalidSignature*", Meaning::auth},
    CodeMeaning{"MissingAuthenticationToken*", Meaning::auth},
    CodeMeaning{"SignatureDoesNotMatch", Meaning::auth},
    CodeMeaning{"UnrecognizedClient*", Meaning::auth},
    CodeMeaning{"NoSuchDistribution", Meaning::config},
    CodeMeaning{"ResourceNotFoundException", Meaning::missing},
    CodeMeaning{"ResourceInUseException", Meaning::in_use},
    CodeMeaning{"LimitExceededException", Meaning::config},
    CodeMeaning{"Validation*", Meaning::config},
    CodeMeaning{"Invalid*", Meaning::config},
};

/// {"__type": "some.name.space#Code", "message": ".."}, with the message in either case.
Refusal refusal_of_acm(const json::object& body, long status) {
    std::string code(json_parts::text_in(body, "__type").value_or(""));
    code.erase(0, code.find('#') + 1);
    const auto message = json_parts::text_in(body, "message");
    return {std::move(code),
            std::string(message.value_or(json_parts::text_in(body, "Message").value_or(""))),
            status};
}

Refusal refusal_of_cloudfront(std::string_view body, long status) {
    pugi::xml_document document;
    document.load_buffer(body.data(), body.size());
    const pugi::xml_node error = document.document_element().child("Error");
    return {error.child("Code").text().get(), error.child("Message").text().get(), status};
}

std::optional<Refusal> refusal_in(const http::Response& response) {
    if (response.is_good()) return std::nullopt;
    json::error_code error;
    const json::value body = json::parse(response.body.text(), error);
    if (!error && body.is_object()) return refusal_of_acm(body.get_object(), response.status);
    return refusal_of_cloudfront(response.body.text(), response.status);
}

}  // namespace

AwsApi::AwsApi(AwsAccess access)
    : access_(std::move(access)), api_(std::move(access_.http), refusal_in, codes) {
    api_.renews_by([this](const certcast::Job& job) { access_.credentials.renew(job); });
}

Api::MakeRequest AwsApi::to_acm(const std::string& action, const json::object& values,
                                const certcast::Job& job) {
    return [this, action, body = Sensitive(json::serialize(values)), &job] {
        http::Request request{.method = "POST",
                              .url = access_.acm + "/",
                              .headers = {{"Content-Type", "application/x-amz-json-1.1"},
                                          {"X-Amz-Target", "CertificateManager." + action}},
                              .body = body};
        SigV4{.region = "us-east-1", .service = "acm"}.sign(request, access_.credentials.get(job),
                                                            std::chrono::system_clock::now());
        return request;
    };
}

Api::MakeRequest AwsApi::to_cloudfront(const std::string& method, const std::string& path,
                                       const std::string& body, const std::string& etag,
                                       const certcast::Job& job) {
    return [this, method, path, body, etag, &job] {
        http::Request request{.method = method,
                              .url = access_.cloudfront + "/2020-05-31/" + path,
                              .body = Sensitive(body)};
        if (!body.empty()) request.headers.emplace_back("Content-Type", "application/xml");
        if (!etag.empty()) request.headers.emplace_back("If-Match", etag);
        SigV4{.region = "us-east-1", .service = "cloudfront"}.sign(
            request, access_.credentials.get(job), std::chrono::system_clock::now());
        return request;
    };
}

}  // namespace cdn
