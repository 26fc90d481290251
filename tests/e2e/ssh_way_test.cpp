#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "plugins/ssh/ssh_config.hpp"
#include "tests/e2e/ssh_host.hpp"

#include <certcast/errors.hpp>

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

const Environment system_paths{{"PATH", "/usr/bin:/bin"}};

void write(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::trunc) << text;
}

/// What ssh itself makes of the file, of the words that we look for.
std::string as_ssh_says(const fs::path& file, const std::string& host) {
    Process ssh({"/usr/bin/ssh", "-G", "-F", file.string(), host}, system_paths);
    REQUIRE(ssh.wait().status == 0);
    std::istringstream lines(ssh.output());
    std::string words;
    for (std::string line; std::getline(lines, line);) {
        for (const char* word : {"hostname ", "port ", "hostkeyalias ", "identityfile ",
                                 "userknownhostsfile ", "proxyjump ", "proxycommand "}) {
            // Without a word of the file it lists its own.
            if (line.starts_with(word) && !says(line, "~/.ssh/id_") &&
                !says(line, "/known_hosts2")) {
                words += line + "\n";
            }
        }
    }
    return words;
}

/// The same in the same order.
std::string as_we_say(const fs::path& file, const std::string& host, const fs::path& folder) {
    const ssh::HostConfig config = ssh::config_in({file}, host, {}, folder);
    std::string words = "hostname " + config.host_name + "\nport " +
                        std::to_string(config.port == 0 ? 22 : config.port) + "\n";
    if (!config.known_as.empty()) words += "hostkeyalias " + config.known_as + "\n";
    if (!config.proxy_command.empty()) words += "proxycommand " + config.proxy_command + "\n";
    for (const fs::path& key : config.identity_files)
        words += "identityfile " + key.string() + "\n";
    if (!config.known_hosts.empty()) {
        words += "userknownhostsfile";
        for (const fs::path& known : config.known_hosts) words += " " + known.string();
        words += "\n";
    }
    for (std::size_t i = 0; i < config.proxy_jump.size(); ++i) {
        words += (i == 0 ? "proxyjump " : ",") + config.proxy_jump[i];
    }
    return words + (config.proxy_jump.empty() ? "" : "\n");
}

std::string sorted(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
}

/// A home whose .ssh knows the host of the test as "web".
class Home {
public:
    explicit Home(const Host& host) : folder(host.workspace / "home" / ".ssh"), host_(host) {
        fs::create_directories(folder);
        fs::copy(host.server.key(), folder / "id_ed25519");
        fs::copy(host.server.known_hosts(), folder / "known_hosts");
        configure();
    }

    void configure(const std::string& more = {}) const {
        write(folder / "config", more + "Host web\n  HostName 127.0.0.1\n  Port " +
                                     std::to_string(host_.server.port()) + "\n  User " +
                                     SshServer::user() + "\n");
    }
    /// The lines of config that reach it.
    std::string login() const {
        return Toml().text("host", "web").text("ssh_folder", folder.string());
    }

    fs::path folder;

private:
    const Host& host_;
};

/// An ssh-agent with a socket of its own.
class Agent {
public:
    explicit Agent(const Workspace& workspace)
        : socket(workspace / "agent"),
          process_({"/usr/bin/ssh-agent", "-D", "-a", socket.string()}, system_paths) {
        wait_until("the agent listens", [&] { return fs::exists(socket); });
    }
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;
    ~Agent() {
        process_.signal(SIGTERM);
        process_.wait();
    }

    void add(const fs::path& key) const {
        Process add({"/usr/bin/ssh-add", "-q", key.string()},
                    {{"PATH", "/usr/bin"}, {"SSH_AUTH_SOCK", socket.string()}});
        REQUIRE(add.wait().status == 0);
    }

    fs::path socket;

private:
    Process process_;
};

}  // namespace

