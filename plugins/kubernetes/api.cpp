#include "plugins/kubernetes/api.hpp"

#include "plugins/json/parts.hpp"
#include "plugins/kubernetes/secret_object.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace kubernetes {

namespace json = boost::json;
using json_parts::part_of;
using json_parts::parts_of;
using json_parts::text_in;
namespace http = certcast::http;

namespace {

constexpr const char* plain_json = "application/json";

/// What the server says of a request that it refuses (meta/v1 Status).
struct Status {
    std::string reason;
    std::string message;
    bool is_terminating = false;  ///< the namespace goes
    bool has_managers = false;  ///< fields of it are others', or our own by another way of writing
    bool has_others = false;    ///< fields of it are others'
    std::string plural;         ///< of the object's kind
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
    status.plural = text_in(details, "kind").value_or("");
    for (const json::object* const cause : parts_of(details, "causes")) {
        const auto reason = text_in(*cause, "reason");
        if (reason == "NamespaceTerminating") status.is_terminating = true;
        if (reason != "FieldManagerConflict") continue;
        status.has_managers = true;
        const std::string ours = "conflict with \"" + std::string(field_manager) + "\"";
        if (!text_in(*cause, "message").value_or("").starts_with(ours)) status.has_others = true;
    }
    return status;
}

/// A proxy or a wrong path say 404, too, and so does a namespace that is not there.
bool is_missing(const http::Response& response, const ObjectName& object) {
    return response.status == 404 && status_in(response).plural == object.plural;
}

std::string options_of(const certcast::Job& job) {
    return "?fieldManager=" + std::string(field_manager) + (job.dry_run() ? "&dryRun=All" : "");
}

void add_verb(const char* verb, std::string& list) {
    list += (list.empty() ? "'" : ", '") + std::string(verb) + "'";
}

/// Whoever does not answer is not waited for as long as a rollout is.
Access impatient(Access access) {
    access.http.longest_request = std::chrono::seconds(30);
    return access;
}

json::object object_in(const http::Response& response, const std::string& what) {
    json::error_code error;
    json::value parsed = json::parse(response.body.text(), error);
    if (!error && parsed.is_object()) return std::move(parsed.get_object());
    throw certcast::remote_error(what + ": the server's answer is no JSON object");
}

}  // namespace

