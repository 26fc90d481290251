#include "plugins/file/pkcs12_contents.hpp"
#include "plugins/ssh/far_side.hpp"
#include "plugins/ssh/sftp_side.hpp"

#include <sys/random.h>
#include <certcast/deployer.hpp>
#include <certcast/forms.hpp>
#include <certcast/leaf_of_places.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

/// Writes a certificate onto a host that is reached by SSH, and makes what serves it load it.
class Ssh {
public:
    static constexpr certcast::About about{.id = "ssh",
                                           .version = "1.0.0",
                                           .name = "Copy certificates to hosts by SSH",
                                           .vendor = "certcast",
                                           .needs = certcast::KEY | certcast::NETWORK,
                                           .max_certificates = 1};

    static constexpr auto host =
        certcast::text("host").required().identity().doc("Name or address of the host");
    static constexpr auto port =
        certcast::integer("port").between(1, 65535).identity().doc("Its SSH port; default: 22");
    static constexpr auto user = certcast::text("user").doc("Who logs in there");
    static constexpr auto ssh_folder =
        certcast::path("ssh_folder")
            .reads()
            .must_exist()
            .doc(
                "A user's .ssh: where nothing else is said, ssh's configuration, known_hosts and "
                "keys there count, and those of the system");
    static constexpr auto known_hosts = certcast::path("known_hosts")
                                            .reads()
                                            .must_exist()
                                            .doc("Host keys, as ssh keeps them in known_hosts");
    static constexpr auto accept_new =
        certcast::path("accept_new")
            .reads()
            .writes()
            .doc("A file to which the keys of hosts are added that nobody knows yet");
    static constexpr auto host_key =
        certcast::text("host_key")
            .matching("SHA256:[A-Za-z0-9+/]{43}")
            .doc("The fingerprint of the only host key that is right, instead of known_hosts");
    static constexpr auto key_file =
        certcast::path("key_file")
            .reads()
            .must_exist()
            .doc("The private key to log in with: Ed25519, ECDSA or RSA");
    static constexpr auto passphrase =
        certcast::secret("passphrase").doc("The passphrase of key_file");
    static constexpr auto key_certificate =
        certcast::path("key_certificate")
            .reads()
            .must_exist()
            .doc("The OpenSSH certificate for key_file, where the host trusts its issuer");
    static constexpr auto agent = certcast::path("agent").connects().must_exist().doc(
        "The socket of an ssh-agent that has the key");
    static constexpr auto password =
        certcast::secret("password")
            .doc("The password to log in with, also where the host asks for it by a prompt");
    static constexpr auto proxy_jump =
        certcast::texts("proxy_jump")
            .doc("Hosts to go through, the nearest first, each [USER@]HOST[:PORT]");
    static constexpr auto proxy_command =
        certcast::texts("proxy_command")
            .starts()
            .doc(
                "A program here and its arguments, whose input and output lead to the host; %h "
                "and %p are its address and port, %r the user");
    static constexpr auto connect_timeout =
        certcast::duration("connect_timeout")
            .default_to("10s")
            .doc("The longest time until somebody is logged in");

    static constexpr auto become =
        certcast::choice("become", "sudo", "doas")
            .doc("Does everything there as root, by this program; default: as 'user'");
    static constexpr auto become_password =
        certcast::secret("become_password")
            .doc("What sudo asks for; default: it has to ask nothing");

    static constexpr auto without_shell =
        certcast::boolean("without_shell")
            .default_to("false")
            .doc("The account has no shell, only SFTP: nothing can be run there");

    static constexpr auto path = certcast::text("path")
                                     .required()
                                     .matching("/[^\\x00]*[^/\\x00]")
                                     .identity()
                                     .doc("Where it is on the host, absolute");
    static constexpr auto owner = certcast::text("owner").matching("[^:]+").doc(
        "By name or number; default: as the former file");
    static constexpr auto group = certcast::text("group").matching("[^:]+").doc(
        "By name or number; default: as the former file");
    static constexpr auto mode = certcast::text("mode")
                                     .matching("0?[0-7]{3}")
                                     .doc("Octal; default: 0600 with a key, else 0644");
    static constexpr auto files =
        certcast::objects("files", certcast::form_parameter, path, owner, group, mode)
            .required()
            .doc("The files to write");
    static constexpr auto check = certcast::texts("check").doc(
        "A program there and its arguments: with the new files in place, before anything loads "
        "them");
    static constexpr auto reload = certcast::texts("reload").doc(
        "A program there and its arguments: makes what serves the files load them");
    static constexpr auto parameters = certcast::parameters(
        host, port, user, ssh_folder, known_hosts, accept_new, host_key, key_file, passphrase,
        key_certificate, agent, password, proxy_jump, proxy_command, connect_timeout, become,
        become_password, without_shell, files, certcast::pkcs12_password_parameter,
        certcast::pkcs12_profile_parameter, certcast::pkcs12_name_parameter, check, reload);
    static constexpr auto other_files = certcast::other_files(
        certcast::reads("/etc/ssh/ssh_config"), certcast::reads("/etc/ssh/ssh_config.d"),
        certcast::reads("/etc/ssh/ssh_known_hosts"));

