#include "plugins/json/base64.hpp"
#include "plugins/json/parts.hpp"
#include "plugins/kubernetes/api.hpp"
#include "plugins/kubernetes/contents.hpp"
#include "plugins/kubernetes/despite_others.hpp"
#include "plugins/kubernetes/exec_credential.hpp"
#include "plugins/kubernetes/kubeconfig.hpp"
#include "plugins/kubernetes/rollout.hpp"
#include "plugins/kubernetes/secret_object.hpp"
#include "plugins/kubernetes/undo.hpp"

#include <boost/json/object.hpp>
#include <certcast/deployer.hpp>
#include <certcast/forms.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace json = boost::json;
using json_parts::part_of;
using json_parts::text_in;
using namespace std::chrono_literals;

/// Keeps a certificate in a TLS secret of Kubernetes.
class Kubernetes {
public:
    static constexpr certcast::About about{.id = "kubernetes",
                                           .version = "1.0.0",
                                           .name = "Keep certificates in Kubernetes secrets",
                                           .vendor = "certcast",
                                           .needs = certcast::KEY | certcast::NETWORK,
                                           .timeouts = {.deploy = std::chrono::minutes(11)},
                                           .max_certificates = 1};

    static constexpr auto kubeconfig =
        certcast::paths("kubeconfig")
            .reads()
            .identity()
            .account()
            .doc("Where the API server is and who asks it, as kubectl has it; several are merged");
    static constexpr auto context = certcast::text("context").identity().account().doc(
        "The context of it; default: the current one");
    static constexpr auto credential_files =
        certcast::paths("credential_files")
            .reads()
            .doc(
                "Files and folders that the kubeconfig names: certificates, keys, tokens, and a "
                "program that is not the system's");
    static constexpr auto exec = certcast::text("exec").starts().doc(
        "The program that the kubeconfig runs for a credential, as it is named there");
    static constexpr auto in_cluster =
        certcast::boolean("in_cluster")
            .default_to("false")
            .account()
            .doc("certcast runs in a pod, and its service account asks");
    static constexpr auto server = certcast::url("server").identity().account().doc(
        "The API server, where neither says it: https://HOST[:PORT]");
    static constexpr auto ca_file = certcast::path("ca_file").reads().must_exist().doc(
        "Who has issued its certificate; default: whom the system trusts");
    static constexpr auto server_name =
        certcast::text("server_name")
            .account()
            .doc("Whom its certificate is for; default: the host in its URL");
    static constexpr auto proxy = certcast::secret("proxy").account().doc(
        "http://[USER:PASSWORD@]HOST:PORT, which leads to it");
    static constexpr auto token = certcast::secret("token").account().doc("A bearer token");
    static constexpr auto client_certificate =
        certcast::path("client_certificate").reads().must_exist().account().doc("Who asks, as PEM");
    static constexpr auto client_key =
        certcast::path("client_key").reads().must_exist().doc("The key of client_certificate");

