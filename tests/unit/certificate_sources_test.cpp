#include "core/certificate/read_settled.hpp"
#include "tests/unit/test_authority.hpp"

#include <openssl/provider.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace certcast;
using namespace certcast::testing;
namespace fs = std::filesystem;

TEST_CASE("certificate, key and chain are found in whatever form they come") {
    const TemporaryFolder folder;
    const std::string key = pem(ca().leaf.key);
    const std::string leaf = pem(ca().leaf.certificate);
    const std::string middle = pem(ca().middle.certificate);

    SUBCASE("files of their own") {
        CHECK(holds_shop(
            CertificateBundle::from(read_files(folder.write("c", leaf), folder.write("k", key),
                                               folder.write("i", middle), {})
                                        .value(),
                                    {})));
    }
    SUBCASE("full chain and key") {
        CHECK(holds_shop(CertificateBundle::from(
            read_files(folder.write("c", fullchain()), folder.write("k", key), {}, {}).value(),
            {})));
    }
    SUBCASE("files of their own in DER") {
        CHECK(holds_shop(
            CertificateBundle::from(read_files(folder.write("c", der(ca().leaf.certificate)),
                                               folder.write("k", der(ca().leaf.key)),
                                               folder.write("i", der(ca().middle.certificate)), {})
                                        .value(),
                                    {})));
    }
    SUBCASE("one PEM file, in the wrong order, with duplicates, prose and Windows line ends") {
        std::string all = "\xef\xbb\xbf" + key + "# exported\n" + middle + "Bag Attributes\n" +
                          leaf + middle + leaf + pem(ca().root.certificate);
        std::string with_crlf;
        for (const char c : all) with_crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
        const auto bundle = load(folder.write("all", with_crlf));
        REQUIRE(holds_shop(bundle));
        CHECK(bundle.value().chain_length() == 1);
        CHECK(bundle.value().warnings().empty());
        CHECK(text(*bundle, CERTCAST_ROOT_PEM) == pem(ca().root.certificate));
    }
    SUBCASE("a key as old tools write it") {
        CHECK(holds_shop(load(folder.write("all", traditional_pem(ca().leaf.key) + fullchain()))));
    }
    SUBCASE("an encrypted key") {
        CHECK(holds_shop(load_text(fullchain() + pem(ca().leaf.key, "päss"), "päss")));
    }
    SUBCASE("a key with the encryption of old") {
        CHECK(holds_shop(load_text(fullchain() + traditional_pem(ca().leaf.key, "pass"), "pass")));
    }
    SUBCASE("PKCS#12") {
        CHECK(holds_shop(load_text(pkcs12("pass", Pkcs12Profile::modern), "pass")));
    }
    SUBCASE("PKCS#12 of the legacy profile") {
        CHECK(holds_shop(load_text(pkcs12("pass", Pkcs12Profile::legacy), "pass")));
    }
    SUBCASE("PKCS#12 with an empty password") {
        CHECK(holds_shop(load_text(pkcs12("", Pkcs12Profile::modern))));
    }
}

