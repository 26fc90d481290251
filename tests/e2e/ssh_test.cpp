#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/real_part.hpp"
#include "tests/e2e/ssh_server.hpp"
#include "tests/unit/accepting_server.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

constexpr const char* sshd = "/usr/sbin/sshd";

mode_t mode_of(const fs::path& file) {
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// One host with a certificate and a key, in a folder that is there for each test.
class Host {
public:
    /// In `wish`, FAR stands for the folder.
    explicit Host(SshServerWish wish = {})
        : folder(workspace / "far"), server(workspace, prepared(std::move(wish))) {
        workspace.issue("newer");
        workspace.issue("former");
    }

    fs::path crt() const { return folder / "shop.crt"; }
    fs::path key() const { return folder / "shop.key"; }
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
        for (const auto& entry : fs::directory_iterator(folder)) {
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
    fs::path folder;
    SshServer server;

private:
    SshServerWish prepared(SshServerWish wish) const {
        fs::create_directory(folder);
        for (auto at = wish.mounts.find("FAR"); at != std::string::npos;
             at = wish.mounts.find("FAR")) {
            wish.mounts.replace(at, 3, folder.string());
        }
        return wish;
    }
};

/// Root may, where it is no container's.
bool may_mount() {
    Process tried({"unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"},
                  {{"PATH", "/usr/bin:/bin"}});
    if (tried.wait().status == 0) return true;
    MESSAGE("skipped: nothing can be mounted here");
    return false;
}

void until_it_goes(int client) {
    char byte = 0;
    while (::recv(client, &byte, 1, 0) > 0) continue;
}

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
    fs::path path_;
    int fd_ = -1;
};

std::string sh(const std::string& line) {
    return "[\"sh\", \"-c\", '''" + line + "''']\n";
}

}  // namespace

TEST_CASE("a pair is put onto a host, left alone when it is there, and mended") {
    if (!is_there(sshd)) return;
    std::vector<std::string> shell;
    SUBCASE("under the usual sh") {}
    SUBCASE("under dash") {
        shell = {"/bin/dash"};
    }
    SUBCASE("under bash") {
        shell = {"/bin/bash", "--posix"};
    }
    SUBCASE("under busybox") {
        if (!is_there("/bin/busybox")) return;
        shell = {"/bin/busybox", "sh"};
    }
    const Host host({.shell = shell});
    const Run first = host.run();
    CAPTURE(first.output);
    CAPTURE(first.errors);
    REQUIRE(first.text("far", "status") == "changed");
    CHECK(first["far"].at("warnings").as_array().empty());
    CHECK(says(read_text(host.crt()), host.pem("newer")));
    CHECK(says(read_text(host.key()), "PRIVATE KEY"));
    CHECK(mode_of(host.crt()) == 0644);
    CHECK(mode_of(host.key()) == 0600);
    CHECK(host.has_only_the_pair());
    CHECK(host.run().text("far", "status") == "unchanged");

    fs::permissions(host.key(), fs::perms(0640));
    CHECK(host.run().text("far", "status") == "changed");
    CHECK(mode_of(host.key()) == 0600);
    std::ofstream(host.crt(), std::ios::app) << "more\n";
    CHECK(host.run().text("far", "status") == "changed");
    fs::remove(host.key());
    CHECK(host.run().text("far", "status") == "changed");
    CHECK(host.has_only_the_pair());
    CHECK(host.run().text("far", "status") == "unchanged");
}

TEST_CASE("a check that fails leaves the former pair in place, and nothing is reloaded") {
    if (!is_there(sshd)) return;
    const Host host;
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const std::string key = read_text(host.key());
    const std::string check = "check = " + sh("echo it does not fit; exit 3");
    const Run run = host.run(check + "reload = " + sh("touch " + (host.folder / "no").string()));
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), "'check' refuses the new files"));
    CHECK(says(run.message("far"), "status 3"));
    CHECK(says(run.message("far"), "it does not fit"));
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(read_text(host.key()) == key);
    CHECK(host.has_only_the_pair());
}

