#pragma once

#include "plugins/kubernetes/access.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <certcast/http.hpp>
#include <certcast/job.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace kubernetes {

/// A secret of a namespace, by the API server that keeps it.
struct SecretName {
    std::string name_space;
    std::string name;

    std::string text() const { return name_space + "/" + name; }
};

/// The requests to an API server that a secret takes. What it refuses is thrown with its own words
/// and a category: what is wrong with a credential auth_error, a manager that is in the way or a
/// change in between conflict_error, else remote_error, which is tried again where that may help.
class Api {
public:
    explicit Api(Access access);

    /// Nothing where it is not there.
    std::optional<boost::json::object> get(const SecretName& secret, const certcast::Job& job);
    /// Server-side apply as the field manager certcast: the object as it is now. In a dry run the
    /// server only says what it would do.
    boost::json::object apply(const SecretName& secret, const boost::json::object& wanted,
                              bool takes_over, const certcast::Job& job);
    /// Only where it is still as it was when it was read.
    void remove(const SecretName& secret, const boost::json::object& as_read,
                const certcast::Job& job);
    /// Throws auth_error where one of these verbs is not granted for the secret.
    void expect_may(std::initializer_list<std::string_view> verbs, const SecretName& secret,
                    const certcast::Job& job);

    const Access& access() const { return access_; }

private:
    certcast::http::Response send(std::string method, const std::string& path,
                                  const std::string& type, const boost::json::object* body,
                                  const certcast::Job& job);
    [[noreturn]] void throw_refusal(const certcast::http::Response& response,
                                    const std::string& what) const;

    Access access_;
    certcast::http::Client client_;
};

}  // namespace kubernetes
