#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/ssh_host.hpp"
#include "tests/unit/accepting_server.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

void until_it_goes(int client) {
    char byte = 0;
    while (::recv(client, &byte, 1, 0) > 0) continue;
}

}  // namespace

TEST_CASE("a host is who it should be, or nothing is sent to it") {
    if (!is_there(sshd)) return;
    const Host host;
    const std::string right = host.server.fingerprint();
    const fs::path known = host.server.known_hosts();
    const std::string port = std::to_string(host.server.port());
    const auto login = [&](const std::string& identity) {
        return "host = \"127.0.0.1\"\nport = " + port + "\nuser = \"" + SshServer::user() +
               "\"\nkey_file = \"" + host.server.key().string() + "\"\n" + identity;
    };
    const std::string by_file = login("known_hosts = \"" + known.string() + "\"\n");
    const auto refused = [&](const std::string& by, const std::string& why) {
        const Run run = host.run({}, "newer", by);
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), why));
        CHECK(host.names().empty());
        return run.message("far");
    };
    SUBCASE("as its fingerprint says") {
        CHECK(
            host.run({}, "newer", login("host_key = \"" + right + "\"\n")).text("far", "status") ==
            "changed");
    }
    SUBCASE("not as its fingerprint says") {
        std::string other = right;
        other[10] = other[10] == 'A' ? 'B' : 'A';
        const std::string why = refused(login("host_key = \"" + other + "\"\n"), right);
        CHECK(says(why, other));
    }
    SUBCASE("as a hashed file says") {
        Process({"ssh-keygen", "-q", "-H", "-f", known.string()}, {{"PATH", "/usr/bin"}}).wait();
        REQUIRE(says(read_text(known), "|1|"));
        CHECK(host.run({}, "newer", by_file).text("far", "status") == "changed");
    }
    SUBCASE("revoked by the file") {
        const std::string line = read_text(known);
        std::ofstream(known, std::ios::app) << " @revoked *" << line.substr(line.find(' '));
        refused(by_file, "has as revoked");
    }
    SUBCASE("as a line with tabs says") {
        std::string line = read_text(known);
        std::replace(line.begin(), line.end(), ' ', '\t');
        std::ofstream(known) << '\t' << line;
        CHECK(host.run({}, "newer", by_file).text("far", "status") == "changed");
    }
    SUBCASE("excluded by the line") {
        const std::string line = read_text(known);
        const std::string name = line.substr(0, line.find(' '));
        std::ofstream(known) << "!" << name << ",*" << line.substr(line.find(' '));
        refused(by_file, "is not in " + known.string());
    }
    SUBCASE("not in the file") {
        std::ofstream(known, std::ios::trunc).flush();
        CHECK(says(refused(by_file, "is not in " + known.string()), right));
    }
    SUBCASE("another one in the file") {
        make_ssh_key(host.workspace / "other");
        std::ofstream(known) << "[127.0.0.1]:" << port << " "
                             << read_text(host.workspace / "other.pub");
        Process list({"ssh-keygen", "-l", "-f", (host.workspace / "other.pub").string()},
                     {{"PATH", "/usr/bin"}});
        list.wait();
        const std::string words = list.output();
        const std::size_t begin = words.find("SHA256:");
        const std::string why = refused(by_file, right);
        CAPTURE(why);
        CAPTURE(words);
        CHECK(says(why, words.substr(begin, words.find(' ', begin) - begin)));
    }
}

