#pragma once

#include "plugins/cdn/refusal.hpp"

#include <boost/json/object.hpp>
#include <certcast/http.hpp>
#include <certcast/job.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace cdn {

/// Sends the requests of one vendor, and knows its refusals. Before anything has been changed a
/// refusal that may pass ends the attempt, so that certcast has the whole account wait; afterwards
/// it is waited for here, because ending would undo what was done.
class Api {
public:
    /// What an answer says instead of being one; nothing where it is one.
    using ReadRefusal = std::function<std::optional<Refusal>(const certcast::http::Response&)>;
    /// Signed anew for each try.
    using MakeRequest = std::function<certcast::http::Request()>;

    /// `known` outlives it.
    Api(certcast::http::Settings settings, ReadRefusal read_refusal,
        std::span<const CodeMeaning> known)
        : client_(std::move(settings)), read_refusal_(std::move(read_refusal)), known_(known) {}

    /// Called once where the credentials are refused; then the request is tried again.
    void renews_by(std::function<void(const certcast::Job&)> renew) { renew_ = std::move(renew); }

    /// From now on it waits for what may pass, as long as the stage lasts.
    void has_changed_something() { is_patient_ = true; }

    /// `what`: for messages, as in "reading the domain shop.example". Throws what throw_refusal
    /// does, and what the client does.
    certcast::http::Response ask(const std::string& what, const MakeRequest& request,
                                 const certcast::Job& job);
    /// The same, for what is not to be asked twice: whoever cannot tell whether it was done looks.
    certcast::http::Response ask_once(const std::string& what, const MakeRequest& request,
                                      const certcast::Job& job);
    /// Gives the refusals of these meanings back instead of throwing them.
    struct Answer {
        std::optional<certcast::http::Response> response;  ///< nothing: refused
        Refusal refusal;
        Meaning meaning = Meaning::refused;
    };
    Answer ask_despite(std::initializer_list<Meaning> meanings, const std::string& what,
                       const MakeRequest& request, const certcast::Job& job);

private:
    Answer send(const MakeRequest& make, bool only_once, const certcast::Job& job);

    certcast::http::Client client_;
    ReadRefusal read_refusal_;
    std::span<const CodeMeaning> known_;
    std::function<void(const certcast::Job&)> renew_;
    bool is_patient_ = false;
};

/// The JSON object of an answer. Throws remote_error where it is none.
boost::json::object object_in(const certcast::http::Response& response, const std::string& what);

/// Gives the slot to others for that long. Throws timeout_error with `what` and `now` where the
/// stage's time is up.
void wait_for(const std::string& what, const std::string& now, std::chrono::milliseconds time,
              const certcast::Job& job);

/// Looks every `poll` until `look` says that nothing is under way any more, by an empty text.
void wait_until_done(const std::string& what, const std::function<std::string()>& look,
                     std::chrono::milliseconds poll, const certcast::Job& job);

}  // namespace cdn
