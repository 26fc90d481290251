#pragma once

#include "plugins/cdn/aws_cloudfront/aws_api.hpp"
#include "plugins/cdn/domain.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace cdn {

/// A distribution of CloudFront. Its certificates are in Certificate Manager, in us-east-1, where
/// each distribution has one of its own: it is replaced under its ARN, and no other distribution
/// is touched by that.
/// https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html
/// https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateDistribution.html
class Distribution : public Domain {
public:
    Distribution(std::string id, AwsAccess access, std::chrono::milliseconds poll);

    std::string text() const override;
    Binding binding(const certcast::Job& job) override;
    std::optional<std::string> find(const Contents& contents, const certcast::Job& job) override;
    Uploaded upload(const Contents& contents, const certcast::Job& job) override;
    void bind(const Uploaded& certificate, const Binding& before,
              const certcast::Job& job) override;
    void restore(const boost::json::object& former, const Binding& now,
                 const certcast::Job& job) override;
    bool remove(const Uploaded& certificate, const certcast::Job& job) override;
    Api& api() override { return aws_.api(); }

    bool replaces() const override { return true; }
    /// ACM keeps to more than it says of a certificate under its ARN: its usages, one of its names.
    bool binds_as_well() const override { return true; }
    bool may_replace(const Binding& now, const Contents& contents,
                     const certcast::Job& job) override;
    std::string replace(const std::string& arn, const Contents& contents,
                        const certcast::Job& job) override;

private:
    struct Config {
        std::string xml;
        std::string etag;
    };

    boost::json::object ask_acm(const std::string& what, const std::string& action,
                                const boost::json::object& values, const certcast::Job& job);
    std::string import(const Contents& contents, boost::json::object values,
                       const certcast::Job& job);
    std::optional<std::string> pem_of(const std::string& arn, const certcast::Job& job);
    bool is_of_this_distribution(const std::string& arn, const certcast::Job& job);
    bool is_used_by_others(const std::string& arn, const certcast::Job& job);
    Config config(const certcast::Job& job);
    /// `lag`: how long a certificate that CloudFront does not know may be one that it does not know
    /// yet.
    void change_viewer_certificate(const std::function<std::string(const std::string&)>& change,
                                   std::chrono::milliseconds lag, const certcast::Job& job);
    void update(const Config& config, const certcast::Job& job);

    std::string id_;
    bool may_replace_;
    AwsApi aws_;
    std::chrono::milliseconds poll_;
};

}  // namespace cdn
