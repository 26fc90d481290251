#include "tests/e2e/ssh_server.hpp"

#include "tests/e2e/nginx_server.hpp"

#include <doctest/doctest.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

namespace certcast::testing {

namespace {

namespace fs = std::filesystem;

const Environment system_paths{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};

void append(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::app) << text;
}

}  // namespace

void make_ssh_key(const fs::path& file, std::string_view type, std::string_view passphrase) {
    said_by({"ssh-keygen", "-q", "-t", std::string(type), "-N", std::string(passphrase), "-f",
             file.string()},
            system_paths);
}

SshServer::SshServer(const Workspace& workspace, const SshServerWish& wish)
    : folder_(workspace / wish.name) {
    fs::create_directories(folder_ / "bin");
    make_ssh_key(folder_ / "host");
    make_ssh_key(key());
    authorize(key());
    make_ssh_key(folder_ / "authority");
    if (!wish.shell.empty()) {
        std::string words;
        for (const std::string& word : wish.shell) words += word + " ";
        install_program("sh", "exec " + words + "\"$@\"\n");
    }
    // Where sshd expects an empty folder, which Debian makes when it starts the service.
    if (geteuid() == 0) fs::create_directory("/run/sshd");
    // Somebody may take the port between the choice and the start; then there is another.
    for (int attempt = 1; attempt <= 5; ++attempt) {
        port_ = free_port();
        const fs::path config = folder_ / "config";
        std::ofstream(config) << wish.settings << "ListenAddress 127.0.0.1\nPort " << port_
                              << "\nHostKey " << (folder_ / "host").string()
                              << "\nAuthorizedKeysFile " << (folder_ / "authorized_keys").string()
                              << "\nTrustedUserCAKeys " << (folder_ / "authority.pub").string()
                              << "\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"
                                 "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                                 "SetEnv PATH="
                              // A home of its own: what the user's start-up files do is no part
                              // of a test.
                              << (folder_ / "bin").string()
                              << ":/usr/bin:/bin HOME=" << folder_.string() << "\n";
        std::vector<std::string> program;
        if (!wish.mounts.empty()) {
            program = {"unshare", "--mount", "sh", "-c", wish.mounts + " && exec \"$@\"", "sh"};
        }
        program.insert(program.end(), {"/usr/sbin/sshd", "-D", "-e", "-f", config.string()});
        process_ = std::make_unique<Process>(program, system_paths);
        wait_until("sshd listens or gives up", [&] {
            return state_of(process_->pid()) == 'Z' || says(process_->errors(), "listening on");
        });
        if (state_of(process_->pid()) != 'Z') break;
    }
    REQUIRE_MESSAGE(state_of(process_->pid()) != 'Z', process_->errors());
    append(known_hosts(),
           "[127.0.0.1]:" + std::to_string(port_) + " " + read_text(folder_ / "host.pub"));
}

SshServer::~SshServer() {
    const Watch sessions(descendants(process_->pid()));
    process_->signal(SIGTERM);
    process_->wait();
    sessions.all_end_within(10s);
}

std::string SshServer::fingerprint() const {
    const std::string words =
        said_by({"ssh-keygen", "-l", "-f", (folder_ / "host.pub").string()}, system_paths);
    const std::size_t begin = words.find("SHA256:");
    return words.substr(begin, words.find(' ', begin) - begin);
}

void SshServer::authorize(const fs::path& key) const {
    append(folder_ / "authorized_keys", read_text(key.string() + ".pub"));
}

fs::path SshServer::seen_from_there(const fs::path& path) const {
    return "/proc/" + std::to_string(process_->pid()) + "/root" + path.string();
}

void SshServer::install_program(std::string_view name, const std::string& script) const {
    const fs::path file = folder_ / "bin" / name;
    append(file, "#!/bin/bash\n" + script);
    fs::permissions(file, fs::perms::owner_all);
}

void SshServer::cut() const {
    for (const pid_t session : descendants(process_->pid())) {
        if (program_of(session) == "sshd") ::kill(session, SIGKILL);
    }
}

std::string SshServer::user() {
    const passwd* const user = ::getpwuid(geteuid());
    return user != nullptr ? user->pw_name : "root";
}

Toml SshServer::login() const {
    return Toml()
        .text("host", "127.0.0.1")
        .value("port", std::to_string(port_))
        .text("user", user())
        .text("known_hosts", known_hosts().string())
        .text("key_file", key().string());
}

}  // namespace certcast::testing