TEST_CASE("who is let in, and what is said to whom is not") {
    if (!is_there(sshd)) return;
    const Host host;
    const fs::path key = host.workspace / "key";
    const std::string head = "host = \"127.0.0.1\"\nport = " + std::to_string(host.server.port()) +
                             "\nuser = \"" + SshServer::user() + "\"\nknown_hosts = \"" +
                             host.server.known_hosts().string() + "\"\n";
    const std::string by_key = head + "key_file = \"" + key.string() + "\"\n";
    std::ofstream(host.workspace / "phrase") << "open sesame";
    std::ofstream(host.workspace / "wrong") << "close sesame";
    const auto phrase = [&](const std::string& file) {
        return "passphrase = { file = \"" + (host.workspace / file).string() + "\" }\n";
    };
    const auto fails = [&](const std::string& login, const std::string& why) {
        const Run run = host.run({}, "newer", login);
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), why));
        CHECK(host.names().empty());
    };
    for (const char* type : {"ed25519", "ecdsa", "rsa"}) {
        SUBCASE(type) {
            make_ssh_key(key, type, "open sesame");
            host.server.authorize(key);
            fails(by_key, "has a passphrase, which 'passphrase' has to give");
            fails(by_key + phrase("wrong"), "'passphrase' is not its passphrase");
            const Run run = host.run({}, "newer", by_key + phrase("phrase"));
            CAPTURE(run.output);
            CHECK(run.text("far", "status") == "changed");
        }
    }
    const auto certify = [&](const fs::path& which) {
        Process({"ssh-keygen", "-q", "-s", (host.server / "authority").string(), "-I", "test", "-n",
                 SshServer::user(), which.string() + ".pub"},
                {{"PATH", "/usr/bin"}})
            .wait();
        return "key_certificate = \"" + which.string() + "-cert.pub\"\n";
    };
    SUBCASE("a certificate for the key") {
        make_ssh_key(key);
        const Run run = host.run({}, "newer", by_key + certify(key));
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "changed");
    }
    SUBCASE("the certificate of another key") {
        make_ssh_key(key);
        make_ssh_key(host.workspace / "other");
        const std::string certificate = certify(host.workspace / "other");
        fails(by_key + certificate, "the login was refused; tried publickey (" + key.string() +
                                        " with " + (host.workspace / "other-cert.pub").string());
    }
    SUBCASE("a certificate that is none") {
        make_ssh_key(key);
        fails(by_key + "key_certificate = \"" + key.string() + "\"\n", "is no OpenSSH certificate");
    }
    SUBCASE("a key that the host does not know") {
        make_ssh_key(key);
        fails(by_key, "the login was refused; tried publickey (" + key.string() +
                          "); the host offers publickey");
    }
    SUBCASE("a password where none is asked for") {
        fails(head + "password = { file = \"" + (host.workspace / "phrase").string() + "\" }\n",
              "tried nothing; the host offers publickey");
    }
    SUBCASE("no key at all") {
        std::ofstream(key) << "what is this";
        fails(by_key, "is no private key");
    }
}

TEST_CASE("a password is given as one, or to whoever prompts for it") {
    if (!is_there(sshd) || !may_mount()) return;
    SshServerWish wish{
        .mounts =
            "printf 'root:%s:19000:0:99999:7:::\\n' \"$(openssl passwd -6 'open sesame')\" "
            "> FAR.shadow && mount --bind FAR.shadow /etc/shadow"};
    bool with_key = false;
    SUBCASE("as a password") {
        wish.settings = "PasswordAuthentication yes\n";
    }
    SUBCASE("to a prompt") {
        wish.settings = "UsePAM yes\nKbdInteractiveAuthentication yes\n";
        wish.mounts +=
            " && printf 'auth required pam_unix.so\\naccount required pam_permit.so\\n"
            "session required pam_permit.so\\n' > FAR.pam && "
            "mount --bind FAR.pam /etc/pam.d/sshd";
    }
    SUBCASE("behind a key") {
        with_key = true;
        wish.settings = "PasswordAuthentication yes\nAuthenticationMethods publickey,password\n";
    }
    const Host host(wish);
    std::string login = host.server.login();
    if (!with_key) login.erase(login.find("key_file"));
    std::ofstream(host.workspace / "right") << "open sesame";
    std::ofstream(host.workspace / "wrong") << "close sesame";
    const auto password = [&](const std::string& file) {
        return login + "password = { file = \"" + (host.workspace / file).string() + "\" }\n";
    };
    const Run wrong = host.run({}, "newer", password("wrong"));
    CAPTURE(wrong.output);
    CHECK(wrong.text("far", "status") == "failed");
    CHECK(says(wrong.message("far"), "the login was refused"));
    CHECK(!says(wrong.output + wrong.errors, "close sesame"));
    CHECK(host.names().empty());
    if (with_key) {
        CHECK(says(host.run({}, "newer", login).message("far"), "wants more than one method"));
    }
    const Run right = host.run({}, "newer", password("right"));
    CAPTURE(right.output);
    CHECK(right.text("far", "status") == "changed");
}