TEST_CASE("a folder is read by content, as each tool leaves it") {
    const TemporaryFolder folder;
    const std::string key = pem(ca().leaf.key);
    const std::string leaf = pem(ca().leaf.certificate);
    const std::string middle = pem(ca().middle.certificate);
    const std::string csr =
        "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";

    SUBCASE("certbot") {
        folder.write("archive/shop/cert2.pem", leaf);
        folder.write("archive/shop/cert1.pem", pem(ca().older.certificate));
        folder.write("archive/shop/privkey1.pem", pem(ca().older.key));
        folder.write("archive/shop/chain2.pem", middle);
        folder.write("archive/shop/fullchain2.pem", fullchain());
        folder.write("archive/shop/privkey2.pem", key);
        folder.write("live/shop/README", "This directory contains your keys and certificates.\n");
        for (const char* name : {"cert", "chain", "fullchain", "privkey"}) {
            folder.link(std::string("live/shop/") + name + ".pem",
                        std::string("../../archive/shop/") + name + "2.pem");
        }
        CHECK(holds_shop(load(folder / "live/shop")));
    }
    SUBCASE("lego") {
        folder.write("shop.example.crt", fullchain());
        folder.write("shop.example.key", traditional_pem(ca().leaf.key));
        folder.write("shop.example.issuer.crt", middle);
        folder.write("shop.example.json", R"({"domain": "shop.example"})");
        CHECK(holds_shop(load(folder.path())));

        folder.write("mail.example.crt", pem(ca().other.certificate));
        folder.write("mail.example.key", pem(ca().other.key));
        const std::string message = message_of(load(folder.path()));
        CHECK(says(message, "more than one leaf"));
        CHECK(says(message, "CN=shop.example"));
        CHECK(says(message, "CN=mail.example"));
    }
    SUBCASE("lego, with a PKCS#12 file whose password is not known here") {
        folder.write("shop.example.crt", fullchain());
        folder.write("shop.example.key", key);
        folder.write("shop.example.pfx", pkcs12("changeit", Pkcs12Profile::modern));
        const auto bundle = load(folder.path());
        REQUIRE(holds_shop(bundle));
        CHECK(says(bundle.value().warnings().at(0), "shop.example.pfx"));
    }
    SUBCASE("acme.sh") {
        folder.write("shop.example.cer", leaf);
        folder.write("shop.example.key", traditional_pem(ca().leaf.key));
        folder.write("ca.cer", middle);
        folder.write("fullchain.cer", fullchain());
        folder.write("shop.example.csr", csr);
        folder.write("shop.example.csr.conf", "[ req_distinguished_name ]\n");
        folder.write("shop.example.conf", "Le_Domain='shop.example'\n");
        CHECK(holds_shop(load(folder.path())));
    }
    SUBCASE("dehydrated, with the files of years") {
        for (int renewal = 100; renewal < 150; ++renewal) {
            const std::string number = std::to_string(renewal);
            folder.write("cert-" + number + ".pem", pem(ca().older.certificate));
            folder.write("cert-" + number + ".csr", csr);
            folder.write("chain-" + number + ".pem", middle);
            folder.write("fullchain-" + number + ".pem", pem(ca().older.certificate) + middle);
            folder.write("privkey-" + number + ".pem", pem(ca().older.key));
        }
        folder.write("cert-150.pem", leaf);
        folder.write("cert-150.csr", csr);
        folder.write("chain-150.pem", middle);
        folder.write("fullchain-150.pem", fullchain());
        folder.write("privkey-150.pem", key);
        for (const char* name : {"cert", "chain", "fullchain", "privkey"}) {
            folder.link(std::string(name) + ".pem", std::string(name) + "-150.pem");
        }
        folder.link("cert.csr", "cert-150.csr");
        CHECK(holds_shop(load(folder.path())));
    }
    SUBCASE("cert-manager") {
        folder.write("..2026_01_01/tls.crt", fullchain());
        folder.write("..2026_01_01/tls.key", key);
        folder.write("..2026_01_01/ca.crt", pem(ca().root.certificate));
        folder.link("..data", "..2026_01_01");
        for (const char* name : {"tls.crt", "tls.key", "ca.crt"}) {
            folder.link(name, std::string("..data/") + name);
        }
        CHECK(holds_shop(load(folder.path())));
    }
    SUBCASE("a FIFO, a device, a dangling link, a folder and a large file are passed over") {
        folder.write("all", fullchain() + key);
        REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
        folder.link("null", "/dev/zero");
        folder.link("gone", "nowhere");
        folder.link("self", "self");
        folder.write("sub/other.pem", pem(ca().other.certificate));
        folder.write("large",
                     std::string(std::size_t{1024} * 1024 + 1, '\n') + pem(ca().other.certificate));
        const auto bundle = load(folder.path());
        REQUIRE(holds_shop(bundle));
        CHECK(bundle.value().warnings().empty());
    }
}