    void validate(certcast::Job& job) {
        const bool has_folder = job.has(ssh_folder);
        const bool is_known = job.has(known_hosts) || has_folder;
        if (!is_known && !job.has(host_key) && !job.has(accept_new)) {
            job.diagnose(certcast::Level::error, "known_hosts",
                         "'known_hosts', 'host_key' or 'ssh_folder' has to say who the host is",
                         "there is no way to reach a host that may be any other");
        }
        if (!is_known && job.has(proxy_jump)) {
            job.diagnose(certcast::Level::error, "proxy_jump",
                         "'known_hosts' or 'ssh_folder' has to say who the hosts on the way are",
                         "'host_key' is that of the last one alone");
        }
        if (job.has(proxy_jump) && job.has(proxy_command)) {
            job.diagnose(certcast::Level::error, "proxy_command",
                         "'proxy_jump' is given too, and only one of them can lead to the host",
                         "leave one of them out");
        }
        if (!job.has(key_file) && !job.has(agent) && !job.has(password) && !has_folder) {
            job.diagnose(certcast::Level::error, "key_file", "there is nothing to log in with",
                         "give 'key_file', 'agent', 'password' or 'ssh_folder'");
        }
        if (!job.has(key_file) && (job.has(passphrase) || job.has(key_certificate))) {
            job.diagnose(certcast::Level::warning, "key_file",
                         "it is not given, and 'passphrase' and 'key_certificate' belong to it");
        }
        if (job.has(become_password) && job[become].value_or("") != "sudo") {
            job.diagnose(certcast::Level::error, "become_password",
                         "only sudo takes a password without a terminal",
                         "give become = \"sudo\", or let doas ask for none (nopass)");
        }
        if (job[without_shell]) check_without_shell(job);
        std::set<std::string> seen;
        const std::vector<certcast::Object> all = job[files];
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (seen.insert(std::string(all[i][path])).second) continue;
            job.diagnose(certcast::Level::error, "files[" + std::to_string(i) + "].path",
                         std::string(all[i][path]) + " is named twice",
                         "each file needs a path of its own");
        }
        if (!job.has(user) && !has_folder) {
            job.diagnose(certcast::Level::error, "user", "nobody says who logs in there",
                         "give 'user' or 'ssh_folder'");
        } else {
            (void)way_of(job);  // throws
        }
    }

    void inspect(certcast::Job& job) {
        ssh::FarHost& there = reached(First::look, job);
        const std::vector<ssh::FarFile> found = there.look(job);
        bool all_right = true;
        certcast::LeafOfPlaces leaf;
        const std::vector<certcast::Object> all = job[files];
        for (std::size_t i = 0; i < found.size(); ++i) {
            const std::string_view what = all[i][certcast::form_parameter];
            all_right = all_right && is_as_wanted(found[i], there.task().files[i], what, job);
            if (what == "chain" || what == "key") continue;
            auto first = certcast::first_certificate(found[i].contents.text());
            if (what == "pkcs12") {
                const auto inside =
                    read_pkcs12(found[i].contents.text(), certcast::pkcs12_password(job));
                if (inside) first = inside->leaf;
            }
            leaf.add(found[i].kind != ssh::FarFile::Kind::absent, std::move(first));
        }
        leaf.tell(job, all_right);
    }

    void deploy(certcast::Job& job) {
        ssh::FarHost& there = reached(First::other, job);
        job.progress(300, "writing " + std::to_string(there.task().files.size()) + " files");
        there.replace(job);
        job.changed();
    }

    void verify(certcast::Job& job) {
        if (job.recovering()) return;  // what was there before was put back by its own links
        ssh::FarHost& there = reached(First::look, job);
        std::vector<ssh::FarFile> found;
        if (!there.is_proven()) found = there.look(job);
        const std::vector<certcast::Object> all = job[files];
        for (std::size_t i = 0; i < found.size(); ++i) {
            const ssh::FarTarget& wanted = there.task().files[i];
            if (is_as_wanted(found[i], wanted, all[i][certcast::form_parameter], job)) continue;
            throw certcast::conflict_error(
                wanted.path + " is not as it was written: somebody else writes it too");
        }
        job.live(job.leaf_der(), true);
    }

    void settle(certcast::Job& job) {
        for (const certcast::RecordedStep& step : job.steps()) {
            ssh::FarTask task = ssh::unpack(step.undo);
            const bool is_own = far_side_ && far_side_->task().token == task.token;
            if (!is_own || !far_side_->is_open()) start(std::move(task), First::other, job);
            far_side_->forget(job);
        }
    }

    void rollback(certcast::Job& job) {
        std::vector<certcast::RecordedStep> steps = job.steps();
        std::reverse(steps.begin(), steps.end());
        for (const certcast::RecordedStep& step : steps) {
            if (step.undone) continue;
            ssh::FarTask task = ssh::unpack(step.undo);
            task.reload = line_of(job[reload]);
            start(std::move(task), First::other, job);  // the former connection may be what failed
            far_side_->undo(job);
            job.step_undone(step);
        }
        far_side_.reset();
    }