TEST_CASE("a host that is not to be had is given up in time") {
    if (!is_there(sshd)) return;
    const Host host;
    const auto login = [&](std::uint16_t port) {
        return "host = \"127.0.0.1\"\nport = " + std::to_string(port) + "\nuser = \"" +
               SshServer::user() + "\"\nknown_hosts = \"" + host.server.known_hosts().string() +
               "\"\nkey_file = \"" + host.server.key().string() +
               "\"\nconnect_timeout = \"500ms\"\n";
    };
    SUBCASE("nobody listens") {
        const Run run = host.run({}, "newer", login(1));
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "Connection refused"));
    }
    SUBCASE("somebody who says nothing") {
        const AcceptingServer server(until_it_goes);
        const Run run = host.run({}, "newer", login(server.port()));
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "did not answer in time"));
        CHECK(run.took < 10s);
    }
    SUBCASE("somebody who says nothing, when the run is interrupted") {
        std::atomic<bool> is_asked = false;
        const AcceptingServer server([&](int client) {
            is_asked = true;
            until_it_goes(client);
        });
        std::string patient = login(server.port());
        patient.replace(patient.find("500ms"), 5, "20s");
        std::string pipeline = host.pipeline({}, "newer", patient);
        pipeline.insert(pipeline.find("[deploy.far.config]"), "grace = \"20s\"\n");
        const auto run = host.workspace.start_run(pipeline);
        wait_until("somebody is asked", [&] { return is_asked.load(); });
        const auto interrupted = std::chrono::steady_clock::now();
        run->signal(SIGINT);
        CHECK(host.workspace.collect(*run).text("far", "status") == "cancelled");
        // Long before its grace is over.
        CHECK(std::chrono::steady_clock::now() - interrupted < 1s);
    }
    SUBCASE("somebody who says too much") {
        const AcceptingServer server([](int client) {
            const std::string banner(1 << 20, 'x');
            ::send(client, banner.data(), banner.size(), MSG_NOSIGNAL);
            until_it_goes(client);
        });
        const Run run = host.run({}, "newer", login(server.port()));
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), "before anybody logged in"));
    }
}

namespace {

/// A host on which an ordinary user may do what `rule` says.
SshServerWish with_deploy_user(const std::string& rule, const std::string& program) {
    return {.mounts =
                "cp /etc/passwd FAR.passwd && cp /etc/group FAR.group && "
                "echo 'deploy:x:5005:5005::/:/bin/sh' >> FAR.passwd && "
                "echo 'deploy:x:5005:' >> FAR.group && "
                "printf 'deploy:%s:19000:0:99999:7:::\\nroot:*:19000:0:99999:7:::\\n' "
                "\"$(openssl passwd -6 'open sesame')\" > FAR.shadow && printf '" +
                rule + "' > FAR." + program + " && chmod 0400 FAR." + program +
                " && touch /etc/doas.conf && for file in passwd group shadow " + program +
                "; do mount --bind FAR.$file /etc/$file; done"};
}

/// Logs in as that user.
std::string as_deploy_user(const Host& host) {
    for (const fs::path& folder : {host.workspace.folder().path(), host.server / "."}) {
        fs::permissions(folder, fs::perms(0755));
    }
    fs::permissions(host.server / "authorized_keys", fs::perms(0644));
    std::string login = host.server.login();
    const std::string root = "user = \"" + SshServer::user() + "\"";
    return login.replace(login.find(root), root.size(), "user = \"deploy\"");
}

}  // namespace

