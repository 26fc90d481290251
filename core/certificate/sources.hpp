#pragma once

#include "core/certificate/certificate_bundle.hpp"

#include <filesystem>

namespace certcast {

/// Reads whatever certificates and keys a file (PEM, DER, PKCS#12) or a folder (as certbot, lego,
/// acme.sh, dehydrated or cert-manager leave it) holds, told apart by content, never by name.
/// Symbolic links are resolved once, so that a renewal in between cannot mix two pairs.
Result<CertificateParts> read_source(const std::filesystem::path& source, const Secret& passphrase);

/// Reads certificate, key and chain from files of their own; empty paths are left out.
Result<CertificateParts> read_files(const std::filesystem::path& certificate,
                                    const std::filesystem::path& key,
                                    const std::filesystem::path& chain, const Secret& passphrase);

}  // namespace certcast
