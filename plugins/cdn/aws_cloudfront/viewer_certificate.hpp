#pragma once

#include <string>
#include <string_view>

namespace cdn {

// The ViewerCertificate of a CloudFront DistributionConfig, as XML text. All that stands beside it
// is handed on byte for byte, also what nobody here knows: what an update leaves out is lost.
// https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ViewerCertificate.html

/// Throws remote_error where the text is no DistributionConfig with one.
std::string viewer_certificate_in(std::string_view config);
/// The config with another one in its place, as viewer_certificate_in() has given it.
std::string with_viewer_certificate(std::string_view config, std::string_view element);

/// Of ACM; empty where it has another, or CloudFront's own.
std::string certificate_arn_in(std::string_view element);
/// Bound to a certificate of ACM. Security policy and method of serving stay, where the former
/// certificate was not CloudFront's own: that one has others than anybody would choose, and paying
/// for addresses (method "vip") among them.
std::string bound_to(std::string_view element, std::string_view arn);

}  // namespace cdn
