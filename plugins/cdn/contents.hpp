#pragma once

#include <boost/json/object.hpp>
#include <certcast/job.hpp>
#include <certcast/sensitive.hpp>

#include <string>
#include <string_view>

namespace cdn {

/// A certificate as vendors take it.
struct Contents {
    std::string leaf_pem;
    std::string chain_pem;  ///< may be empty
    certcast::Sensitive key_pem;

    std::string fullchain_pem() const { return leaf_pem + chain_pem; }
};

Contents contents_of(const certcast::Job& job);
boost::json::object to_json(const Contents& contents);
Contents contents_in(const boost::json::object& object);

/// What certcast names a certificate that it uploads: made from the certificate and its chain, so
/// that who looks for the name finds the one that was uploaded before.
std::string name_of(std::string_view fullchain_pem);
/// What all of those names begin with.
inline constexpr std::string_view upload_prefix = "certcast_";

/// Whether PEM text that a vendor shows begins with this certificate.
bool holds_leaf(std::string_view shown_pem, std::string_view leaf_pem);
/// Whether it holds these certificates, and no others.
bool holds(std::string_view shown_pem, std::string_view fullchain_pem);

}  // namespace cdn