TEST_CASE("ssh's configuration is read as ssh reads it") {
    if (!is_there("/usr/bin/ssh")) return;
    const Workspace workspace;
    const fs::path file = workspace / "config";
    write(workspace / "more", "Port 2022\nHost inner\n  HostKeyAlias of-inner\n");
    write(workspace / "unheard", "Port 1\n");
    write(file,
          "# of all\n"
          "hostkeyalias=\"an alias\"\n\n"
          "Host [i]nner i\\nner\n"
          "    Port 1\n"
          "Host !outer* *.example inner\n"
          "\tHostName %h.internal\n"
          "    IdentityFile = \"/keys/with space\" # of it\n"
          "    IdentityFile /keys/plain\n"
          "    ForwardAgent yes\n"
          "Host in?er\n"
          "    Include " +
              (workspace / "more").string() +
              "\n"
              "    ProxyJump ops@bastion:2222,second\n"
              "    ProxyCommand nc %h %p\n"
              "Host nobody\n"
              "    Include " +
              (workspace / "unheard").string() +
              "\n"
              "Match host *.internal,other originalhost !outer.example,*\n"
              "    UserKnownHostsFile /known/%h /known/second\n"
              "    HostName not.any.more\n"
              "Match !host *.internal originalhost o*\n"
              "    Port 2200\n"
              "    ProxyCommand connect \"%h\" # not a comment\n"
              "    ProxyJump none\n"
              "Match all\n"
              "    IdentityFile /keys/last\n"
              "    Port 22022\n");
    for (const char* host : {"inner", "a.example", "outer.example", "other", "nobody", "b"}) {
        CAPTURE(host);
        CHECK(sorted(as_we_say(file, host, workspace / ".ssh")) == sorted(as_ssh_says(file, host)));
    }
}

TEST_CASE("a configuration that cannot be understood is named by file and line") {
    const Workspace workspace;
    const fs::path file = workspace / "config";
    const auto why = [&](const std::string& text) -> std::string {
        write(file, "Host *\n" + text);
        try {
            (void)ssh::config_in({file}, "web", {}, workspace / ".ssh");
        } catch (const certcast::config_error& error) {
            return error.what();
        }
        return "nothing";
    };
    const std::string at = file.string() + ":2: ";
    CHECK(why("Port ssh\n") == at + "'ssh' is no port");
    CHECK(why("Port 0\n") == at + "'0' is no port");
    CHECK(why("Port 65536\n") == at + "'65536' is no port");
    CHECK(why("User\n") == at + "user says nothing");
    CHECK(why("User \"me\n") == at + "a quote is not closed");
    CHECK(says(why("Match exec \"test -f /x\"\n"), at + "'Match exec' is not understood here"));
    CHECK(why("Match host other exec \"test -f /x\"\n") == "nothing");
    CHECK(why("Match user !me,*\nPort 1\n") == "nothing");
    CHECK(says(why("IdentityFile /keys/%C\n"), "IdentityFile '/keys/%C' of web has more than"));
    write(file, "User me\nHostName 10.0.0.%%1\nPort 2200\nIdentityFile %d/%n-%h-%p-%r%%\n");
    CHECK(ssh::config_in({file}, "web", {}, workspace / ".ssh").identity_files ==
          std::vector<fs::path>{workspace / "web-10.0.0.%1-2200-me%"});
    write(workspace / "round", "Include " + (workspace / "round").string() + "\n");
    CHECK(says(why("Include " + (workspace / "round").string() + "\n"), "without end"));
}

