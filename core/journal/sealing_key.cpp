#include "core/journal/sealing_key.hpp"

#include "core/base/fd.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>

namespace certcast {

namespace {

// A sealed text: one byte that says how, the nonce, what was sealed, the tag.
constexpr std::byte sealed_so{1};
constexpr std::size_t key_size = 32;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t overhead = 1 + nonce_size + tag_size;

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* octets(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* octets(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Result<Secret> read_key(const std::filesystem::path& file) {
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        Error error = system_error(
            "cannot open the key of the journal; without it the steps of unsettled deployments "
            "cannot be read: restore it",
            errno, file.string());
        error.code = ErrorCode::io;  // that it is not there does not mean that there is no journal
        return error;
    }
    struct stat status {};
    Secret key = Secret::of_size(key_size + 1);
    const ssize_t size = ::read(fd.get(), key.data(), key.size());
    if (fstat(fd.get(), &status) != 0 || size != static_cast<ssize_t>(key_size)) {
        return Error{ErrorCode::invalid,
                     "expected 32 bytes, the key of the journal: restore it; without it the steps "
                     "of unsettled deployments cannot be read",
                     file.string()};
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return Error{ErrorCode::denied,
                     "the key of the journal is open to others; mend it with: chmod 600",
                     file.string()};
    }
    key.shrink(key_size);
    return key;
}

Result<void> write_whole(int fd, std::span<const std::byte> bytes, const std::string& where) {
    if (::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
        ::fsync(fd) == 0) {
        return {};
    }
    return system_error("cannot write the key of the journal", errno, where);
}

/// Whole, or not there: two hosts may be at it at the same time.
Result<void> make_key(const std::filesystem::path& folder, const std::filesystem::path& file) {
    Secret key = Secret::of_size(key_size);
    if (RAND_priv_bytes(octets(key.data()), static_cast<int>(key_size)) != 1) {
        return Error{ErrorCode::internal, "OpenSSL has no random numbers", {}};
    }
    std::string name = (folder / "journal.key.XXXXXX").string();
    const Fd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) return system_error("cannot make the key of the journal", errno, folder.string());
    auto made = write_whole(fd.get(), key.bytes(), name);
    if (made && ::link(name.c_str(), file.c_str()) != 0 && errno != EEXIST) {
        made = system_error("cannot make the key of the journal", errno, file.string());
    }
    ::unlink(name.c_str());
    const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) ::fsync(directory.get());
    return made;
}

Error not_sealed_here() {
    return {ErrorCode::invalid,
            "it was sealed with another key, or changed since: restore journal.key, which lies "
            "beside the journal",
            {}};
}

}  // namespace

Result<SealingKey> SealingKey::in(const std::filesystem::path& folder) {
    const std::filesystem::path file = folder / "journal.key";
    struct stat status {};
    if (::lstat(file.c_str(), &status) != 0 && errno == ENOENT) {
        if (auto made = make_key(folder, file); !made) return made.error();
    }
    return read(folder);
}

Result<SealingKey> SealingKey::read(const std::filesystem::path& folder) {
    Result<Secret> key = read_key(folder / "journal.key");
    if (!key) return key.error();
    return SealingKey(std::move(*key));
}

Result<std::vector<std::byte>> SealingKey::seal(std::span<const std::byte> plain,
                                                std::string_view about) const {
    std::vector<std::byte> sealed(plain.size() + overhead);
    sealed[0] = sealed_so;
    std::byte* const nonce = sealed.data() + 1;
    std::byte* const body = nonce + nonce_size;
    const Context context(EVP_CIPHER_CTX_new());
    int size = 0;
    const bool done = context && RAND_bytes(octets(nonce), static_cast<int>(nonce_size)) == 1 &&
                      EVP_EncryptInit_ex2(context.get(), EVP_aes_256_gcm(), octets(key_.bytes()),
                                          octets(nonce), nullptr) == 1 &&
                      EVP_EncryptUpdate(context.get(), nullptr, &size, octets(about),
                                        static_cast<int>(about.size())) == 1 &&
                      EVP_EncryptUpdate(context.get(), octets(body), &size, octets(plain),
                                        static_cast<int>(plain.size())) == 1 &&
                      EVP_EncryptFinal_ex(context.get(), octets(body + plain.size()), &size) == 1 &&
                      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG,
                                          static_cast<int>(tag_size), body + plain.size()) == 1;
    if (!done) return Error{ErrorCode::internal, "OpenSSL cannot seal with AES-256-GCM", {}};
    return sealed;
}

Result<Secret> SealingKey::open(std::span<const std::byte> sealed, std::string_view about) const {
    if (sealed.size() < overhead || sealed[0] != sealed_so) return not_sealed_here();
    const auto nonce = sealed.subspan(1, nonce_size);
    const auto body = sealed.subspan(1 + nonce_size, sealed.size() - overhead);
    std::vector<std::byte> tag(sealed.end() - tag_size, sealed.end());
    Secret plain = Secret::of_size(body.size());
    const Context context(EVP_CIPHER_CTX_new());
    int size = 0;
    const bool done =
        context &&
        EVP_DecryptInit_ex2(context.get(), EVP_aes_256_gcm(), octets(key_.bytes()), octets(nonce),
                            nullptr) == 1 &&
        EVP_DecryptUpdate(context.get(), nullptr, &size, octets(about),
                          static_cast<int>(about.size())) == 1 &&
        EVP_DecryptUpdate(context.get(), octets(plain.data()), &size, octets(body),
                          static_cast<int>(body.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size),
                            tag.data()) == 1 &&
        EVP_DecryptFinal_ex(context.get(), octets(plain.data() + plain.size()), &size) == 1;
    if (!done) return not_sealed_here();
    return plain;
}

}  // namespace certcast
