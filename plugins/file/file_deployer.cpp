#include "plugins/file/pkcs12_contents.hpp"

#include <certcast/deployer.hpp>
#include <certcast/file_parameters.hpp>
#include <certcast/forms.hpp>
#include <certcast/leaf_of_places.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Writes a certificate in the forms that a program reads, and tells the program.
class File {
public:
    static constexpr certcast::About about{.id = "file",
                                           .version = "1.0.0",
                                           .name = "Write certificate and key files",
                                           .vendor = "certcast",
                                           .needs = certcast::KEY,
                                           .max_certificates = 1};

    static constexpr auto fullchain =
        certcast::path("fullchain").writes().identity().doc("Leaf and intermediates, PEM");
    static constexpr auto certificate =
        certcast::path("certificate").writes().identity().doc("The leaf alone, PEM");
    static constexpr auto chain =
        certcast::path("chain").writes().identity().doc("The intermediates alone, PEM");
    static constexpr auto key =
        certcast::path("key").writes().identity().doc("The private key, PKCS#8 PEM");
    static constexpr auto combined =
        certcast::path("combined")
            .writes()
            .identity()
            .doc("Key, leaf and intermediates in one PEM file, as HAProxy reads it");
    static constexpr auto pkcs12 =
        certcast::path("pkcs12").writes().identity().doc("Everything as PKCS#12");
    static constexpr auto after =
        certcast::command("after").doc("Run once the files are in place, such as a reload");
    static constexpr auto parameters = certcast::parameters(
        fullchain, certificate, chain, key, combined, pkcs12, certcast::pkcs12_password_parameter,
        certcast::pkcs12_profile_parameter, certcast::pkcs12_name_parameter,
        certcast::owner_parameter, certcast::group_parameter, certcast::mode_parameter,
        certcast::key_mode_parameter, after);

    void validate(certcast::Job& job) {
        std::vector<std::pair<std::string, std::filesystem::path>> seen;
        for (const auto& param : {fullchain, certificate, chain, key, combined, pkcs12}) {
            const auto path = job[param];
            if (!path) continue;
            for (const auto& [name, other] : seen) {
                if (other == *path) {
                    job.diagnose(certcast::Level::error, param.name(),
                                 path->string() + " is also the path of '" + name + "'",
                                 "each file needs a path of its own");
                }
            }
            seen.emplace_back(param.name(), *path);
        }
        if (seen.empty()) {
            job.diagnose(certcast::Level::error, "", "no file to write is named",
                         "give at least one of fullchain, certificate, chain, key, combined, "
                         "pkcs12");
        }
        if (!job[pkcs12] && (job.has(certcast::pkcs12_password_parameter) ||
                             job.has(certcast::pkcs12_name_parameter))) {
            job.diagnose(certcast::Level::warning, "pkcs12_password",
                         "it is for a PKCS#12 file, but 'pkcs12' names none");
        }
    }

    void inspect(certcast::Job& job) {
        const Wanted wanted = wanted_of(job);
        bool all_right = true;
        certcast::LeafOfPlaces found;
        for (const certcast::WantedFile& file : wanted.files) {
            const certcast::FileImage now = certcast::read_file(file.path);
            all_right = all_right && wanted.holds(job, file, now);
            if (file.path == job[chain] || file.path == job[key]) continue;
            auto leaf = certcast::first_certificate(now.text());
            if (now.present && file.path == wanted.pkcs12) {
                if (const auto inside = read_pkcs12(now.text(), certcast::pkcs12_password(job)))
                    leaf = inside->leaf;
            }
            found.add(now.present, std::move(leaf));
        }
        found.tell(job, all_right);
    }

    void deploy(certcast::Job& job) {
        const Wanted wanted = wanted_of(job);
        job.step("replace files", certcast::pack(certcast::save_files(wanted.files)));
        job.progress(300, "writing " + std::to_string(wanted.files.size()) + " files");
        certcast::replace_files(wanted.files);
        if (job.has(after)) job.step(after_step, "");
        run_after(job);
        job.changed();
    }