    static constexpr auto name = certcast::text("name")
                                     .required()
                                     .matching("[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
                                     .identity()
                                     .doc("Of the secret");
    static constexpr auto name_space = certcast::text("namespace")
                                           .matching("[a-z0-9]([-a-z0-9]*[a-z0-9])?")
                                           .identity()
                                           .doc("Where it is; default: that of the context");
    static constexpr auto namespace_selector =
        certcast::text("namespace_selector")
            .doc(
                "Labels of the namespaces that are found where the targets are to be discovered, "
                "as "
                "kubectl's --selector has them: \"certificates=shop\"");
    static constexpr auto type = certcast::text("type")
                                     .default_to("kubernetes.io/tls")
                                     .doc("Of the secret, which is for ever");
    static constexpr auto key =
        certcast::text("key").required().matching("[-._a-zA-Z0-9]+").doc("In the secret's data");
    static constexpr auto entries = certcast::objects("entries", certcast::form_parameter, key)
                                        .doc("What is in the secret beside tls.crt and tls.key");
    static constexpr auto labels = certcast::text_map("labels").doc("What it is labelled with");
    static constexpr auto annotations =
        certcast::text_map("annotations").doc("What it is annotated with");
    static constexpr auto takeover =
        certcast::boolean("takeover")
            .default_to("false")
            .doc("Also what others manage: fields of theirs, and secrets of cert-manager");
    static constexpr auto restart = certcast::texts("restart").doc(
        "What has its pods started anew when the secret has changed: \"deployment/NAME\", "
        "\"statefulset/NAME\", \"daemonset/NAME\"");
    static constexpr auto parameters = certcast::parameters(
        kubeconfig, context, credential_files, exec, in_cluster, server, ca_file, server_name,
        proxy, token, client_certificate, client_key, name, name_space, namespace_selector, type,
        entries, certcast::pkcs12_password_parameter, certcast::pkcs12_profile_parameter,
        certcast::pkcs12_name_parameter, labels, annotations, takeover, restart);
    static constexpr auto other_files =
        certcast::other_files(certcast::reads("/etc/ssl/certs"),
                              certcast::reads("/var/run/secrets/kubernetes.io/serviceaccount"));

    void validate(certcast::Job& job) {
        const int ways =
            (job.has(kubeconfig) ? 1 : 0) + (job[in_cluster] ? 1 : 0) + (job.has(server) ? 1 : 0);
        if (ways != 1) {
            job.diagnose(certcast::Level::error, "kubeconfig",
                         "one of 'kubeconfig', 'in_cluster' and 'server' has to say who is asked",
                         ways == 0 ? "none of them is given" : "more than one is given");
        }
        if (job.has(client_certificate) != job.has(client_key)) {
            job.diagnose(certcast::Level::error, "client_key",
                         "'client_certificate' and 'client_key' belong together",
                         "give both or none");
        }
        if (job.has(server) && !job[server]->starts_with("https://")) {
            job.diagnose(certcast::Level::error, "server", "the key goes by https alone",
                         "expected https://HOST[:PORT]");
        }
        const auto belong_to = [&job](const char* other, bool is_there,
                                      std::initializer_list<std::pair<const char*, bool>> given) {
            for (const auto& [parameter, is_given] : given) {
                if (!is_given || is_there) continue;
                job.diagnose(certcast::Level::error, parameter,
                             "it belongs to '" + std::string(other) + "'", "which is not given");
            }
        };
        belong_to("kubeconfig", job.has(kubeconfig),
                  {{"context", job.has(context)},
                   {"credential_files", job.has(credential_files)},
                   {"exec", job.has(exec)}});
        belong_to("server", job.has(server),
                  {{"ca_file", job.has(ca_file)},
                   {"server_name", job.has(server_name)},
                   {"proxy", job.has(proxy)},
                   {"token", job.has(token)},
                   {"client_certificate", job.has(client_certificate)}});
        std::vector<std::string_view> keys{"tls.crt", "tls.key"};
        for (const certcast::Object& entry :
             job[entries].value_or(std::vector<certcast::Object>())) {
            const std::string_view more = entry[key];
            if (std::find(keys.begin(), keys.end(), more) != keys.end()) {
                job.diagnose(certcast::Level::error, "entries",
                             "\"" + std::string(more) + "\" is there already",
                             "each entry needs a key of its own");
            }
            keys.push_back(more);
        }
        for (const std::string_view text : job[restart].value_or(std::vector<std::string_view>())) {
            if (kubernetes::workload_named(text, {})) continue;
            job.diagnose(certcast::Level::error, "restart",
                         "\"" + std::string(text) + "\" names no workload",
                         "expected deployment/NAME, statefulset/NAME or daemonset/NAME");
        }
    }

    /// The targets are namespaces.
    void discover(certcast::Job& job) {
        const auto selector = job[namespace_selector];
        if (!selector) {
            throw certcast::config_error(
                "'namespace_selector' has to say which namespaces are to be found");
        }
        for (const std::string& found : api(job).namespaces_with(*selector, job)) {
            job.target_found(found);
        }
    }

    void inspect(certcast::Job& job) {
        seen_ = api(job).get(secret(job), job);
        has_looked_ = true;
        const bool as_wanted = seen_ && is_as_wanted(*seen_, job);
        if (!as_wanted) {
            if (seen_) refuse_managed_by_others(*seen_, job);
            for (const kubernetes::ObjectName& workload : workloads(job)) {
                kubernetes::expect_can_restart(workload, api(job), job);
            }
            // Whether it may be written is seen then; whether that may be undone is not. A Role may
            // grant it for this name alone.
            if (job.dry_run() || (!seen_ && !may_remove_any(job))) {
                api(job).expect_may_write(secret(job), !seen_, job);
            }
            if (job.dry_run()) api(job).write(secret(job), wanted(job), job[takeover], job);
        }
        tell(seen_, as_wanted, job);
    }

    void deploy(certcast::Job& job) {
        kubernetes::despite_others([&] { write(job); });
        // Also where the secret was right already: then something else is served than it holds.
        const std::vector<kubernetes::ObjectName> all = workloads(job);
        for (const kubernetes::ObjectName& workload : all) {
            job.step(restart_step, kubernetes::undo_record(workload, api(job)));
            if (!kubernetes::restart(workload, api(job), job)) {
                throw certcast::config_error("restart: " + workload.text() + " is not there");
            }
        }
        for (const kubernetes::ObjectName& workload : all) {
            kubernetes::await_rollout(workload, api(job), job);
        }
    }

    void verify(certcast::Job& job) {
        if (job.recovering()) return;  // it was put back from the step
        const std::optional<json::object> now = api(job).get(secret(job), job, written_);
        if (!now || !is_as_wanted(*now, job)) {
            throw certcast::conflict_error(secret(job).text() +
                                           " is not as it was written: somebody else writes it, "
                                           "too");
        }
        tell(now, true, job);
    }

    /// The secret first: what is started anew is to find the former one.
    void rollback(certcast::Job& job) {
        std::vector<certcast::RecordedStep> steps = job.steps();
        std::reverse(steps.begin(), steps.end());
        for (const certcast::RecordedStep& step : steps) {
            if (step.undone || step.label != secret_step) continue;
            kubernetes::undo(step.undo, secret(job), api(job), job);
            job.step_undone(step);
        }
        std::exception_ptr failure;  // of one, which keeps no other from being restarted
        for (const certcast::RecordedStep& step : steps) {
            if (step.undone || step.label != restart_step) continue;
            try {
                kubernetes::undo_restart(step.undo, secret(job).name_space, api(job), job);
                job.step_undone(step);
            } catch (const certcast::DeployerError&) {
                if (!failure) failure = std::current_exception();
            }
        }
        if (failure) std::rethrow_exception(failure);
    }

private:
    /// Asked once for a namespace.
    bool may_remove_any(const certcast::Job& job) {
        const kubernetes::ObjectName object = secret(job);
        const auto ask = [&] {
            const bool may = api(job).may("delete", object, job, false);
            return certcast::Shared{certcast::Sensitive(may ? "yes" : "no"), 1min};
        };
        return job.shared("may delete secrets in " + object.name_space, 1s, ask) == "yes";
    }

    void write(const certcast::Job& job) {
        const std::optional<json::object> before =
            has_looked_ ? std::move(seen_) : api(job).get(secret(job), job);
        has_looked_ = false;
        if (before) refuse_managed_by_others(*before, job);
        job.step(secret_step, kubernetes::undo_record(before, wanted(job), secret(job), api(job)));
        try {
            const json::object after = api(job).write(
                secret(job), before ? kubernetes::only_over(*before, wanted(job)) : wanted(job),
                job[takeover], job);
            written_ = kubernetes::version_of(after);
            job.changed(0, !before || kubernetes::version_of(*before) != written_);
        } catch (const certcast::auth_error&) {
            api(job).expect_may_write(secret(job), !before, job);
            throw;
        }
    }

    kubernetes::Api& api(const certcast::Job& job) {
        if (api_) return *api_;
        kubernetes::Access access = access_of(job);
        if (access.exec) {
            // Programs come from the pipeline alone, and so does the right to start any.
            if (job[exec] != access.exec->command) {
                throw certcast::config_error(access.exec->where + " wants to run '" +
                                             access.exec->command + "'; exec = \"" +
                                             access.exec->command + "\" permits it");
            }
            access.renew = kubernetes::take_exec_credential;
            access.renew(access, job);
        }
        api_ = std::make_unique<kubernetes::Api>(std::move(access));
        return *api_;
    }

    static kubernetes::Access access_of(const certcast::Job& job) {
        if (const auto files = job[kubeconfig]) {
            return kubernetes::read_kubeconfig(*files, std::string(job[context].value_or("")));
        }
        if (job[in_cluster]) return kubernetes::in_cluster();
        kubernetes::Access access;
        access.text = "what the pipeline says";
        access.server = *job[server];
        if (const auto file = job[ca_file]) {
            access.http.ca_pem = kubernetes::authorities_in(
                kubernetes::read_credential(*file, "'ca_file'"), file->string());
        }
        access.http.server_name = job[server_name].value_or("");
        if (auto given = job.secret(proxy)) access.http.proxy = *std::move(given);
        if (auto given = job.secret(token)) {
            access.token = *std::move(given);
            access.renew = [](kubernetes::Access& own, const certcast::Job& now) {
                own.token = now.fresh_secret(token).value_or(certcast::Sensitive());
            };
        }
        if (const auto file = job[client_certificate]) {
            access.http.certificate_pem =
                kubernetes::read_credential(*file, "'client_certificate'").text();
            access.http.key_pem = kubernetes::read_credential(*job[client_key], "'client_key'");
        }
        return access;
    }

    kubernetes::ObjectName secret(const certcast::Job& job) {
        return kubernetes::secret_named(
            std::string(job[name]),
            std::string(job[name_space].value_or(api(job).access().name_space)));
    }

    std::vector<kubernetes::ObjectName> workloads(const certcast::Job& job) {
        std::vector<kubernetes::ObjectName> all;
        for (const std::string_view text : job[restart].value_or(std::vector<std::string_view>())) {
            if (auto workload = kubernetes::workload_named(text, secret(job).name_space)) {
                all.push_back(*std::move(workload));
            }
        }
        return all;
    }

    const json::object& wanted(const certcast::Job& job) {
        if (wanted_) return *wanted_;
        json::object secret = kubernetes::bare_secret(job[name], job[type]);
        const auto add = [&](std::string_view entry, std::string_view form) {
            const certcast::Sensitive bytes = certcast::contents_in_form(form, job);
            if (bytes.empty()) {
                throw certcast::config_error("entries: \"" + std::string(entry) +
                                             "\" would be empty, because the certificate has no "
                                             "intermediates; leave it away");
            }
            kubernetes::table_of(secret, kubernetes::Table::data)[entry] =
                json_parts::to_base64(bytes.text()).text();
        };
        add("tls.crt", "fullchain");
        add("tls.key", "key");
        for (const certcast::Object& more :
             job[entries].value_or(std::vector<certcast::Object>())) {
            add(more[key], more[certcast::form_parameter]);
        }
        add_texts(secret, kubernetes::Table::labels, job[labels]);
        add_texts(secret, kubernetes::Table::annotations, job[annotations]);
        return wanted_.emplace(std::move(secret));
    }

    template <typename Texts>
    static void add_texts(json::object& secret, kubernetes::Table table,
                          const std::optional<Texts>& texts) {
        if (!texts) return;
        for (const auto& [its_key, text] : *texts) {
            kubernetes::table_of(secret, table)[its_key] = text;
        }
    }

    bool is_as_wanted(const json::object& now, const certcast::Job& job) {
        const certcast::Sensitive password = certcast::pkcs12_password(job);
        return kubernetes::is_met(wanted(job), now,
                                  [&](std::string_view left, std::string_view right) {
                                      return kubernetes::is_same_entry(left, right, password);
                                  });
    }

    void refuse_managed_by_others(const json::object& now, const certcast::Job& job) {
        const auto owner = text_in(part_of(part_of(now, "metadata"), "annotations"),
                                   "cert-manager.io/certificate-name");
        if (!owner || job[takeover]) return;
        throw certcast::conflict_error(
            secret(job).text() + " belongs to cert-manager's certificate '" + std::string(*owner) +
            "', which would write it again; "
            "takeover = true writes it all the same")
            .permanent();
    }

    void tell(const std::optional<json::object>& now, bool as_wanted, const certcast::Job& job) {
        if (!now) return job.live(std::nullopt, false);
        const auto leaf = certcast::first_certificate(kubernetes::certificate_in(*now).text());
        if (!leaf) return job.live_unknown(0, as_wanted);
        job.live(leaf, as_wanted);
    }

    static constexpr std::string_view secret_step = "apply";
    static constexpr std::string_view restart_step = "restart";

    std::unique_ptr<kubernetes::Api> api_;
    std::optional<json::object> wanted_;
    bool has_looked_ = false;
    std::optional<json::object> seen_;  ///< what was there then
    std::string written_;               ///< the version of what was written
};

}  // namespace

CERTCAST_DEPLOYER(Kubernetes);