TEST_CASE("who logs in becomes root, with a password that nobody gets who does not ask for it") {
    if (!is_there(sshd) || !is_there("/usr/bin/sudo") || !may_mount()) return;
    std::string rule = "deploy ALL=(ALL) ALL\\n";
    SUBCASE("") {}
    SUBCASE("with a terminal of sudo's own") {
        rule += "Defaults use_pty\\n";
    }
    const Host host(with_deploy_user(rule, "sudoers"));
    const std::string login = as_deploy_user(host);
    std::ofstream(host.workspace / "right") << "open sesame";
    std::ofstream(host.workspace / "wrong") << "close sesame";
    const auto password = [&](const std::string& file) {
        return "become = \"sudo\"\nbecome_password = { file = \"" +
               (host.workspace / file).string() + "\" }\n";
    };
    const auto fails = [&](const std::string& more, const std::string& why) {
        const Run run = host.run(more, "newer", login);
        CAPTURE(run.output);
        CAPTURE(why);
        CHECK(says(run.message("far"), why));
        CHECK(!says(run.output, "sesame"));
        CHECK(host.names().empty());
    };
    fails({}, "Permission denied");
    fails("become = \"sudo\"\n", "sudo there does not do it: sudo: a password is required");
    fails(password("wrong"), "sudo there refuses the password");
    const std::string who = "check = [\"sh\", \"-c\", \"test $(id -u) = 0\"]\n";
    const Run run = host.run(password("right") + who, "newer", login);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(host.has_only_the_pair());
    CHECK(host.run(password("right"), "newer", login).text("far", "status") == "unchanged");
    // What fails afterwards is undone as root, too.
    const std::string once = (host.workspace / "once").string();
    const Run undone = host.run(password("right") + "reload = [\"sh\", \"-c\", \"test -e " + once +
                                    " || ! touch " + once + "\"]\n",
                                "former", login);
    CAPTURE(undone.output);
    CHECK(undone.text("far", "status") == "failed");
    CHECK(says(read_text(host.crt()), host.pem("newer")));
    CHECK(host.has_only_the_pair());
}

TEST_CASE("who logs in becomes root without a password") {
    if (!is_there(sshd) || !may_mount()) return;
    std::string program;
    std::string rule;
    std::string why;
    SUBCASE("by sudo") {
        program = "sudo";
        rule = "deploy ALL=(ALL) NOPASSWD: ALL\\n";
    }
    SUBCASE("by doas") {
        program = "doas";
        rule = "permit nopass deploy\\n";
    }
    if (!is_there("/usr/bin/" + program)) return;
    const Host host(with_deploy_user(rule, program == "sudo" ? "sudoers" : "doas.conf"));
    const std::string login = as_deploy_user(host);
    const Run run = host.run("become = \"" + program + "\"\n", "newer", login);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(host.has_only_the_pair());
}

TEST_CASE("a password is not given to who cannot ask for it") {
    if (!is_there(sshd)) return;
    const Host host;
    std::ofstream(host.workspace / "right") << "open sesame";
    const std::string password =
        "become_password = { file = \"" + (host.workspace / "right").string() + "\" }\n";
    for (const std::string become : {"", "become = \"doas\"\n"}) {
        const Run run = host.run(become + password);
        CAPTURE(run.errors);
        CHECK(says(run.errors, "only sudo takes a password without a terminal"));
    }
    // Somebody who never asks, and tells what is said.
    host.server.install_program("sudo",
                                "echo certcast ready\necho certcast absent\n"
                                "echo certcast absent\nread -r line\n"
                                "echo \"certcast failed $line\"\n");
    const Run run = host.run("become = \"sudo\"\n" + password);
    CAPTURE(run.output);
    CHECK(says(run.message("far"), "deploy "));
    CHECK(!says(run.output, "sesame"));
}