    void verify(certcast::Job& job) {
        if (job.recovering()) {
            for (const certcast::RecordedStep& step : job.steps()) {
                for (const auto& [path, image] : certcast::unpack_files(step.undo)) {
                    check(path, same_contents(certcast::read_file(path), image), "what was there");
                }
            }
            return;
        }
        const Wanted wanted = wanted_of(job);
        for (const certcast::WantedFile& file : wanted.files) {
            const certcast::FileImage now = certcast::read_file(file.path);
            check(file.path, wanted.holds(job, file, now), "what was written");
        }
        job.live(job.leaf_der(), true);
    }

    void rollback(certcast::Job& job) {
        std::vector<certcast::RecordedStep> steps = job.steps();
        std::reverse(steps.begin(), steps.end());
        // Where it never ran, nobody has seen the new files.
        bool has_run = false;
        for (const certcast::RecordedStep& step : steps) {
            has_run = has_run || step.label == after_step;
            certcast::restore_files(certcast::unpack_files(step.undo));
        }
        if (has_run) run_after(job);
        for (const certcast::RecordedStep& step : steps) job.step_undone(step);
    }

private:
    static constexpr std::string_view after_step = "run the command after";

    /// The files as they should be.
    struct Wanted {
        std::vector<certcast::WantedFile> files;
        std::filesystem::path pkcs12;

        bool holds(const certcast::Job& job, const certcast::WantedFile& file,
                   const certcast::FileImage& now) const {
            if (file.path != pkcs12) return certcast::is_as_wanted(now, file);
            if (!certcast::has_access(now, file.access)) return false;
            const auto found = read_pkcs12(now.text(), certcast::pkcs12_password(job));
            return found &&
                   found == read_pkcs12(file.contents.text(), certcast::pkcs12_password(job));
        }
    };

    static Wanted wanted_of(const certcast::Job& job) {
        const certcast::FileAccess open = certcast::open_access(job);
        const certcast::FileAccess secret = certcast::key_access(job);
        Wanted wanted;
        const auto add = [&](const auto& param, const auto& contents,
                             const certcast::FileAccess& access) {
            const auto path = job[param];
            if (!path) return;
            wanted.files.push_back({*path, contents(), access});
        };
        const auto text = [](std::string pem) { return certcast::Sensitive(pem); };
        add(
            key, [&] { return job.key_pem(); }, secret);
        add(
            combined, [&] { return job.key_pem() + job.fullchain_pem(); }, secret);
        add(
            pkcs12, [&] { return certcast::pkcs12_of(job); }, secret);
        add(
            fullchain, [&] { return text(job.fullchain_pem()); }, open);
        add(
            certificate, [&] { return text(job.leaf_pem()); }, open);
        add(
            chain, [&] { return text(job.chain_pem()); }, open);
        wanted.pkcs12 = job[pkcs12].value_or(std::filesystem::path());
        return wanted;
    }

    static bool same_contents(const certcast::FileImage& now, const certcast::FileImage& then) {
        return now.present == then.present && now.contents == then.contents &&
               now.mode == then.mode;
    }

    static void check(const std::filesystem::path& path, bool right, const std::string& expected) {
        if (right) return;
        throw certcast::conflict_error(path.string() + " does not hold " + expected +
                                       ": somebody else writes it too");
    }

    static void run_after(certcast::Job& job) {
        if (!job.has(after)) return;
        job.progress(700, "running the command 'after'");
        const certcast::CommandOutput result = job.request_reload("file", after);
        if (result.ok()) return;
        throw certcast::remote_error("the command 'after' ended with status " +
                                     std::to_string(result.status) + ": " + result.output);
    }
};

}  // namespace

CERTCAST_DEPLOYER(File);
