#pragma once

#include "plugins/cdn/asked_credentials.hpp"
#include "plugins/cdn/domain.hpp"

#include <certcast/http.hpp>

#include <string>

namespace cdn {

/// Which domain of Alibaba Cloud CDN, and who asks.
struct AlibabaAccess {
    AskedCredentials credentials;
    std::string certificates;  ///< URL of the Certificate Management Service
    std::string cdn;           ///< URL of CDN
    std::string region;        ///< where the service keeps certificates
    bool asks_by_query = false;
    certcast::http::Settings http;
};

/// A domain of Alibaba Cloud CDN. Certificates are in the Certificate Management Service.
/// https://www.alibabacloud.com/help/en/cdn/developer-reference/api-cdn-2018-05-10-setcdndomainsslcertificate
class AlibabaDomain : public Domain {
public:
    AlibabaDomain(std::string domain, AlibabaAccess access);

    std::string text() const override;
    /// A wildcard is ".shop.example" there.
    std::string host() const override { return domain_.starts_with('.') ? "*" + domain_ : domain_; }
    Binding binding(const certcast::Job& job) override;
    std::optional<std::string> find(const Contents& contents, const certcast::Job& job) override;
    Uploaded upload(const Contents& contents, const certcast::Job& job) override;
    void bind(const Uploaded& certificate, const Binding& before,
              const certcast::Job& job) override;
    void restore(const boost::json::object& former, const Binding& now,
                 const certcast::Job& job) override;
    bool remove(const Uploaded& certificate, const certcast::Job& job) override;
    Api& api() override { return api_; }

private:
    struct Action {
        std::string url;
        std::string version;
        std::string name;
        std::string method = "POST";
    };

    Action certificates(std::string name) const;
    Action cdn(std::string name) const;
    certcast::http::Request request_of(const Action& action, const FormValues& values,
                                       const certcast::Job& job);
    boost::json::object ask(const std::string& what, const Action& action, const FormValues& values,
                            const certcast::Job& job);
    void write(const std::string& what, const FormValues& values, const certcast::Job& job);
    bool is_used(const Uploaded& certificate, const certcast::Job& job);

    std::string domain_;
    AlibabaAccess access_;
    Api api_;
};

}  // namespace cdn
