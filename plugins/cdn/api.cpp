#include "plugins/cdn/api.hpp"

#include <boost/json/parse.hpp>
#include <certcast/errors.hpp>

#include <algorithm>
#include <utility>

namespace cdn {

namespace http = certcast::http;
namespace json = boost::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds shortest_wait{1'000};
constexpr milliseconds longest_wait{30'000};

}  // namespace

Api::Answer Api::send(const MakeRequest& make, bool only_once, const certcast::Job& job) {
    for (;;) {
        http::Request request = make();
        request.only_once = only_once;
        http::Response response = client_.send(request, job);
        std::optional<Refusal> refusal = read_refusal_(response);
        if (!refusal) return {std::move(response), {}, {}};
        if (!refusal->retry_after) refusal->retry_after = response.retry_after();
        const Meaning meaning = meaning_of(*refusal, known_);
        if (meaning != Meaning::auth || !renew_) {
            return {std::nullopt, *std::move(refusal), meaning};
        }
        std::exchange(renew_, nullptr)(job);
    }
}

Api::Answer Api::ask_despite(std::initializer_list<Meaning> meanings, const std::string& what,
                             const MakeRequest& request, const certcast::Job& job) {
    for (milliseconds wait = shortest_wait;; wait = std::min(2 * wait, longest_wait)) {
        milliseconds at_least{0};
        std::string now;
        try {
            Answer answer = send(request, false, job);
            if (answer.response) return answer;
            if (std::find(meanings.begin(), meanings.end(), answer.meaning) != meanings.end()) {
                return answer;
            }
            throw_refusal(what, answer.refusal, answer.meaning);
        } catch (const certcast::DeployerError& error) {
            if (!is_patient_ || !error.may_pass() || job.remaining().count() == 0) throw;
            at_least = error.retry_after();
            now = error.what();
        }
        wait_for(what, now, std::max(wait, at_least), job);
    }
}

http::Response Api::ask(const std::string& what, const MakeRequest& request,
                        const certcast::Job& job) {
    return *std::move(ask_despite({}, what, request, job).response);
}

http::Response Api::ask_once(const std::string& what, const MakeRequest& request,
                             const certcast::Job& job) {
    Answer answer = send(request, true, job);
    if (!answer.response) throw_refusal(what, answer.refusal, answer.meaning);
    return *std::move(answer.response);
}

json::object object_in(const http::Response& response, const std::string& what) {
    json::error_code error;
    json::value parsed = json::parse(response.body.text(), error);
    if (!error && parsed.is_object()) return std::move(parsed.get_object());
    throw certcast::remote_error(what + ": the answer is no JSON object").retry_later();
}

void wait_for(const std::string& what, const std::string& now, milliseconds time,
              const certcast::Job& job) {
    try {
        job.wait(time, now);
    } catch (const certcast::timeout_error&) {
        throw certcast::timeout_error(what + " was not done in time: " + now);
    }
}

void wait_until_done(const std::string& what, const std::function<std::string()>& look,
                     milliseconds poll, const certcast::Job& job) {
    std::string under_way;
    for (;;) {
        try {
            under_way = look();
            if (under_way.empty()) return;
        } catch (const certcast::timeout_error&) {
            // The time is up in the middle of a request, which is not what took so long.
            if (job.remaining().count() > 0 || under_way.empty()) throw;
        }
        wait_for(what, under_way, poll, job);
    }
}

}  // namespace cdn
