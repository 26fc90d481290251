#pragma once

#include "plugins/cdn/api.hpp"
#include "plugins/cdn/asked_credentials.hpp"

#include <boost/json/object.hpp>
#include <certcast/http.hpp>
#include <certcast/job.hpp>

#include <string>

namespace cdn {

/// Which services of AWS are asked, and by whom.
struct AwsAccess {
    AskedCredentials credentials;
    std::string acm;         ///< URL of Certificate Manager; CloudFront looks into us-east-1 alone
    std::string cloudfront;  ///< URL of CloudFront
    bool replaces = true;    ///< contents under one ARN
    certcast::http::Settings http;
};

/// Sends the signed requests of both services.
class AwsApi {
public:
    explicit AwsApi(AwsAccess access);

    Api& api() { return api_; }
    /// One action of Certificate Manager (JSON 1.1).
    Api::MakeRequest to_acm(const std::string& action, const boost::json::object& values,
                            const certcast::Job& job);
    /// `path`: behind the version of CloudFront's API. `etag`: of what is replaced.
    Api::MakeRequest to_cloudfront(const std::string& method, const std::string& path,
                                   const std::string& body, const std::string& etag,
                                   const certcast::Job& job);

private:
    AwsAccess access_;
    Api api_;
};

}  // namespace cdn
