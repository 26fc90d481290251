#pragma once

#include "core/certificate/sources.hpp"
#include "tests/unit/fake_host.hpp"
#include "tests/unit/temporary_folder.hpp"
#include "tests/unit/test_certificates.hpp"
#include "tests/unit/tls_server.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <tuple>

namespace certcast::testing {

inline const certcast_deployer& plugin(const std::string& id) {
    return load_plugin(std::string(CERTCAST_PLUGIN_FOLDER) + "/" + id + ".so").deployers[0];
}

/// A certificate in the forms that the tests need.
struct Material {
    explicit Material(const CertificateWish& wish, const Issued& issuer)
        : leaf(make_certificate(wish)),
          pair{pem(leaf.certificate) + pem(issuer.certificate), pem(leaf.key)},
          bundle(load()) {}

    Issued leaf;
    PemPair pair;
    CertificateBundle bundle;

private:
    CertificateBundle load() const {
        const TemporaryFolder folder;
        auto parts = read_source(folder.write("all", pair.fullchain + pair.key), Secret());
        return std::move(CertificateBundle::from(std::move(parts.value()), {}).value());
    }
};

/// An old and a new certificate of one authority, the new one for two kinds of key.
struct World {
    Issued root = make_certificate({.subject = "Test Root", .is_ca = true});
    Issued middle =
        make_certificate({.subject = "Test Intermediate", .issuer = &root, .is_ca = true});
    Material old_one{{.names = {"DNS:shop.example"}, .issuer = &middle}, middle};
    Material new_one{{.names = {"DNS:shop.example"}, .issuer = &middle}, middle};
    Material rsa{{.names = {"DNS:shop.example"}, .issuer = &middle, .key_kind = KeyKind::rsa_2048},
                 middle};
};

inline const World& world() {
    static const World made;
    return made;
}

inline std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline mode_t mode_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// What changes when a file is written or replaced.
inline auto stamp_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return std::tuple(status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

inline bool says(const std::string& message, std::string_view words) {
    if (message.find(words) != std::string::npos) return true;
    MESSAGE("expected \"", std::string(words), "\" in: ", message);
    return false;
}

}  // namespace certcast::testing