private:
    using First = ssh::FarSide::First;

    /// The far side of what is to be deployed.
    ssh::FarHost& reached(First first, const certcast::Job& job) {
        if (!far_side_ || !far_side_->is_open()) {
            start({new_token(), wanted_of(job), line_of(job[check]), line_of(job[reload])}, first,
                  job);
        }
        return *far_side_;
    }

    void start(ssh::FarTask task, First first, const certcast::Job& job) {
        far_side_.reset();
        if (job[without_shell]) {
            far_side_ = std::make_unique<ssh::SftpSide>(login_of(job), std::move(task), job);
            return;
        }
        ssh::Become as{std::string(job[become].value_or("")), job.secret(become_password)};
        far_side_ = std::make_unique<ssh::FarSide>(login_of(job), std::move(as), std::move(task),
                                                   first, job);
    }

    static void check_without_shell(certcast::Job& job) {
        const auto complain = [&job](const std::string& where, const std::string& what) {
            job.diagnose(certcast::Level::error, where,
                         what + ", and 'without_shell' says no shell", "leave one of them out");
        };
        const std::string runs = "it is run by a shell over there";
        if (job.has(check)) complain("check", runs);
        if (job.has(reload)) complain("reload", runs);
        if (job.has(become)) complain("become", runs);
        const auto is_name = [](const std::optional<std::string_view>& who) {
            return who && who->find_first_not_of("0123456789") != std::string_view::npos;
        };
        const std::vector<certcast::Object> all = job[files];
        for (std::size_t i = 0; i < all.size(); ++i) {
            const std::string where = "files[" + std::to_string(i) + "].";
            const std::string names = "SFTP knows owners by number";
            if (is_name(all[i][owner])) complain(where + "owner", names);
            if (is_name(all[i][group])) complain(where + "group", names);
        }
    }

    static ssh::Login login_of(const certcast::Job& job) {
        ssh::Login login = way_of(job);
        login.password = job.secret(password);
        login.passphrase = job.secret(passphrase);
        for (ssh::Login& jump : login.jumps) jump.passphrase = login.passphrase;
        return login;
    }

    /// The login without its secrets.
    static ssh::Login way_of(const certcast::Job& job) {
        const std::filesystem::path nowhere;
        ssh::Login login;
        login.host = job[host];
        login.port = static_cast<std::uint16_t>(job[port].value_or(0));
        login.user = job[user].value_or("");
        if (const auto file = job[known_hosts]) login.known_hosts = {*file};
        login.accept_new = job[accept_new].value_or(nowhere);
        login.host_key = job[host_key].value_or("");
        if (const auto file = job[key_file]) {
            login.identities = {{*file, job[key_certificate].value_or(nowhere)}};
        }
        login.agent = job[agent].value_or(nowhere);
        login.proxy_command = strings_of(job[proxy_command]);
        login.connect_timeout = job[connect_timeout];
        return completed(std::move(login), strings_of(job[proxy_jump]),
                         job[ssh_folder].value_or(nowhere));
    }

    static std::vector<std::string> strings_of(
        const std::optional<std::vector<std::string_view>>& words) {
        if (!words) return {};
        return {words->begin(), words->end()};
    }

    static bool is_as_wanted(const ssh::FarFile& now, const ssh::FarTarget& wanted,
                             std::string_view what, const certcast::Job& job) {
        if (!now.has_access) return false;
        if (what != "pkcs12") return now.contents == wanted.contents;
        const certcast::Sensitive secret = certcast::pkcs12_password(job);
        const auto inside = read_pkcs12(now.contents.text(), secret);
        return inside && inside == read_pkcs12(wanted.contents.text(), secret);
    }

    static std::vector<ssh::FarTarget> wanted_of(const certcast::Job& job) {
        std::vector<ssh::FarTarget> wanted;
        for (const certcast::Object& file : job[files]) {
            const std::string_view what = file[certcast::form_parameter];
            const bool has_key = what == "key" || what == "combined" || what == "pkcs12";
            wanted.push_back({std::string(file[path]),
                              std::string(file[mode].value_or(has_key ? "0600" : "0644")),
                              std::string(file[owner].value_or("")),
                              std::string(file[group].value_or("")),
                              certcast::contents_in_form(what, job)});
        }
        return wanted;
    }

    static std::string line_of(const std::optional<std::vector<std::string_view>>& words) {
        return words ? ssh::command_line(*words) : std::string();
    }

    static std::string new_token() {
        std::array<unsigned char, 6> random{};
        if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
            throw std::system_error(errno, std::generic_category(), "getrandom");
        }
        std::string token;
        for (const unsigned char byte : random) {
            token += static_cast<char>('a' + byte / 16);
            token += static_cast<char>('a' + byte % 16);
        }
        return token;
    }

    std::unique_ptr<ssh::FarHost> far_side_;
};

}  // namespace

CERTCAST_DEPLOYER(Ssh);