TEST_CASE("in a folder, the file that could not be read is named when something is missing") {
    const TemporaryFolder folder;
    folder.write("fullchain.pem", fullchain());

    SUBCASE("an encrypted key") {
        folder.write("key.pem", pem(ca().leaf.key, "pass"));
        CHECK(says(message_of(load(folder.path())), "key.pem: the private key is encrypted"));
        CHECK(holds_shop(load(folder.path(), "pass")));
    }
    SUBCASE("a damaged key") {
        const std::string key = pem(ca().leaf.key);
        folder.write("key.pem", key.substr(0, key.size() / 2));
        CHECK(says(message_of(load(folder.path())), "key.pem: a PEM block is damaged"));
    }
    SUBCASE("a key without permission") {
        folder.write("key.pem", pem(ca().leaf.key));
        fs::permissions(folder / "key.pem", fs::perms::none);
        if (geteuid() != 0) {
            CHECK(says(message_of(load(folder.path())), "key.pem: cannot be read"));
        }
    }
    SUBCASE("an old key and a damaged new one") {
        folder.write("old.pem", pem(ca().older.key));
        folder.write("key.pem", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n");
        const std::string message = message_of(load(folder.path()));
        CHECK(says(message, "does not match"));
        CHECK(says(message, "key.pem: a PEM block is damaged"));
    }
}

TEST_CASE("PKCS#12 with RC2 is refused with the way out") {
    // The legacy provider is loaded for the writing only, in a context of its own.
    const std::unique_ptr<OSSL_LIB_CTX, FreeWith<OSSL_LIB_CTX_free>> context(OSSL_LIB_CTX_new());
    OSSL_PROVIDER* const legacy = OSSL_PROVIDER_load(context.get(), "legacy");
    OSSL_PROVIDER* const standard = OSSL_PROVIDER_load(context.get(), "default");
    REQUIRE(legacy != nullptr);
    REQUIRE(standard != nullptr);
    const Pkcs12Ptr sealed(
        PKCS12_create_ex("pass", "shop", ca().leaf.key.get(), ca().leaf.certificate.get(), nullptr,
                         NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_pbe_WithSHA1And40BitRC2_CBC,
                         2048, 2048, 0, context.get(), nullptr));
    REQUIRE(sealed);
    const BioPtr out(BIO_new(BIO_s_mem()));
    REQUIRE(i2d_PKCS12_bio(out.get(), sealed.get()) == 1);
    CHECK(says(message_of(load_text(text_of(*out), "pass")), "re-export it with AES-256"));
    CHECK(says(message_of(load_text(text_of(*out), "wrong")), "passphrase does not open"));
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(standard);
}

TEST_CASE("a key that everyone can read is a warning") {
    const TemporaryFolder folder;
    const fs::path file = folder.write("all.pem", fullchain() + pem(ca().leaf.key));
    CHECK(load(file).value().warnings().empty());
    fs::permissions(file, fs::perms(0644));
    CHECK(says(load(file).value().warnings().at(0), "can read the private key"));
}

TEST_CASE("a file that breaks off in the middle is an error in a folder too") {
    const TemporaryFolder folder;
    folder.write("live/tls.crt",
                 pem(ca().leaf.certificate) + pem(ca().middle.certificate).substr(0, 200));
    folder.write("live/tls.key", pem(ca().leaf.key));
    CHECK(says(message_of(load(folder / "live")), "tls.crt: a PEM block is damaged"));
}

TEST_CASE("the key that is named is meant, not one that stands beside the certificate") {
    const TemporaryFolder folder;
    const auto both = folder.write("both.pem", fullchain() + pem(ca().leaf.key));
    const auto other = folder.write("other.key", pem(ca().other.key));
    const auto with = [&](const fs::path& key) {
        return CertificateBundle::from(read_files(both, key, {}, {}).value(), {});
    };
    CHECK(holds_shop(with({})));
    CHECK(says(message_of(with(other)), "does not match"));
}

TEST_CASE("a folder in the place of a file is told where folders go") {
    const TemporaryFolder folder;
    CHECK(says(message_of(read_files(folder.path(), {}, {}, {})), "source = takes a folder"));
}

TEST_CASE("malformed input is an error that names the file") {
    const std::string whole = fullchain() + pem(ca().leaf.key);
    const TemporaryFolder folder;
    CHECK(says(message_of(load(folder / "absent")), "absent: cannot be opened: No such file"));
    CHECK(says(message_of(load(folder.path())), folder.path().string() + ": no certificate found"));
    CHECK(says(message_of(load(folder.write("x", ""))), "x: holds neither"));
    CHECK(says(message_of(load(folder.write("x", "garbage"))), "x: holds neither"));
    CHECK(says(message_of(load(folder.write("x", std::string(std::size_t{1024} * 1024, '\0')))),
               "holds neither"));
    CHECK(says(message_of(load(folder.write("x", std::string(std::size_t{1024} * 1024 + 1, 'a')))),
               "1 MiB"));
    CHECK(says(message_of(load("/dev/null")), "is no file"));
    REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK(says(message_of(load(folder / "fifo")), "is no file"));
    CHECK(says(message_of(load(folder.write("x", whole.substr(0, 300)))), "damaged"));
    CHECK(says(message_of(read_files(folder.write("c", fullchain()), folder.write("k", fullchain()),
                                     {}, {})),
               "holds no private key"));
    CHECK(says(message_of(read_files(
                   folder.write("c", whole), {},
                   folder.write("i", whole.substr(whole.find("-----BEGIN PRIVATE"))), {})),
               "holds no certificate"));
    std::string many;
    for (int i = 0; i < 1001; ++i) many += pem(ca().other.certificate);
    CHECK(says(message_of(load_text(many)), "more than 100 certificates"));
}

TEST_CASE("input cut off or altered anywhere is never more than an error") {
    const TemporaryFolder folder;
    for (const std::string& whole :
         {fullchain() + pem(ca().leaf.key), der(ca().leaf.certificate), der(ca().leaf.key),
          traditional_pem(ca().leaf.key, "pass"), pem(ca().leaf.key, "pass")}) {
        for (std::size_t size = 0; size < whole.size(); size += 29) {
            const auto cut = load(folder.write("x", whole.substr(0, size)), "pass");
            CHECK(cut.has_error());
            std::string altered = whole;
            altered[size] = static_cast<char>(altered[size] ^ 0x15);
            const auto other = load(folder.write("x", altered), "pass");
            if (other.has_error()) CHECK_FALSE(other.error().message.empty());
        }
    }
}

TEST_CASE("what changed while it was read is read again, and not for ever") {
    int version = 0;
    int changes = 0;
    int reads = 0;
    const auto list = [&]() -> Result<int> { return version; };
    const auto read = [&](int seen) -> Result<std::string> {
        ++reads;
        if (version < changes) ++version;
        return "version " + std::to_string(seen);
    };
    CHECK(read_settled("folder", list, read).value() == "version 0");
    CHECK(reads == 1);
    changes = 2;
    CHECK(read_settled("folder", list, read).value() == "version 2");
    CHECK(reads == 4);
    changes = 100;
    CHECK(says(message_of(read_settled("folder", list, read)), "folder: kept changing"));
    CHECK(reads == 7);
}