TEST_CASE("a host is reached as a user's own ssh would") {
    if (!is_there(sshd)) return;
    const Host host;
    const Home home(host);
    const auto fails = [&](const std::string& login, const std::string& why) {
        const Run run = host.run({}, "newer", login);
        CAPTURE(run.output);
        CAPTURE(run.errors);
        CHECK(says(run.output + run.errors, why));
        CHECK(host.names().empty());
    };
    SUBCASE("by an alias") {
        const Run run = host.run({}, "newer", home.login());
        CAPTURE(run.output);
        CAPTURE(run.errors);
        CHECK(run.text("far", "status") == "changed");
        CHECK(run["far"].at("warnings").as_array().empty());
        CHECK(host.run({}, "newer", home.login()).text("far", "status") == "unchanged");
    }
    SUBCASE("with the key that it names") {
        fs::create_directory(home.folder / "keys");
        fs::rename(home.folder / "id_ed25519", home.folder / "keys" / "web");
        home.configure("IdentityFile ~/.ssh/keys/%n\n");
        CHECK(host.run({}, "newer", home.login()).text("far", "status") == "changed");
    }
    SUBCASE("with a key that is tried in vain, and the next") {
        make_ssh_key(home.folder / "other");
        make_ssh_key(home.folder / "locked", "ed25519", "open sesame");
        home.configure(
            "IdentityFile ~/.ssh/other\nIdentityFile ~/.ssh/locked\n"
            "IdentityFile ~/.ssh/missing\nIdentityFile ~/.ssh/id_ed25519\n");
        CHECK(host.run({}, "newer", home.login()).text("far", "status") == "changed");
        fs::remove_all(host.folder);
        fs::create_directory(host.folder);
        fs::remove(home.folder / "id_ed25519");
        fails(home.login(), "tried publickey (" + (home.folder / "other").string() + "), not " +
                                (home.folder / "locked").string() +
                                " (is no private key, or has a passphrase");
    }
    SUBCASE("with the certificate that lies beside the key") {
        fs::remove(home.folder / "id_ed25519");
        make_ssh_key(home.folder / "id_ecdsa", "ecdsa");
        fails(home.login(), "the login was refused");
        Process({"ssh-keygen", "-q", "-s", (host.server / "authority").string(), "-I", "test", "-n",
                 SshServer::user(), (home.folder / "id_ecdsa.pub").string()},
                system_paths)
            .wait();
        CHECK(host.run({}, "newer", home.login()).text("far", "status") == "changed");
    }
    SUBCASE("but as the pipeline says, where it says something") {
        fails(home.login() + "port = 1\n", "Connection refused");
        fails(home.login() + "user = \"nobody-here\"\n", "nobody-here@web");
        make_ssh_key(home.folder / "other");
        fails(home.login() + "key_file = \"" + (home.folder / "other").string() + "\"\n",
              "tried publickey (" + (home.folder / "other").string() + ")");
    }
    SUBCASE("whose checks cannot be switched off there") {
        write(home.folder / "known_hosts", "");
        home.configure("StrictHostKeyChecking no\n");
        fails(home.login(), "is not in " + (home.folder / "known_hosts").string());
    }
    SUBCASE("by the name that its key has") {
        home.configure("HostKeyAlias nobody@web\n");
        fails(home.login(), "'nobody@web' is no HostKeyAlias");
        home.configure("HostKeyAlias of-web\nUserKnownHostsFile /not/there " +
                       (home.folder / "keys_of_hosts").string() + "\n");
        const std::string line = read_text(host.server.known_hosts());
        write(home.folder / "keys_of_hosts", line);
        fails(home.login(), "is not in /not/there, " + (home.folder / "keys_of_hosts").string());
        write(home.folder / "keys_of_hosts", "of-web" + line.substr(line.find(' ')));
        CHECK(host.run({}, "newer", home.login()).text("far", "status") == "changed");
    }
    SUBCASE("not by half of its configuration") {
        if (geteuid() != 0) return;
        fs::create_directory(host.workspace / "more");
        write(host.workspace / "more" / "a.conf", "User somebody\n");
        home.configure("Include " + (host.workspace / "more").string() + "/*.conf\n");
        fails(home.login(), "config:1: '" + (host.workspace / "more").string() +
                                "/*.conf' cannot be looked for: Permission denied");
    }
    SUBCASE("not by programs that it names") {
        home.configure("Match host web exec \"touch " + (host.folder / "no").string() + "\"\n");
        fails(home.login(), "config:1: 'Match exec' is not understood here");
        home.configure("ProxyCommand touch " + (host.folder / "no").string() + "\n");
        fails(home.login(), "give it as 'proxy_command'");
    }
}

