#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/ssh_host.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

mode_t mode_of(const fs::path& file) {
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

std::string sh(const std::string& line) {
    return "[\"sh\", \"-c\", '''" + line + "''']\n";
}

}  // namespace

TEST_CASE("a pair is put onto a host, left alone when it is there, and mended") {
    if (!is_there(sshd)) return;
    SshServerWish wish;
    SUBCASE("under the usual sh") {}
    SUBCASE("under another") {
        const auto shell = each_shell();
        if (!shell) return;
        wish.shell = *shell;
    }
    const Host host(wish);
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

TEST_CASE("any form is written, and known again") {
    if (!is_there(sshd)) return;
    const Host host;
    std::string files = "files = [";
    for (const char* form : {"fullchain", "certificate", "chain", "key", "combined", "pkcs12"}) {
        files += "{ form = \"" + std::string(form) + "\", path = \"" +
                 (host.folder / form).string() + "\" }, ";
    }
    std::ofstream(host.workspace / "secret") << "changeit";
    std::string secret = "pkcs12_password = { file = \"" + (host.workspace / "secret").string() +
                         "\" }\npkcs12_name = \"shop\"\n";
    const auto run = [&](const std::string& more) {
        std::string pipeline = host.pipeline(more);
        const std::string pair = host.files();
        pipeline.replace(pipeline.find(pair), pair.size(), files + "]\n");
        return host.workspace.run(pipeline);
    };
    const Run first = run(secret);
    CAPTURE(first.output);
    CAPTURE(first.errors);
    REQUIRE(first.text("far", "status") == "changed");
    CHECK(run(secret).text("far", "status") == "unchanged");
    CHECK(mode_of(host.folder / "chain") == 0644);
    CHECK(mode_of(host.folder / "pkcs12") == 0600);
    const std::string key = read_text(host.folder / "key");
    CHECK(read_text(host.folder / "combined") == key + read_text(host.folder / "fullchain"));
    CHECK(read_text(host.folder / "fullchain") ==
          read_text(host.folder / "certificate") + read_text(host.folder / "chain"));
    Process openssl({"/usr/bin/openssl", "pkcs12", "-in", (host.folder / "pkcs12").string(),
                     "-nodes", "-passin", "pass:changeit"},
                    {{"PATH", "/usr/bin"}});
    CHECK(openssl.wait().status == 0);
    CHECK(says(openssl.output(), key.substr(key.find('\n') + 1, 60)));
    CHECK(says(openssl.output(), "friendlyName: shop"));

    CHECK(run(secret + "pkcs12_profile = \"legacy\"\n").text("far", "status") == "changed");
    std::ofstream(host.workspace / "secret") << "changed";
    CHECK(run(secret).text("far", "status") == "changed");
    CHECK(run(secret).text("far", "status") == "unchanged");
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

TEST_CASE("a command that does not come to an end is ended over there, before its deployment is") {
    if (!is_there(sshd)) return;
    const Host host;
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const fs::path program = host.workspace / "endless";
    const std::string limit = "[deploy.far.timeouts]\ndeploy = \"4s\"\n";
    // What it starts ends with it.
    const std::string endless = sh("sleep 1000 & echo $! > " + program.string() + "; wait");
    SUBCASE("a check") {
        const Run run = host.workspace.run(host.pipeline("check = " + endless) + limit);
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "'check' did not end within 3 s, so the former files"));
    }
    SUBCASE("a reload, but the one of the rollback") {
        const std::string first = "test -e " + program.string() + " || ";
        const Run run =
            host.workspace.run(host.pipeline("reload = " + sh(first + "{ sleep 1000 & echo $! > " +
                                                              program.string() + "; wait; }")) +
                               limit);
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "'reload' did not end within 3 s"));
        CHECK(run.text("far", "rollback") == "done");
    }
    const pid_t process = std::stoi(read_text(program));
    wait_until("it has been ended",
               [&] { return state_of(process) == 0 || state_of(process) == 'Z'; });
    CHECK(says(read_text(host.crt()), host.pem("former")));
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
        const std::vector<std::string> left = host.names();
        CHECK(left.size() == 2);
        for (const std::string& name : left) CHECK(says(name, ".none"));
        return;
    }
    CHECK(run.text("far", "rollback") == "done");
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(mode_of(host.crt()) == 0640);
    CHECK(read_text(loaded) == read_text(host.crt()));
    CHECK(host.has_only_the_pair());
}

