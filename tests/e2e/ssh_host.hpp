#pragma once

#include "tests/e2e/real_part.hpp"
#include "tests/e2e/ssh_server.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace certcast::testing {

inline constexpr const char* sshd = "/usr/sbin/sshd";

/// One host with a certificate and a key, in a folder that is there for each test.
class Host {
public:
    /// In `wish`, FAR stands for the folder.
    explicit Host(SshServerWish wish = {})
        : folder(workspace / "far"), server(workspace, prepared(std::move(wish))) {
        workspace.issue("newer");
        workspace.issue("former");
    }

    std::filesystem::path crt() const { return folder / "shop.crt"; }
    std::filesystem::path key() const { return folder / "shop.key"; }
    std::string files() const {
        return "files = [{ form = \"fullchain\", path = \"" + crt().string() +
               "\" }, { form = \"key\", path = \"" + key().string() + "\" }]\n";
    }
    /// `more`: lines of its config. `login`: how it is reached, else as it should be.
    std::string pipeline(const std::string& more = {}, const std::string& certificate = "newer",
                         const std::optional<std::string>& login = std::nullopt) const {
        return workspace.head({certificate}) + "[deploy.far]\nplugin = \"ssh\"\ncertificate = \"" +
               certificate +
               "\"\nprobe = false\nguards = { older = \"off\" }\n[deploy.far.config]\n" +
               login.value_or(server.login()) + files() + more;
    }
    Run run(const std::string& more = {}, const std::string& certificate = "newer",
            const std::optional<std::string>& login = std::nullopt) const {
        return workspace.run(pipeline(more, certificate, login));
    }
    std::string pem(const std::string& certificate) const {
        return read_text(workspace / (certificate + ".pem"));
    }
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            names.push_back(entry.path().filename().string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    /// Nothing but these two, so no temporary file either.
    bool has_only_the_pair() const {
        return names() == std::vector<std::string>{"shop.crt", "shop.key"};
    }

    Workspace workspace;
    std::filesystem::path folder;
    SshServer server;

private:
    SshServerWish prepared(SshServerWish wish) const {
        std::filesystem::create_directory(folder);
        for (auto at = wish.mounts.find("FAR"); at != std::string::npos;
             at = wish.mounts.find("FAR")) {
            wish.mounts.replace(at, 3, folder.string());
        }
        return wish;
    }
};

/// Something that programs over there wait for, by a line of sh: all of them, at any time.
class Moment {
public:
    explicit Moment(const Workspace& workspace) : path_(workspace / "moment") {
        REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
        // Open at both ends, so that nobody's open waits, and what is written stays.
        fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
        REQUIRE(fd_ >= 0);
    }
    Moment(const Moment&) = delete;
    Moment& operator=(const Moment&) = delete;
    ~Moment() { ::close(fd_); }

    std::string awaited() const { return "read -r word <" + path_.string(); }
    void comes() const {
        std::string lines;
        for (int i = 0; i < 100; ++i) lines += "now\n";
        REQUIRE(::write(fd_, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
    }

private:
    std::filesystem::path path_;
    int fd_ = -1;
};

/// The shells that the script has to run under, one in each subcase; nothing: it is not there.
inline std::optional<std::vector<std::string>> each_shell() {
    std::optional<std::vector<std::string>> shell;
    SUBCASE("under dash") {
        shell = {"/bin/dash"};
    }
    SUBCASE("under bash") {
        shell = {"/bin/bash", "--posix"};
    }
    SUBCASE("under busybox") {
        if (is_there("/bin/busybox")) shell = {"/bin/busybox", "sh"};
    }
    return shell;
}

/// Who holds a lock over there, as the lock names it.
inline std::string holder(pid_t process) {
    std::string boot = read_text("/proc/sys/kernel/random/boot_id");
    boot.erase(boot.find('\n'));
    return std::to_string(process) + " " + boot;
}

}  // namespace certcast::testing