TEST_CASE("a host is reached through others") {
    if (!is_there(sshd)) return;
    const Host host;
    const SshServer bastion(host.workspace, {.settings = "LogLevel DEBUG1\n", .name = "bastion"});
    bastion.authorize(host.server.key());
    const std::string known_bastion = read_text(bastion.known_hosts());
    std::ofstream(host.server.known_hosts(), std::ios::app) << known_bastion;
    const std::string hop = SshServer::user() + "@127.0.0.1:" + std::to_string(bastion.port());
    const auto through = [&](const std::string& list) {
        return std::string(host.server.login()) + "proxy_jump = [" + list + "]\n";
    };
    const std::string forward = "server_request_direct_tcpip";
    SUBCASE("through one") {
        const std::string login = through('"' + hop + '"');
        const Run run = host.run({}, "newer", login);
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "changed");
        CHECK(says(bastion.log(), forward));
        CHECK(host.run({}, "newer", login).text("far", "status") == "unchanged");
    }
    SUBCASE("through two") {
        const SshServer second(host.workspace, {.settings = "LogLevel DEBUG1\n", .name = "second"});
        second.authorize(host.server.key());
        std::ofstream(host.server.known_hosts(), std::ios::app) << read_text(second.known_hosts());
        const Run run = host.run({}, "newer",
                                 through('"' + hop + "\", \"ssh://" + SshServer::user() +
                                         "@[127.0.0.1]:" + std::to_string(second.port()) + '"'));
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "changed");
        CHECK(says(bastion.log(), "port " + std::to_string(second.port())));
        CHECK(says(second.log(), "port " + std::to_string(host.server.port())));
    }
    SUBCASE("as ssh's configuration says") {
        const Home home(host);
        home.configure("Host bastion\n  HostName 127.0.0.1\n  User " + SshServer::user() +
                       "\n  Port " + std::to_string(bastion.port()) +
                       "\nHost web\n  ProxyJump bastion\n");
        const Run run = host.run({}, "newer", home.login());
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "changed");
        CHECK(says(bastion.log(), forward));
        // A circle has an end.
        home.configure("Host bastion\n  User me\n  ProxyJump web\nHost web\n  ProxyJump bastion\n");
        CHECK(says(host.run({}, "former", home.login()).errors, "behind more than"));
    }
    SUBCASE("each with known hosts of its own") {
        const Home home(host);
        write(home.folder / "of_bastion", known_bastion + read_text(host.server.known_hosts()));
        write(home.folder / "of_web", known_bastion);
        home.configure("Host bastion\n  HostName 127.0.0.1\n  User " + SshServer::user() +
                       "\n  Port " + std::to_string(bastion.port()) +
                       "\n  UserKnownHostsFile ~/.ssh/of_bastion\n"
                       "Host web\n  ProxyJump bastion\n  UserKnownHostsFile ~/.ssh/of_web\n");
        const Run run = host.run({}, "newer", home.login());
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "is not in " + (home.folder / "of_web").string()));
        // Nor is who is on the way taken as it is.
        write(home.folder / "of_bastion", "");
        const std::string added = (host.workspace / "added" / "known").string();
        fs::create_directory(host.workspace / "added");
        const Run unknown =
            host.run({}, "newer", home.login() + "accept_new = \"" + added + "\"\n");
        CAPTURE(unknown.output);
        CHECK(says(unknown.message("far"), "is not in " + (home.folder / "of_bastion").string()));
        CHECK(!fs::exists(added));
    }
    SUBCASE("where those in between are reached from one another") {
        const Home home(host);
        const std::string same = "  HostName 127.0.0.1\n  User " + SshServer::user() + "\n  Port " +
                                 std::to_string(bastion.port()) + "\n";
        home.configure("Host one\n  ProxyJump none\n" + same + "Host two\n" + same +
                       "Host *\n  ProxyJump one,two\n");
        std::ofstream(home.folder / "known_hosts", std::ios::app) << known_bastion;
        CHECK(host.run({}, "newer", home.login()).text("far", "status") == "changed");
    }
    SUBCASE("whose own key is another") {
        make_ssh_key(host.workspace / "other");
        write(host.server.known_hosts(), known_bastion.substr(0, known_bastion.find(' ') + 1) +
                                             read_text(host.workspace / "other.pub"));
        const Run run = host.run({}, "newer", through('"' + hop + '"'));
        CAPTURE(run.output);
        CHECK(says(run.message("far"), "somebody may stand in between"));
        CHECK(says(run.message("far"), "127.0.0.1:" + std::to_string(bastion.port())));
        CHECK(host.names().empty());
    }
    SUBCASE("which says no") {
        const SshServer closed(host.workspace,
                               {.settings = "AllowTcpForwarding no\n", .name = "closed"});
        closed.authorize(host.server.key());
        std::ofstream(host.server.known_hosts(), std::ios::app) << read_text(closed.known_hosts());
        const Run run = host.run(
            {}, "newer",
            through('"' + SshServer::user() + "@127.0.0.1:" + std::to_string(closed.port()) + '"'));
        CAPTURE(run.output);
        CHECK(says(
            run.message("far"),
            "from there 127.0.0.1:" + std::to_string(host.server.port()) + " is not to be had"));
    }
    SUBCASE("which breaks") {
        const Moment moment(host.workspace);
        const std::string check = "check = [\"sh\", \"-c\", \"touch " +
                                  (host.folder / "began").string() + "; " + moment.awaited() +
                                  "\"]\n";
        const auto run =
            host.workspace.start_run(host.pipeline(check, "newer", through('"' + hop + '"')));
        wait_until("check has begun", [&] { return fs::exists(host.folder / "began"); });
        bastion.cut();
        moment.comes();
        const Run done = host.workspace.collect(*run);
        CAPTURE(done.output);
        CHECK(says(done.message("far"), "the connection broke"));
    }
    SUBCASE("which is named wrongly") {
        for (const char* wrong : {"", "me@", "bastion:ssh", "[::1"}) {
            const Run run = host.run({}, "newer", through('"' + std::string(wrong) + '"'));
            CAPTURE(wrong);
            CAPTURE(run.errors);
            CHECK(says(run.errors, "is no host to jump through"));
        }
    }
}