Api::Api(Access access) : access_(impatient(std::move(access))), client_(access_.http) {
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

std::optional<json::object> Api::get(const ObjectName& object, const certcast::Job& job,
                                     const std::string& version) {
    const std::string what = "reading " + object.text();
    const std::string least = version.empty() ? "" : "?resourceVersion=" + http::encoded(version);
    const http::Response response = send("GET", object.path() + least, {}, nullptr, job);
    if (is_missing(response, object)) return std::nullopt;
    // What it has at hand is not as far yet: "Too large resource version".
    if (response.status == 504 && !version.empty()) return get(object, job);
    if (!response.is_good()) throw_refusal(response, what);
    return object_in(response, what);
}

std::vector<std::string> Api::namespaces_with(std::string_view labels, const certcast::Job& job) {
    const std::string what =
        "looking for namespaces with the labels \"" + std::string(labels) + "\"";
    std::vector<std::string> names;
    std::string next;
    do {
        const std::string rest = next.empty() ? "" : "&continue=" + http::encoded(next);
        const http::Response response = send(
            "GET", "/api/v1/namespaces?limit=500&labelSelector=" + http::encoded(labels) + rest, {},
            nullptr, job);
        if (!response.is_good()) throw_refusal(response, what);
        const json::object page = object_in(response, what);
        for (const json::object* const one : parts_of(page, "items")) {
            if (text_in(part_of(*one, "status"), "phase") == "Terminating") continue;
            names.emplace_back(text_in(part_of(*one, "metadata"), "name").value_or(""));
        }
        next = text_in(part_of(page, "metadata"), "continue").value_or("");
    } while (!next.empty());
    return names;
}

json::object Api::write(const ObjectName& secret, const json::object& wanted, bool takes_over,
                        const certcast::Job& job) {
    const std::string what = "writing " + secret.text();
    const json::object body = applied_secret(wanted);
    const http::Response response =
        send("PATCH", secret.path() + options_of(job) + (takes_over ? "&force=true" : ""),
             "application/apply-patch+yaml", &body, job);
    if (response.is_good()) return object_in(response, what);
    const Status status = status_in(response);
    // What was replaced before counts as another's.
    if (response.status == 409 && !takes_over && status.has_managers && !status.has_others) {
        const std::optional<json::object> now = get(secret, job);
        if (now && !manager_in_the_way(*now, wanted)) {
            return write(secret, only_over(*now, wanted), true, job);
        }
    }
    const bool is_unknown = response.status == 415;
    const bool is_forbidden = response.status == 403 && !status.is_terminating;
    if (is_unknown || (is_forbidden && !may("patch", secret, job) && may("update", secret, job))) {
        return replace(secret, wanted, takes_over, job);
    }
    throw_refusal(response, what);
}

json::object Api::replace(const ObjectName& secret, const json::object& wanted, bool takes_over,
                          const certcast::Job& job) {
    const std::string what = "writing " + secret.text();
    const std::optional<json::object> now = get(secret, job);
    const std::string expected = version_of(wanted);
    if (!expected.empty() && (!now || version_of(*now) != expected)) {
        throw certcast::conflict_error(what + ": somebody has written to it meanwhile");
    }
    const auto other = now ? manager_in_the_way(*now, wanted) : std::nullopt;
    if (other && !takes_over) {
        throw certcast::conflict_error(what + ": \"" + *other +
                                       "\" has written what would be changed; takeover = true "
                                       "takes it over")
            .permanent();
    }
    const json::object body = now ? merged_secret(*now, wanted) : applied_secret(wanted);
    const http::Response response =
        send(now ? "PUT" : "POST", (now ? secret.path() : secret.collection()) + options_of(job),
             plain_json, &body, job);
    if (!response.is_good()) throw_refusal(response, what);
    return object_in(response, what);
}

bool Api::patch(const ObjectName& object, const json::object& change, const certcast::Job& job) {
    const http::Response response = send("PATCH", object.path() + options_of(job),
                                         "application/merge-patch+json", &change, job);
    if (is_missing(response, object)) return false;
    if (!response.is_good()) throw_refusal(response, "changing " + object.text());
    return true;
}

void Api::remove(const ObjectName& object, const json::object& as_read, const certcast::Job& job) {
    const json::object& metadata = as_read.at("metadata").as_object();
    const json::object body{
        {"kind", "DeleteOptions"},
        {"apiVersion", "v1"},
        {"preconditions",
         {{"uid", metadata.at("uid")}, {"resourceVersion", metadata.at("resourceVersion")}}}};
    const http::Response response = send("DELETE", object.path(), plain_json, &body, job);
    if (is_missing(response, object) || response.is_good()) return;
    throw_refusal(response, "removing " + object.text());
}

bool Api::may(std::string_view verb, const ObjectName& object, const certcast::Job& job,
              bool by_name) {
    json::object asked{{"namespace", object.name_space},
                       {"verb", verb},
                       {"group", object.group},
                       {"resource", object.plural}};
    if (by_name) asked["name"] = object.name;
    const json::object review{{"apiVersion", "authorization.k8s.io/v1"},
                              {"kind", "SelfSubjectAccessReview"},
                              {"spec", {{"resourceAttributes", asked}}}};
    const std::string what = "asking what may be done with " + object.text();
    const http::Response response = send(
        "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", plain_json, &review, job);
    if (!response.is_good()) throw_refusal(response, what);
    const json::object answer = object_in(response, what);
    const json::value* const allowed = part_of(answer, "status").if_contains("allowed");
    return allowed != nullptr && allowed->is_bool() && allowed->get_bool();
}

void Api::expect_may_write(const ObjectName& secret, bool makes_it, const certcast::Job& job) {
    std::string missing;
    const bool applies = may("patch", secret, job);
    if (!applies && !may("update", secret, job)) add_verb("patch", missing);
    if (makes_it) {
        // Who posts has no name yet, so that a Role which is limited by names does not grant it.
        if (!may("create", secret, job, applies)) add_verb("create", missing);
        if (!may("delete", secret, job)) add_verb("delete", missing);
    }
    expect_none(missing, secret);
}

void Api::expect_may(const char* verb, const ObjectName& object, const certcast::Job& job) {
    std::string missing;
    if (!may(verb, object, job)) add_verb(verb, missing);
    expect_none(missing, object);
}

void Api::expect_none(const std::string& missing, const ObjectName& object) const {
    if (missing.empty()) return;
    throw certcast::auth_error(object.text() + ": " + access_.text + " lacks the verb " + missing +
                               " for " + object.plural + " there; a Role has to grant it")
        .code("Forbidden")
        .permanent();
}

}  // namespace kubernetes