TEST_CASE("a reload that fails is undone, and what was there before is loaded again") {
    if (!is_there(sshd)) return;
    const Host host;
    const std::string loaded = (host.workspace / "loaded").string();
    const std::string newer = (host.workspace / "newer.pem").string();
    const std::string begin = "grep -qF \"$(sed -n 2p " + newer + ")\" " + host.crt().string();
    const std::string reload =
        "reload = " + sh(begin + " && exit 1; cp " + host.crt().string() + " " + loaded);
    bool was_there = false;
    SUBCASE("where a pair was there") {
        was_there = true;
        REQUIRE(host.run({}, "former").text("far", "status") == "changed");
        fs::permissions(host.crt(), fs::perms(0640));
    }
    SUBCASE("where nothing was there") {}
    const Run run = host.run(reload);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), "'reload' ended with status 1"));
    if (!was_there) {
        // Without a certificate there is nothing to load, either.
        CHECK(host.names().size() >= 2);
        return;
    }
    CHECK(run.text("far", "rollback") == "done");
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(mode_of(host.crt()) == 0640);
    CHECK(read_text(loaded) == read_text(host.crt()));
    CHECK(host.has_only_the_pair());
}

TEST_CASE("a rollback whose reload fails is made good by the next run") {
    if (!is_there(sshd)) return;
    const Host host;
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const fs::path broken = host.workspace / "broken";
    std::ofstream(broken).flush();
    const std::string reload = "reload = " + sh("[ ! -e " + broken.string() + " ]");
    const Run first = host.run(reload);
    CAPTURE(first.output);
    CHECK(first.text("far", "status") == "failed");
    CHECK(first.text("far", "rollback") == "failed");
    CHECK(says(read_text(host.crt()), host.pem("former")));
    fs::remove(broken);
    const Run second = host.run(reload);
    CAPTURE(second.output);
    CHECK(second.text("far", "status") == "changed");
    CHECK(says(read_text(host.crt()), host.pem("newer")));
    CHECK(host.has_only_the_pair());
}

TEST_CASE("what could not be put back is not said to be back, and the next run puts it back") {
    if (!is_there(sshd)) return;
    const Host host;
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const fs::path broken = host.workspace / "broken";
    host.server.install_program(
        "mv", "[ ! -e " + broken.string() + " ] || exit 1\n" + "exec /bin/mv \"$@\"\n");
    const std::string check = "check = " + sh("touch " + broken.string() + "; false");
    const Run first = host.run(check);
    CAPTURE(first.output);
    CHECK(first.text("far", "status") == "failed");
    CHECK(says(first.message("far"), "check ended with status 1; and not put back"));
    CHECK(first.text("far", "rollback") == "failed");
    CHECK(says(read_text(host.crt()), host.pem("newer")));
    fs::remove(broken);
    const Run second = host.run();
    CAPTURE(second.output);
    CHECK(second.text("far", "status") == "changed");
    CHECK(host.has_only_the_pair());
}

TEST_CASE("deployments to the same file take turns over there, and the dead do not count") {
    if (!is_there(sshd)) return;
    const Host host;
    const fs::path lock = host.folder / ".shop.crt.certcast-lock";
    std::string boot = read_text("/proc/sys/kernel/random/boot_id");
    boot.erase(boot.find('\n'));
    const auto holder = [](const auto& process) { return std::to_string(process); };
    SUBCASE("who is gone holds nothing") {
        fs::create_symlink("4194305 " + boot, lock);
        CHECK(host.run().text("far", "status") == "changed");
    }
    SUBCASE("who was there before the machine was started again holds nothing") {
        fs::create_symlink(holder(getpid()) + " another-boot", lock);
        CHECK(host.run().text("far", "status") == "changed");
    }
    SUBCASE("who is there holds it") {
        fs::create_symlink(holder(getpid()) + " " + boot, lock);
        const Run run =
            host.workspace.run(host.pipeline() + "[deploy.far.timeouts]\ndeploy = \"4s\"\n");
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), "another deployment holds " + lock.string()));
        CHECK(says(run.message("far"), holder(getpid())));
        CHECK(host.names() == std::vector<std::string>{lock.filename().string()});
        return;
    }
    CHECK(host.has_only_the_pair());
}

TEST_CASE("a shell that says something when somebody logs in is listened to with patience") {
    if (!is_there(sshd)) return;
    const Host host;
    host.server.install_program("sh", "printf 'one\\ntwo'\nexec /bin/sh \"$@\"\n");
    CHECK(host.run().text("far", "status") == "changed");
}

