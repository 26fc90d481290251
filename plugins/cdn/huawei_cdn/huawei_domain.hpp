#pragma once

#include "plugins/cdn/asked_credentials.hpp"
#include "plugins/cdn/domain.hpp"

#include <certcast/http.hpp>

#include <string>
#include <string_view>

namespace cdn {

/// Which services of Huawei Cloud are asked, and by whom.
struct HuaweiAccess {
    AskedCredentials credentials;
    std::string certificates;  ///< URL of SSL Certificate Manager
    std::string cdn;           ///< URL of CDN
    std::string project;       ///< an enterprise project; empty: none is said
    certcast::http::Settings http;
};

/// A domain of Huawei Cloud CDN. Certificates are in SSL Certificate Manager. Its export, which
/// gives the private key back, and its deployment, which costs money, are never asked for.
/// https://support.huaweicloud.com/intl/en-us/api-cdn/UpdateDomainMultiCertificates.html
/// https://support.huaweicloud.com/intl/en-us/api-ccm/ImportCertificate.html
class HuaweiDomain : public Domain {
public:
    HuaweiDomain(std::string_view domain, HuaweiAccess access);

    std::string text() const override;
    std::string host() const override { return domain_; }
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
    Api::MakeRequest request_of(const std::string& method, const std::string& url,
                                const boost::json::object* body, const certcast::Job& job);
    boost::json::object read(const std::string& what, const std::string& url,
                             const certcast::Job& job);
    void write(const std::string& what, const boost::json::object& https, const certcast::Job& job);
    boost::json::object asked_to_write(const std::string& what, const Api::MakeRequest& request,
                                       const certcast::Job& job);
    boost::json::object details(const certcast::Job& job);
    std::string project(const char* separator) const;
    std::string fingerprint_of(const std::string& id, const certcast::Job& job);
    std::optional<std::string> id_of(std::string_view name, std::string_view leaf_der,
                                     const certcast::Job& job);
    /// False: something uses it.
    bool delete_certificate(const std::string& id, const certcast::Job& job);
    bool is_used(const Uploaded& certificate, const certcast::Job& job);

    std::string domain_;
    HuaweiAccess access_;
    Api api_;
};

}  // namespace cdn