TEST_CASE("a program of the operator's leads to a host") {
    if (!is_there(sshd)) return;
    const Host host;
    std::string login = host.server.login();
    const Run run = host.run(
        R"(proxy_command = ["bash", "-c", "exec 3<>/dev/tcp/$0/$1; cat <&3 & exec cat >&3", "%h", "%p"])"
        "\n",
        "newer", login);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    const Run missing = host.run("proxy_command = [\"not-there\"]\n", "former", login);
    CAPTURE(missing.output);
    CHECK(says(missing.message("far"), "cannot start 'proxy_command' (not-there)"));
    const Run silent = host.run("proxy_command = [\"true\"]\n", "former", login);
    CAPTURE(silent.output);
    CHECK(says(silent.message("far"), "the connection broke before anybody logged in"));
}

TEST_CASE("an agent logs in") {
    if (!is_there(sshd) || !is_there("/usr/bin/ssh-agent")) return;
    const Host host;
    const Agent agent(host.workspace);
    std::string login = host.server.login();
    login.erase(login.find("key_file"));
    login += "agent = \"" + agent.socket.string() + "\"\n";
    const Run refused = host.run({}, "newer", login);
    CAPTURE(refused.output);
    CHECK(says(refused.message("far"), "tried publickey (agent " + agent.socket.string() + ")"));
    agent.add(host.server.key());
    const Run run = host.run({}, "newer", login);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(run["far"].at("warnings").as_array().empty());
}

TEST_CASE("a host that nobody knows yet is taken as it is, once, where that is wished") {
    if (!is_there(sshd)) return;
    const Host host;
    const fs::path known = host.server.known_hosts();
    const std::string right = read_text(known);
    write(known, "");
    fs::create_directory(host.workspace / "state");
    const fs::path added = host.workspace / "state" / "known_hosts";
    const std::string login =
        std::string(host.server.login()) + "accept_new = \"" + added.string() + "\"\n";
    // A plan takes nothing.
    write(host.workspace / "plan.toml", host.pipeline({}, "newer", login));
    const Said plan = host.workspace.say({"plan", (host.workspace / "plan.toml").string()});
    CAPTURE(plan.output);
    CHECK(!fs::exists(added));
    CHECK(says(plan.output + plan.errors, "'accept_new'"));

    const Run first = host.run({}, "newer", login);
    CAPTURE(first.output);
    CHECK(first.text("far", "status") == "changed");
    CHECK(says(first.output, "is new, and taken as it is: " + host.server.fingerprint()));
    CHECK(says(read_text(added), right.substr(0, right.rfind(' '))));
    CHECK((fs::status(added).permissions() & fs::perms::group_write) == fs::perms::none);
    const Run second = host.run({}, "former", login);
    CHECK(second.text("far", "status") == "changed");
    CHECK(!says(second.output, "is new"));

    make_ssh_key(host.workspace / "other");
    write(added, right.substr(0, right.find(' ') + 1) + read_text(host.workspace / "other.pub"));
    const Run changed = host.run({}, "newer", login);
    CAPTURE(changed.output);
    CHECK(says(changed.message("far"), "somebody may stand in between"));
}
