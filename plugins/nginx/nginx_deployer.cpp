#include "plugins/nginx/config_lock.hpp"
#include "plugins/probe/proof.hpp"

#include <certcast/deployer.hpp>
#include <certcast/file_parameters.hpp>
#include <certcast/leaf_of_places.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Exchanges pairs of certificate and key files of one nginx and makes it load them.
class Nginx {
public:
    static constexpr certcast::About about{.id = "nginx",
                                           .version = "1.0.0",
                                           .name = "Put certificates onto nginx",
                                           .vendor = "certcast",
                                           .needs = certcast::KEY | certcast::NETWORK};

    static constexpr auto certificate =
        certcast::certificate_name("certificate").required().doc("The certificate of this pair");
    static constexpr auto fullchain =
        certcast::path("fullchain").required().writes().identity().doc("ssl_certificate");
    static constexpr auto key =
        certcast::path("key").required().writes().identity().doc("ssl_certificate_key");
    static constexpr auto address = certcast::endpoint("address").doc(
        "Where nginx listens: proves that its new workers serve the certificate");
    static constexpr auto server_name =
        certcast::text("server_name").doc("The server_name to ask for there");
    static constexpr auto files =
        certcast::objects("files", certificate, fullchain, key, address, server_name)
            .required()
            .doc("The pairs of files that nginx reads");
    static constexpr auto config = certcast::path("config")
                                       .default_to("/etc/nginx/nginx.conf")
                                       .reads()
                                       .doc("The configuration file: tells one nginx from another");
    static constexpr auto check =
        certcast::command("check").required().doc("Tests the configuration: nginx -t");
    static constexpr auto reload =
        certcast::command("reload").required().doc("Makes nginx load it: nginx -s reload");
    static constexpr auto parameters =
        certcast::parameters(files, config, certcast::owner_parameter, certcast::group_parameter,
                             certcast::mode_parameter, certcast::key_mode_parameter, check, reload);

    void validate(certcast::Job& job) {
        std::set<std::filesystem::path> paths;
        std::set<std::size_t> used;
        const std::vector<certcast::Object> pairs = job[files];
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            used.insert(pairs[i][certificate]);
            for (const auto& param : {fullchain, key}) {
                const std::filesystem::path path = pairs[i][param];
                if (paths.insert(path).second) continue;
                job.diagnose(certcast::Level::error,
                             "files[" + std::to_string(i) + "]." + std::string(param.name()),
                             path.string() + " is named twice",
                             "each file needs a path of its own");
            }
        }
        for (std::size_t i = 0; i < job.certificate_count(); ++i) {
            if (used.contains(i)) continue;
            job.diagnose(
                certcast::Level::error, "files",
                "the certificate '" + std::string(job.certificate(i)) + "' goes into no file",
                "name it in one of the pairs, or take it out of the deployment");
        }
    }

    void inspect(certcast::Job& job) {
        struct Found {
            certcast::LeafOfPlaces leaf;
            bool as_wanted = true;
        };
        std::map<std::size_t, Found> found;
        for (const Pair& pair : pairs_of(job)) {
            Found& one = found[pair.certificate];
            const certcast::FileImage now = certcast::read_file(pair.fullchain.path);
            one.leaf.add(now.present, certcast::first_certificate(now.text()));
            one.as_wanted = one.as_wanted && certcast::is_as_wanted(now, pair.fullchain) &&
                            certcast::is_as_wanted(certcast::read_file(pair.key.path), pair.key) &&
                            is_served(job, pair);
        }
        for (const auto& [index, one] : found) one.leaf.tell(job, one.as_wanted, index);
    }

    void deploy(certcast::Job& job) {
        switch_files(job);
        job.step(reload_step, "");
        load(job);
        for (std::size_t i = 0; i < job.certificate_count(); ++i) job.changed(i);
    }

    void verify(certcast::Job& job) {
        tls::Certainty certainty{.steady_for = old_workers_listen_for};
        for (const Pair& pair : pairs_of(job)) {
            if (!pair.check) continue;
            const auto expected = tls::Expected::of(job, pair.certificate);
            if (!expected) continue;
            job.progress(900, "handshake with " + pair.check->endpoint.text());
            const tls::Finding finding =
                tls::look_until_served(*pair.check, *expected, patience(job), certainty);
            if (!finding.good()) tls::throw_problem(job, finding);
            certainty = {};  // they are gone for all pairs
            if (const std::string* leaf = finding.leaf(*expected)) {
                job.live(*leaf, true, pair.certificate, tls::not_after(*leaf));
            }
        }
    }

    void rollback(certcast::Job& job) {
        std::vector<certcast::RecordedStep> steps = job.steps();
        std::reverse(steps.begin(), steps.end());
        // A rollback that restored the files and came no further leaves a reload to the next one.
        bool may_be_loaded = job.state() == reload_is_owed;
        {
            const ConfigLock lock(job, job[config], ConfigLock::Kind::alone);
            for (const certcast::RecordedStep& step : steps) {
                // Files that stand switched may have been loaded by anybody's reload.
                may_be_loaded = may_be_loaded || step.label == reload_step ||
                                !all_restored(certcast::unpack_files(step.undo));
            }
            if (may_be_loaded) job.set_state(reload_is_owed);
            for (const certcast::RecordedStep& step : steps) {
                certcast::restore_files(certcast::unpack_files(step.undo));
            }
            if (may_be_loaded) test(job, "the former files are back, but nginx refuses them");
        }
        if (may_be_loaded) {
            load(job);
            job.set_state("");
        }
        for (const certcast::RecordedStep& step : steps) job.step_undone(step);
    }