TEST_CASE("the script keeps to what it was told, though nobody hears it any more") {
    std::vector<std::string> shell;
    SUBCASE("dash") {
        shell = {"/bin/dash"};
    }
    SUBCASE("bash") {
        shell = {"/bin/bash", "--posix"};
    }
    SUBCASE("busybox") {
        if (!is_there("/bin/busybox")) return;
        shell = {"/bin/busybox", "sh"};
    }
    const TemporaryFolder folder;
    const fs::path file = folder / "file";
    std::ofstream(file) << "former";
    std::string script;
    for (const std::string& word : shell) script += word + " ";
    script += "-c \"$(cat " CERTCAST_FAR_SIDE ")\" certcast token 'touch " +
              (folder / "checked").string() + "' 'touch " + (folder / "loaded").string() + "' " +
              file.string() + " 0644 '' '' 5";
    const auto said = [&](const std::string& line) {
        Process bash({"/bin/bash", "-c", line}, {{"PATH", "/usr/bin:/bin"}});
        bash.wait();
        return bash.output();
    };
    // Nobody has said commit.
    said("printf 'deploy 1\\nnewer' | " + script + " | true");
    CHECK(read_text(file) == "former");
    CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);

    // What was sent for a deployment that is refused is nothing that is asked for.
    std::string boot = read_text("/proc/sys/kernel/random/boot_id");
    boot.erase(boot.find('\n'));
    fs::create_symlink(std::to_string(getpid()) + " " + boot, folder / ".file.certcast-lock");
    const std::string refused = said("printf 'deploy 0\\ninspect\\ncommit\\n' | " + script);
    CHECK(says(refused, "certcast busy"));
    CHECK(!says(refused, "certcast file"));
    CHECK(read_text(file) == "former");
}

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
        std::ofstream(known, std::ios::app) << "@revoked *" << line.substr(line.find(' '));
        refused(by_file, "has as revoked");
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

TEST_CASE("whatever a file is called over there") {
    if (!is_there(sshd)) return;
    const Host host;
    const std::vector<std::string> names{"with space", "it's",       "dou\\\"ble", "-rf",
                                         "ümläut",     "new\\nline", "$(touch x)", "*"};
    std::string files;
    for (const std::string& name : names) {
        files +=
            "{ form = \"certificate\", path = \"" + host.folder.string() + "/" + name + "\" },";
    }
    const std::string pipeline = host.workspace.head({"newer"}) +
                                 "[deploy.far]\nplugin = \"ssh\"\ncertificate = \"newer\"\n"
                                 "probe = false\n[deploy.far.config]\n" +
                                 std::string(host.server.login()) + "files = [" + files + "]\n";
    const Run run = host.workspace.run(pipeline);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(host.workspace.run(pipeline).text("far", "status") == "unchanged");
    CHECK(host.names().size() == names.size());
    CHECK(fs::exists(host.folder / "new\nline"));
    CHECK(fs::exists(host.folder / "dou\"ble"));
}

TEST_CASE("a symlink stays one, and the file behind it is replaced") {
    if (!is_there(sshd)) return;
    const Host host;
    fs::create_directory(host.workspace / "archive");
    fs::create_symlink("../archive/one.crt", host.crt());
    REQUIRE(host.run().text("far", "status") == "changed");
    CHECK(fs::is_symlink(host.crt()));
    CHECK(says(read_text(host.workspace / "archive/one.crt"), host.pem("newer")));
    CHECK(host.run().text("far", "status") == "unchanged");
}

TEST_CASE("what cannot be written is told, and nothing is left of it") {
    if (!is_there(sshd)) return;
    const Host host;
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const std::string in_vain = "[deploy.far.config]\n" + std::string(host.server.login()) +
                                "files = [{ form = \"fullchain\", path = \"" + host.crt().string() +
                                "\" }, { form = \"key\", path = \"";
    const auto run = [&](const std::string& path, const std::string& more) {
        return host.workspace.run(host.workspace.head({"newer"}) +
                                  "[deploy.far]\nplugin = \"ssh\"\ncertificate = \"newer\"\n"
                                  "probe = false\nguards = { older = \"off\" }\n" +
                                  in_vain + path + "\"" + more + " }]\n");
    };
    SUBCASE("a folder that is not there") {
        const Run failed = run((host.folder / "none/shop.key").string(), "");
        CAPTURE(failed.output);
        CHECK(failed.text("far", "status") == "failed");
        CHECK(says(failed.message("far"), "none/shop.key"));
        CHECK(says(failed.message("far"), "No such file or directory"));
    }
    SUBCASE("an owner whom nobody knows") {
        const Run failed = run(host.key().string(), ", owner = \"no-such-user\"");
        CAPTURE(failed.output);
        CHECK(failed.text("far", "status") == "failed");
        CHECK(says(failed.message("far"), "no-such-user"));
    }
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(host.has_only_the_pair());
}

