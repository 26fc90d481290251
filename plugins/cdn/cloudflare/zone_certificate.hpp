#pragma once

#include "plugins/cdn/domain.hpp"
#include "plugins/cdn/leaf.hpp"

#include <certcast/http.hpp>

#include <string>
#include <vector>

namespace cdn {

/// Which zone, who asks, and how certificates are put there.
struct CloudflareAccess {
    std::string zone;
    certcast::Sensitive token;
    std::string endpoint;       ///< URL of the API, with its version
    std::string bundle_method;  ///< "ubiquitous", "optimal", "force"
    std::string type;           ///< "sni_custom", "legacy_custom"
    bool takes_over = false;    ///< also what certcast has not put there
    certcast::http::Settings http;
};

/// A custom certificate of a zone of Cloudflare. Its contents are replaced, and with that it has
/// another id. Cloudflare shows neither a certificate nor a fingerprint: it is known by its id, its
/// hosts and its end.
/// https://developers.cloudflare.com/api/resources/custom_certificates/
class ZoneCertificate : public Domain {
public:
    explicit ZoneCertificate(CloudflareAccess access);

    std::string text() const override;
    Binding binding(const certcast::Job& job) override;
    std::optional<std::string> find(const Contents& contents, const certcast::Job& job) override;
    Uploaded upload(const Contents& contents, const certcast::Job& job) override;
    bool binds() const override { return false; }
    void bind(const Uploaded&, const Binding&, const certcast::Job&) override {}
    void restore(const boost::json::object&, const Binding&, const certcast::Job&) override {}
    bool remove(const Uploaded& certificate, const certcast::Job& job) override;
    Api& api() override { return api_; }

    bool replaces() const override { return true; }
    bool takes_over() const override { return access_.takes_over; }
    bool may_replace(const Binding&, const Contents&, const certcast::Job&) override {
        return true;
    }
    std::string replace(const std::string& id, const Contents& contents,
                        const certcast::Job& job) override;

private:
    struct Listed {
        std::string id;
        std::string status;
        std::string uploaded_on;
        std::time_t expires_on = 0;
        std::vector<std::string> hosts;

        /// Cloudflare may list only those of the zone.
        bool is_for(const std::vector<std::string>& names) const;
        bool is_there() const { return status != "deleted" && status != "expired"; }
    };

    std::string path(const std::string& id = {}) const;
    Api::MakeRequest request_of(const std::string& method, const std::string& url,
                                const boost::json::object* body = nullptr) const;
    static Listed listed_in(const boost::json::object& result);
    std::vector<Listed> all(const certcast::Job& job);
    std::optional<Listed> get(const std::string& id, const certcast::Job& job);
    std::optional<Listed> of_hosts(const std::vector<std::string>& hosts, const certcast::Job& job);
    boost::json::object body_of(const Contents& contents) const;
    std::string id_in(const certcast::http::Response& response, const std::string& what);

    CloudflareAccess access_;
    Api api_;
    std::string id_;  ///< of the certificate, as far as it is known
};

}  // namespace cdn