TEST_CASE("where a file cannot have two names its copy is kept") {
    if (!is_there(sshd)) return;
    const Host host;
    host.server.install_program("ln", "[ \"$1\" = -s ] && exec /bin/ln \"$@\"\nexit 1\n");
    const std::string newer = (host.workspace / "newer.pem").string();
    const std::string reload =
        "reload = " + sh("! grep -qF \"$(sed -n 2p " + newer + ")\" " + host.crt().string());
    const Run gone = host.run(reload);
    CAPTURE(gone.output);
    CHECK(says(gone.message("far"), "'reload' ended with status 1"));
    CHECK(gone.text("far", "rollback") == "done");
    CHECK(host.names().empty());

    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    CHECK(host.has_only_the_pair());
    fs::permissions(host.crt(), fs::perms(0640));
    const Run back = host.run(reload);
    CAPTURE(back.output);
    CHECK(back.text("far", "rollback") == "done");
    CHECK(says(read_text(host.crt()), host.pem("former")));
    CHECK(mode_of(host.crt()) == 0640);
    CHECK(host.has_only_the_pair());
}

TEST_CASE("what is not as it was written is not proven, and is undone") {
    if (!is_there(sshd)) return;
    const Host host;
    REQUIRE(host.run({}, "former").text("far", "status") == "changed");
    const Run run = host.run("reload = " + sh("echo more >> " + host.crt().string()));
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), host.crt().string() + " is not as it was written"));
    CHECK(says(read_text(host.crt()), host.pem("former")));
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
    SUBCASE("who is gone holds nothing") {
        fs::create_symlink(holder(4194305), lock);
        CHECK(host.run().text("far", "status") == "changed");
    }
    SUBCASE("who was there before the machine was started again holds nothing") {
        fs::create_symlink(std::to_string(getpid()) + " another-boot", lock);
        CHECK(host.run().text("far", "status") == "changed");
    }
    SUBCASE("who is there holds it") {
        fs::create_symlink(holder(getpid()), lock);
        const Run run =
            host.workspace.run(host.pipeline() + "[deploy.far.timeouts]\ndeploy = \"4s\"\n");
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), "another deployment holds " + lock.string()));
        CHECK(says(run.message("far"), std::to_string(getpid())));
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

TEST_CASE("what the login has exported does not take a key along") {
    if (!is_there(sshd)) return;
    const Host host;
    host.server.install_program(
        "sh",
        "case \"$*\" in *\"certcast ready\"*) export text=1 line=1 ;; esac\n"
        "exec /bin/sh \"$@\"\n");
    const fs::path seen = host.workspace / "seen";
    REQUIRE(host.run("reload = " + sh("env > " + seen.string())).text("far", "status") ==
            "changed");
    CHECK(says(read_text(seen), "PATH="));
    CHECK(!says(read_text(seen), "PRIVATE KEY"));
    CHECK(!says(read_text(seen), "line="));
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

TEST_CASE("two files that are one by a symlink are told") {
    if (!is_there(sshd)) return;
    const Host host;
    fs::create_symlink("shop.crt", host.key());
    const Run run = host.run();
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), host.key().string() + ": it is the same file as another"));
    CHECK(host.names() == std::vector<std::string>{"shop.key"});
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
        CHECK(says(failed.message("far"), "Directory nonexistent"));  // dash's words
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
    host.server.install_program("chmod", "touch " + begun.string() + "; " + moment.awaited() +
                                             "; exec /bin/chmod \"$@\"\n");
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
