#pragma once

#include "tests/cdn/installed.hpp"
#include "tests/e2e/cloud_double.hpp"
#include "tests/e2e/nginx_server.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certcast::testing {

/// One vendor, as a table of what its tests have in common.
struct CloudVendor {
    std::string plugin;
    std::string script;
    boost::json::object settings;  ///< of its double
    std::string target;            ///< the parameter that names what is deployed to
    std::string target_value;
    std::string config;  ///< of a deployment beside that; URL stands for the double's
    std::string upload;  ///< an action, as the double names it; so are the next ones
    std::string bind;    ///< empty: what is uploaded is bound
    std::string renew;   ///< what makes another certificate of the one that is there
    std::string read;
    std::string throttled;  ///< a code of an error
    std::string missing;    ///< what is said where the target is not there
    /// SHA-256 of the leaf that the target serves; empty where there is none.
    std::function<std::string(const boost::json::object& state)> served;
    std::function<std::size_t(const boost::json::object& state)> certificates;
};

const CloudVendor& alibaba();
const CloudVendor& tencent();
const CloudVendor& huawei();
const CloudVendor& cloudflare();
const CloudVendor& cloudfront();
/// All of them; none where they cannot be tested here.
std::vector<CloudVendor> cloud_vendors();

/// One fault of a double.
std::string fault(const std::string& action, const std::string& what);

/// A vendor's double, certificates, and deployments to it.
class Cloud {
public:
    /// `more`: settings of the double.
    explicit Cloud(CloudVendor vendor, const boost::json::object& more = {});
    Cloud(const Cloud&) = delete;
    Cloud& operator=(const Cloud&) = delete;
    /// Whatever a test has done, no key was sent in the open or kept.
    ~Cloud();

    const Workspace& workspace() const { return workspace_; }
    Workspace& workspace() { return workspace_; }
    const CloudDouble& vendor_double() const { return *double_; }
    /// Another double, with these objects; it is elsewhere, but the deployment is the same.
    void begin_again(const boost::json::object& state);
    const CloudVendor& vendor() const { return vendor_; }
    std::size_t count(std::string_view action) const { return double_->count(action); }

    /// `more`: lines of the deployment's config. `entry`: lines of the deployment itself.
    std::string pipeline(const std::string& certificate, const std::string& more = {},
                         const std::string& entry = {}) const;
    Run run(const std::string& certificate, const std::string& more = {}) const {
        return workspace_.run(pipeline(certificate, more));
    }
    /// Where a probe finds nobody, so that what was deployed is undone.
    Run run_in_vain(const std::string& certificate, const std::string& more = {}) const;
    /// NAME.pem, with an intermediate, and NAME.key.
    void issue(const std::string& name, KeyKind kind = KeyKind::p256,
               std::vector<std::string> names = {"DNS:shop.example"});
    /// Of RSA, by an authority that signs so, too.
    void issue_by_rsa(const std::string& name);
    /// Another's certificate of this name.
    void take(const std::string& name, const Cloud& other);
    std::string sha256(const std::string& certificate) const { return sha256_.at(certificate); }
    std::string served() const { return vendor_.served(double_->state()); }
    std::size_t certificates() const { return vendor_.certificates(double_->state()); }
    /// Of a test that has them in a URL.
    void lets_keys_be_sent_in_the_open() { looks_for_keys_ = false; }
    /// That nothing which was said, sent in the open or kept shows the key.
    void expect_key_nowhere(const std::string& certificate, const Run& run) const;

private:
    void issue(const std::string& name, const CertificateWish& wish, const Issued& intermediate);

    CloudVendor vendor_;
    Workspace workspace_;
    Issued intermediate_;
    boost::json::object settings_;
    std::unique_ptr<CloudDouble> double_;
    std::map<std::string, std::string> sha256_;
    bool looks_for_keys_ = true;
};

}  // namespace certcast::testing
