#pragma once

#include "plugins/kubernetes/access.hpp"
#include "plugins/kubernetes/object_name.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <certcast/http.hpp>
#include <certcast/job.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubernetes {

/// The requests to an API server that a secret takes. What it refuses is thrown with its own words
/// and a category: what is wrong with a credential auth_error, a manager that is in the way or a
/// change in between conflict_error, else remote_error, which is tried again where that may help.
class Api {
public:
    explicit Api(Access access);

    /// Nothing where it is not there. `version`: what is as new as that will do, which the server
    /// has at hand.
    std::optional<boost::json::object> get(const ObjectName& object, const certcast::Job& job,
                                           const std::string& version = {});
    /// Names of those with these labels that are not on their way out.
    std::vector<std::string> namespaces_with(std::string_view labels, const certcast::Job& job);
    /// Writes a secret: what it is now. By server-side apply as kubernetes::field_manager, or,
    /// where the server has none or its verb is not granted, by replacing what was read. In a dry
    /// run the server only says what it would do.
    boost::json::object write(const ObjectName& secret, const boost::json::object& wanted,
                              bool takes_over, const certcast::Job& job);
    /// A JSON merge patch (RFC 7386). False: it is not there.
    bool patch(const ObjectName& object, const boost::json::object& change,
               const certcast::Job& job);
    /// Only where it is still as it was when it was read.
    void remove(const ObjectName& object, const boost::json::object& as_read,
                const certcast::Job& job);
    /// Whether this is granted; `by_name`: for the one object, else for all of its kind.
    bool may(std::string_view verb, const ObjectName& object, const certcast::Job& job,
             bool by_name = true);
    /// Throws auth_error with the verbs that are not granted for it. `makes_it`: it is not there,
    /// and undoing deletes it.
    void expect_may_write(const ObjectName& secret, bool makes_it, const certcast::Job& job);
    void expect_may(const char* verb, const ObjectName& object, const certcast::Job& job);

    const Access& access() const { return access_; }

private:
    boost::json::object replace(const ObjectName& secret, const boost::json::object& wanted,
                                bool takes_over, const certcast::Job& job);
    void expect_none(const std::string& missing, const ObjectName& object) const;
    certcast::http::Response send(std::string method, const std::string& path,
                                  const std::string& type, const boost::json::object* body,
                                  const certcast::Job& job);
    [[noreturn]] void throw_refusal(const certcast::http::Response& response,
                                    const std::string& what) const;

    Access access_;
    certcast::http::Client client_;
};

}  // namespace kubernetes