private:
    static constexpr std::string_view reload_step = "reload";
    static constexpr std::string_view reload_is_owed = "reload is owed";
    /// An address that drops packets must not use up the time of inspect.
    static constexpr std::chrono::seconds longest_look{5};
    /// After a reload nginx lets old and new workers accept side by side for 100 ms
    /// (ngx_master_process_cycle) before it tells the old ones to close.
    static constexpr std::chrono::milliseconds old_workers_listen_for{250};

    /// The two files of one certificate, and where nginx serves it.
    struct Pair {
        std::size_t certificate = 0;
        certcast::WantedFile fullchain;
        certcast::WantedFile key;
        std::optional<tls::Check> check;
    };

    static std::vector<Pair> pairs_of(const certcast::Job& job) {
        const certcast::FileAccess access = certcast::open_access(job);
        const certcast::FileAccess key_access = certcast::key_access(job);
        std::vector<Pair> pairs;
        for (const certcast::Object& one : job[files]) {
            const std::size_t i = one[certificate];
            Pair& pair = pairs.emplace_back(
                Pair{i,
                     {one[fullchain], certcast::Sensitive(job.fullchain_pem(i)), access},
                     {one[key], job.key_pem(i), key_access},
                     std::nullopt});
            if (const auto endpoint = one[address]) {
                pair.check = tls::Check{*endpoint, std::string(one[server_name].value_or("")), i};
            }
        }
        return pairs;
    }

    static tls::Patience patience(const certcast::Job& job) {
        return {job.deadline(), job.cancel_fd()};
    }

    /// False where files are right but nginx serves something else: it was never told to reload.
    static bool is_served(const certcast::Job& job, const Pair& pair) {
        if (!pair.check) return true;
        const auto expected = tls::Expected::of(job, pair.certificate);
        tls::Patience until = patience(job);
        until.deadline = std::min(until.deadline, std::chrono::steady_clock::now() + longest_look);
        const tls::Finding finding = tls::look(*pair.check, *expected, until);
        job.throw_if_cancelled();
        if (!finding.good()) job.info(finding.problem);
        return finding.good();
    }

    static bool all_restored(const std::vector<certcast::SavedFile>& saved) {
        return std::all_of(saved.begin(), saved.end(), [](const certcast::SavedFile& file) {
            return certcast::read_file(file.path) == file.image;
        });
    }

    /// Afterwards all pairs are switched and nginx accepts them, or this throws: where nginx
    /// refused them, none is switched; everything else is for rollback to undo.
    static void switch_files(certcast::Job& job) {
        std::vector<certcast::WantedFile> wanted;
        for (Pair& pair : pairs_of(job)) {
            wanted.push_back(std::move(pair.fullchain));
            wanted.push_back(std::move(pair.key));
        }
        job.progress(100, "waiting for other deployments to this nginx");
        const ConfigLock lock(job, job[config], ConfigLock::Kind::alone);
        const std::vector<certcast::SavedFile> saved = certcast::save_files(wanted);
        job.step("replace files", certcast::pack(saved));
        job.progress(300, "switching " + std::to_string(wanted.size()) + " files");
        certcast::replace_files(wanted);
        const certcast::CommandOutput result = checked(job);
        if (result.ok()) return;
        certcast::restore_files(saved);
        refuse(result, "nginx refuses the new files, so the former ones are back");
    }

    static certcast::CommandOutput checked(certcast::Job& job) {
        job.progress(500, "checking the configuration");
        return job.run_command(check);
    }

    static void test(certcast::Job& job, const std::string& refused) {
        const certcast::CommandOutput result = checked(job);
        if (!result.ok()) refuse(result, refused);
    }

    [[noreturn]] static void refuse(const certcast::CommandOutput& result,
                                    const std::string& refused) {
        throw certcast::config_error(refused + " ('check' ended with status " +
                                     std::to_string(result.status) + "): " + result.output)
            .permanent();
    }

    /// Without the lock, so that one reload serves all who ask at the same time. It may meet the
    /// moment in which somebody else's pair is half switched: then it is repeated while nobody may
    /// switch.
    static void load(certcast::Job& job) {
        job.progress(700, "reloading nginx");
        const std::filesystem::path path = job[config];
        if (job.request_reload(path.native(), reload).ok()) return;
        const ConfigLock lock(job, path, ConfigLock::Kind::shared);
        const certcast::CommandOutput result = job.request_reload(path.native(), reload);
        if (result.ok()) return;
        throw certcast::remote_error("nginx was not reloaded ('reload' ended with status " +
                                     std::to_string(result.status) + "): " + result.output);
    }
};

}  // namespace

CERTCAST_DEPLOYER(Nginx);
