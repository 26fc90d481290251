#pragma once

#include "plugins/cdn/asked_credentials.hpp"
#include "plugins/cdn/domain.hpp"

#include <certcast/http.hpp>

#include <chrono>
#include <string>

namespace cdn {

/// Which services of Tencent Cloud are asked, and by whom.
struct TencentAccess {
    AskedCredentials credentials;
    std::string certificates;  ///< URL of SSL Certificates
    std::string cdn;           ///< URL of CDN
    bool deploys = false;      ///< SSL Certificates binds, and not CDN
    std::chrono::milliseconds poll{10'000};
    certcast::http::Settings http;
};

/// A domain of Tencent Cloud CDN. Certificates are in SSL Certificates. It shows them only with
/// their private keys, which nobody here wants to have: they are known by their ids.
/// https://cloud.tencent.com/document/api/228/41116 and .../api/400/41665
class TencentDomain : public Domain {
public:
    TencentDomain(std::string domain, TencentAccess access);

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
    struct Action {
        std::string url;
        std::string service;
        std::string version;
        std::string name;
    };

    Action certificates(std::string name) const;
    Action cdn(std::string name) const;
    Api::MakeRequest request_of(const Action& action, const boost::json::object& values,
                                const certcast::Job& job);
    boost::json::object ask(const std::string& what, const Action& action,
                            const boost::json::object& values, const certcast::Job& job);
    Uploaded upload(const Contents& contents, bool repeatable, const certcast::Job& job);
    std::string name_of_certificate(const std::string& id, const certcast::Job& job);
    void write(const std::string& what, const boost::json::object& https, const certcast::Job& job);
    void deploy(const Uploaded& certificate, const certcast::Job& job);
    /// Empty: it has come to its end.
    std::string state_of_deployment(std::int64_t record, const certcast::Job& job);
    bool await_removal(const std::string& task, const Uploaded& certificate,
                       const certcast::Job& job);

    std::string domain_;
    TencentAccess access_;
    Api api_;
};

}  // namespace cdn