TEST_CASE("a disk that is full keeps the former pair") {
    if (!is_there(sshd) || !may_mount()) return;
    const Host host({.mounts = "mount -t tmpfs -o size=64k tmpfs FAR"});
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const fs::path there = host.server.seen_from_there(host.folder);
    {
        std::ofstream rest(there / "rest");
        while (rest.write("full", 4).flush()) continue;
    }
    const Run run = host.run();
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), "No space left on device"));
    CHECK(run["far"].at("error").as_object().at("retryable").as_bool());
    CHECK(says(read_text(there / "shop.crt"), host.pem("former")));
    fs::remove(there / "rest");
    CHECK(host.run().text("far", "status") == "changed");
    CHECK(std::distance(fs::directory_iterator(there), {}) == 2);
}

TEST_CASE("a folder that may not be written to is told") {
    if (!is_there(sshd) || !may_mount()) return;
    const Host host({.mounts = "mount -t tmpfs -o ro tmpfs FAR"});
    const Run run = host.run();
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), "Read-only file system"));
}

TEST_CASE("a connection that is cut while files are sent changes nothing") {
    if (!is_there(sshd)) return;
    const Host host;
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const fs::path begun = host.workspace / "begun";
    const Moment moment(host.workspace);
    host.server.install_program(
        "dd", "touch " + begun.string() + "; " + moment.awaited() + "; exec /bin/dd \"$@\"\n");
    const auto cut = host.workspace.start_run(host.pipeline());
    wait_until("files are sent", [&] { return fs::exists(begun); });
    host.server.cut();
    const Run run = host.workspace.collect(*cut);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), "the connection broke"));
    CHECK(run.text("far", "rollback") == "none");
    // What had been sent may have come, but nobody has said that it is to be used.
    moment.comes();
    wait_until("nothing is left of it", [&] { return host.has_only_the_pair(); });
    CHECK(says(read_text(host.crt()), host.pem("former")));
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

/// A host whose reload waits, once, until somebody says a word.
class WaitingHost : public Host {
public:
    WaitingHost() { REQUIRE(run({}, "former").text("far", "status") == "changed"); }
    std::string reload() const {
        return "reload = " + sh("echo again >> " + begun_.string() + "; " + moment_.awaited());
    }
    void wait_for_reload() const {
        wait_until("the host reloads", [&] { return fs::exists(begun_); });
        REQUIRE(says(read_text(crt()), pem("newer")));
    }
    void let_it_go_on() const { moment_.comes(); }
    int reloads() const {
        const std::string lines = read_text(begun_);
        return static_cast<int>(std::count(lines.begin(), lines.end(), '\n'));
    }

private:
    fs::path begun_ = workspace / "begun";
    Moment moment_{workspace};
};

TEST_CASE("a certcast that is killed during a reload has its deployment undone and done again") {
    if (!is_there(sshd)) return;
    const WaitingHost host;
    const auto killed = host.workspace.start_run(host.pipeline(host.reload()));
    host.wait_for_reload();
    killed->signal(SIGKILL);
    killed->wait();
    // What goes on over there comes to its end, and holds the lock until then.
    const auto next = host.workspace.start_run(host.pipeline(host.reload()));
    host.let_it_go_on();
    const Run run = host.workspace.collect(*next);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(says(read_text(host.crt()), host.pem("newer")));
    CHECK(host.reloads() == 3);
    CHECK(host.has_only_the_pair());
    CHECK(host.run(host.reload()).text("far", "status") == "unchanged");
}

TEST_CASE("a connection that is cut during a reload is made again, to undo what was done") {
    if (!is_there(sshd)) return;
    const WaitingHost host;
    const auto cut = host.workspace.start_run(host.pipeline(host.reload()));
    host.wait_for_reload();
    host.server.cut();
    host.let_it_go_on();
    const Run run = host.workspace.collect(*cut);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), "the connection broke"));
    CHECK(run.text("far", "rollback") == "done");
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(host.reloads() == 2);
    CHECK(host.has_only_the_pair());
}
