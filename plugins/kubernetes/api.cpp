#include "plugins/kubernetes/api.hpp"

#include "plugins/kubernetes/parts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace kubernetes {

namespace json = boost::json;
namespace http = certcast::http;

namespace {

constexpr const char* plain_json = "application/json";

std::string path_of(const SecretName& secret) {
    return "/api/v1/namespaces/" + secret.name_space + "/secrets/" + secret.name;
}

/// What the server says of a request that it refuses (meta/v1 Status).
struct Status {
    std::string reason;
    std::string message;
    bool is_terminating = false;  ///< the namespace goes
    bool has_managers = false;    ///< others own fields of it
    bool is_of_secret = false;    ///< of the secret itself
};

/// Empty where it is no Status, as of a proxy or when the server is overloaded.
Status status_in(const http::Response& response) {
    Status status;
    json::error_code error;
    const json::value parsed = json::parse(response.body.text(), error);
    const json::object* const object = error ? nullptr : parsed.if_object();
    if (object == nullptr || text_in(*object, "kind") != "Status") return status;
    status.reason = text_in(*object, "reason").value_or("");
    status.message = text_in(*object, "message").value_or("");
    const json::object& details = part_of(*object, "details");
    status.is_of_secret = text_in(details, "kind") == "secrets";
    for (const json::object* const cause : parts_of(details, "causes")) {
        const auto reason = text_in(*cause, "reason");
        if (reason == "NamespaceTerminating") status.is_terminating = true;
        if (reason == "FieldManagerConflict") status.has_managers = true;
    }
    return status;
}

json::object object_in(const http::Response& response, const std::string& what) {
    json::error_code error;
    json::value parsed = json::parse(response.body.text(), error);
    if (!error && parsed.is_object()) return std::move(parsed.get_object());
    throw certcast::remote_error(what + ": the server's answer is no JSON object");
}

}  // namespace

Api::Api(Access access) : access_(std::move(access)), client_(access_.http) {
    while (access_.server.ends_with('/')) access_.server.pop_back();
}

http::Response Api::send(std::string method, const std::string& path, const std::string& type,
                         const json::object* body, const certcast::Job& job) {
    http::Request request{.method = std::move(method), .url = access_.server + path};
    if (body != nullptr) request.body = certcast::Sensitive(json::serialize(*body));
    const auto answer = [&] {
        request.headers = {{"Accept", plain_json}};
        if (body != nullptr) request.headers.emplace_back("Content-Type", type);
        if (!access_.token.empty()) {
            request.headers.emplace_back("Authorization", "Bearer " + access_.token);
        }
        return client_.send(request, job);
    };
    http::Response response = answer();
    if (response.status != 401 || !access_.renew) return response;
    access_.renew(access_, job);
    client_ = http::Client(access_.http);
    return answer();
}

void Api::throw_refusal(const http::Response& response, const std::string& what) const {
    const Status status = status_in(response);
    const std::string by = " (" + access_.server + ", " + access_.text + ")";
    if (status.message.empty()) {
        http::expect_good(response, what + by, response.body.text().substr(0, 200));
    }
    const std::string message = what + by + ": " + status.message;
    const std::string code =
        status.reason.empty() ? std::to_string(response.status) : status.reason;
    const auto after = response.retry_after().value_or(std::chrono::milliseconds(0));
    switch (response.status) {
        case 401:
            throw certcast::auth_error(message).code(code);
        case 403:
            if (status.is_terminating) {
                throw certcast::remote_error(message).code(code).retry_later();
            }
            throw certcast::auth_error(message).code(code).permanent();
        case 409:
            if (!status.has_managers) throw certcast::conflict_error(message).code(code);
            throw certcast::conflict_error(message + "; takeover = true takes these fields over")
                .code(code)
                .permanent();
        case 429:
        case 503:
        case 504:
            throw certcast::remote_error(message).code(code).retry_later(after);
        case 500:
            // A server that does not know a field answers so, without a reason.
            if (status.reason.empty()) throw certcast::remote_error(message).code(code).permanent();
            throw certcast::remote_error(message).code(code).retry_later(after);
        default:
            throw certcast::remote_error(message).code(code).permanent();
    }
}

std::optional<json::object> Api::get(const SecretName& secret, const certcast::Job& job) {
    const std::string what = "reading the secret " + secret.text();
    const http::Response response = send("GET", path_of(secret), {}, nullptr, job);
    // A proxy or a wrong path say 404, too.
    if (response.status == 404 && status_in(response).is_of_secret) return std::nullopt;
    if (!response.is_good()) throw_refusal(response, what);
    return object_in(response, what);
}

json::object Api::apply(const SecretName& secret, const json::object& wanted, bool takes_over,
                        const certcast::Job& job) {
    const std::string what = "writing the secret " + secret.text();
    const std::string options = std::string("?fieldManager=certcast") +
                                (takes_over ? "&force=true" : "") +
                                (job.dry_run() ? "&dryRun=All" : "");
    const http::Response response =
        send("PATCH", path_of(secret) + options, "application/apply-patch+yaml", &wanted, job);
    if (!response.is_good()) throw_refusal(response, what);
    return object_in(response, what);
}

void Api::remove(const SecretName& secret, const json::object& as_read, const certcast::Job& job) {
    const json::object& metadata = as_read.at("metadata").as_object();
    const json::object body{
        {"kind", "DeleteOptions"},
        {"apiVersion", "v1"},
        {"preconditions",
         {{"uid", metadata.at("uid")}, {"resourceVersion", metadata.at("resourceVersion")}}}};
    const http::Response response = send("DELETE", path_of(secret), plain_json, &body, job);
    const bool is_gone = response.status == 404 && status_in(response).is_of_secret;
    if (is_gone || response.is_good()) return;
    throw_refusal(response, "removing the secret " + secret.text());
}

void Api::expect_may(std::initializer_list<std::string_view> verbs, const SecretName& secret,
                     const certcast::Job& job) {
    std::string missing;
    for (const std::string_view verb : verbs) {
        json::object asked{
            {"namespace", secret.name_space}, {"verb", verb}, {"resource", "secrets"}};
        // A Role that is limited by names grants the making of none.
        if (verb != "create") asked["name"] = secret.name;
        const json::object review{{"apiVersion", "authorization.k8s.io/v1"},
                                  {"kind", "SelfSubjectAccessReview"},
                                  {"spec", {{"resourceAttributes", asked}}}};
        const std::string what = "asking what may be done with the secret " + secret.text();
        const http::Response response =
            send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", plain_json,
                 &review, job);
        if (!response.is_good()) throw_refusal(response, what);
        const json::object answer = object_in(response, what);
        const json::value* const allowed = part_of(answer, "status").if_contains("allowed");
        if (allowed != nullptr && allowed->is_bool() && allowed->get_bool()) continue;
        missing += (missing.empty() ? "'" : ", '") + std::string(verb) + "'";
    }
    if (missing.empty()) return;
    throw certcast::auth_error("the secret " + secret.text() + ": " + access_.text +
                               " lacks the verb " + missing +
                               " for secrets there; a Role has to grant it")
        .code("Forbidden")
        .permanent();
}

}  // namespace kubernetes
