#include "plugins/kubernetes/api.hpp"
#include "plugins/kubernetes/contents.hpp"
#include "plugins/kubernetes/exec_credential.hpp"
#include "plugins/kubernetes/kubeconfig.hpp"
#include "plugins/kubernetes/parts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/deployer.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace json = boost::json;
using kubernetes::part_of;
using kubernetes::parts_of;
using kubernetes::text_in;

/// Keeps a certificate in a TLS secret of Kubernetes.
class Kubernetes {
public:
    static constexpr certcast::About about{.id = "kubernetes",
                                           .version = "1.0.0",
                                           .name = "Keep certificates in Kubernetes secrets",
                                           .vendor = "certcast",
                                           .needs = certcast::KEY | certcast::NETWORK,
                                           .max_certificates = 1};

    static constexpr auto kubeconfig =
        certcast::paths("kubeconfig")
            .reads()
            .identity()
            .doc("Where the API server is and who asks it, as kubectl has it; several are merged");
    static constexpr auto context =
        certcast::text("context").identity().doc("The context of it; default: the current one");
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
            .doc("certcast runs in a pod, and its service account asks");
    static constexpr auto server = certcast::url("server").identity().doc(
        "The API server, where neither says it: https://HOST[:PORT]");
    static constexpr auto ca_file = certcast::path("ca_file").reads().must_exist().doc(
        "Who has issued its certificate; default: whom the system trusts");
    static constexpr auto server_name =
        certcast::text("server_name")
            .doc("Whom its certificate is for; default: the host in its URL");
    static constexpr auto proxy =
        certcast::secret("proxy").doc("http://[USER:PASSWORD@]HOST:PORT, which leads to it");
    static constexpr auto token = certcast::secret("token").doc("A bearer token");
    static constexpr auto client_certificate =
        certcast::path("client_certificate").reads().must_exist().doc("Who asks, as PEM");
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
    static constexpr auto labels = certcast::text_map("labels").doc("What it is labelled with");
    static constexpr auto annotations =
        certcast::text_map("annotations").doc("What it is annotated with");
    static constexpr auto takeover =
        certcast::boolean("takeover")
            .default_to("false")
            .doc("Also what others manage: fields of theirs, and secrets of cert-manager");
    static constexpr auto parameters =
        certcast::parameters(kubeconfig, context, credential_files, exec, in_cluster, server,
                             ca_file, server_name, proxy, token, client_certificate, client_key,
                             name, name_space, labels, annotations, takeover);
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
    }

    void inspect(certcast::Job& job) {
        const std::optional<json::object> now = api(job).get(secret(job), job);
        const bool as_wanted = now && is_as_wanted(*now, job);
        if (!as_wanted) {
            if (now) refuse_managed_by_others(*now, job);
            // Where it is not there yet, applying creates it, and undoing that deletes it.
            if (now) {
                api(job).expect_may({"patch"}, secret(job), job);
            } else {
                api(job).expect_may({"create", "patch", "delete"}, secret(job), job);
            }
            // What would be refused is found out before anything is done.
            if (job.dry_run()) api(job).apply(secret(job), wanted(job), job[takeover], job);
        }
        tell(now, as_wanted, job);
    }

    void deploy(certcast::Job& job) {
        const std::optional<json::object> before = api(job).get(secret(job), job);
        if (before) refuse_managed_by_others(*before, job);
        job.step("apply", undo_of(before, job));
        const json::object after = api(job).apply(secret(job), wanted(job), job[takeover], job);
        job.changed(0, !before || version_of(*before) != version_of(after));
    }

    void verify(certcast::Job& job) {
        if (job.recovering()) return;  // it was put back from the step
        const std::optional<json::object> now = api(job).get(secret(job), job);
        if (!now || !is_as_wanted(*now, job)) {
            throw certcast::conflict_error(
                "the secret " + secret(job).text() +
                " is not as it was written: somebody else writes it, too");
        }
        tell(now, true, job);
    }

    void rollback(certcast::Job& job) {
        std::vector<certcast::RecordedStep> steps = job.steps();
        std::reverse(steps.begin(), steps.end());
        for (const certcast::RecordedStep& step : steps) {
            if (step.undone) continue;
            undo(json::parse(step.undo).as_object(), job);
            job.step_undone(step);
        }
    }

private:
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

    kubernetes::SecretName secret(const certcast::Job& job) {
        return {std::string(job[name_space].value_or(api(job).access().name_space)),
                std::string(job[name])};
    }

    static kubernetes::Contents wanted_contents(const certcast::Job& job) {
        kubernetes::Contents contents;
        contents["tls.crt"] = certcast::Sensitive(job.fullchain_pem());
        contents["tls.key"] = job.key_pem();
        return contents;
    }

    static json::object secret_of(json::object data, json::object metadata,
                                  const certcast::Job& job) {
        metadata["name"] = std::string(job[name]);
        return {{"apiVersion", "v1"},
                {"kind", "Secret"},
                {"metadata", std::move(metadata)},
                {"type", tls_type},
                {"data", std::move(data)}};
    }

    static json::object wanted(const certcast::Job& job) {
        return secret_of(kubernetes::as_data(wanted_contents(job)), wanted_texts(job), job);
    }

    /// Of its metadata.
    static json::object wanted_texts(const certcast::Job& job) {
        json::object texts;
        if (const auto given = job[labels]) texts["labels"] = object_of(*given);
        if (const auto given = job[annotations]) texts["annotations"] = object_of(*given);
        return texts;
    }

    template <typename Texts>
    static json::object object_of(const Texts& texts) {
        json::object object;
        for (const auto& [key, value] : texts) object[key] = value;
        return object;
    }

    static std::string version_of(const json::object& secret) {
        return std::string(text_in(part_of(secret, "metadata"), "resourceVersion").value_or(""));
    }

    static bool is_as_wanted(const json::object& now, const certcast::Job& job) {
        if (text_in(now, "type") != tls_type || !holds_wanted(now, job)) return false;
        const json::object wanted = wanted_texts(job);
        return std::all_of(wanted.begin(), wanted.end(), [&](const auto& part) {
            const json::object& found = part_of(part_of(now, "metadata"), part.key());
            const json::object& texts = part.value().as_object();
            return std::all_of(texts.begin(), texts.end(), [&](const auto& text) {
                return text_in(found, text.key()) == std::string_view(text.value().as_string());
            });
        });
    }

    static bool holds_wanted(const json::object& now, const certcast::Job& job) {
        const kubernetes::Contents found = kubernetes::contents_of(now);
        const kubernetes::Contents wanted = wanted_contents(job);
        return std::all_of(wanted.begin(), wanted.end(), [&](const auto& entry) {
            const auto it = found.find(entry.first);
            return it != found.end() &&
                   kubernetes::is_same_pem(it->second.text(), entry.second.text());
        });
    }

    void refuse_managed_by_others(const json::object& now, const certcast::Job& job) {
        const auto owner = text_in(part_of(part_of(now, "metadata"), "annotations"),
                                   "cert-manager.io/certificate-name");
        if (!owner || job[takeover]) return;
        throw certcast::conflict_error("the secret " + secret(job).text() +
                                       " belongs to cert-manager's certificate '" +
                                       std::string(*owner) +
                                       "', which would write it again; "
                                       "takeover = true writes it all the same")
            .permanent();
    }

    void tell(const std::optional<json::object>& now, bool as_wanted, const certcast::Job& job) {
        if (!now) return job.live(std::nullopt, false);
        const kubernetes::Contents contents = kubernetes::contents_of(*now);
        const auto found = contents.find("tls.crt");
        std::optional<std::string> leaf;
        if (found != contents.end()) leaf = certcast::first_certificate(found->second.text());
        if (!leaf) return job.live_unknown(0, as_wanted);
        job.live(leaf, as_wanted);
    }

    /// Where what is about to be written is, which certificate that is, and what was there before
    /// of the same fields.
    std::string undo_of(const std::optional<json::object>& before, const certcast::Job& job) {
        json::object undo{{"server", api(job).access().server},
                          {"namespace", secret(job).name_space},
                          {"written", job.fullchain_pem()}};
        if (before) {
            undo["before"] = {{"version", version_of(*before)},
                              {"type", text_in(*before, "type").value_or(tls_type)},
                              {"data", kubernetes::as_data(own_entries(*before))},
                              {"metadata", former_texts(*before, job)}};
        }
        return json::serialize(undo);
    }

    /// The entries that are written here.
    static kubernetes::Contents own_entries(const json::object& secret) {
        kubernetes::Contents own;
        for (const auto& [entry, bytes] : kubernetes::contents_of(secret)) {
            if (entry == "tls.crt" || entry == "tls.key") own[entry] = bytes;
        }
        return own;
    }

    /// The labels and annotations that applying changes: those that are wanted, and those that we
    /// have applied before, which go where they are not wanted any more.
    static json::object former_texts(const json::object& before, const certcast::Job& job) {
        const json::object& metadata = part_of(before, "metadata");
        json::object former;
        const auto keep = [&](std::string_view part, std::string_view key) {
            json::value& kept = former[part];
            if (!kept.is_object()) kept.emplace_object();
            const auto was = text_in(part_of(metadata, part), key);
            if (was) kept.get_object()[key] = *was;
        };
        for (const auto& part : wanted_texts(job)) {
            for (const auto& text : part.value().as_object()) keep(part.key(), text.key());
        }
        for (const json::object* const manager : parts_of(metadata, "managedFields")) {
            if (text_in(*manager, "manager") != own_manager) continue;
            if (text_in(*manager, "operation") != "Apply") continue;
            const json::object& own = part_of(part_of(*manager, "fieldsV1"), "f:metadata");
            for (const char* part : {"labels", "annotations"}) {
                for (const auto& key : part_of(own, "f:" + std::string(part))) {
                    if (key.key().starts_with("f:")) keep(part, key.key().substr(2));
                }
            }
        }
        return former;
    }

    void undo(const json::object& step, const certcast::Job& job) {
        const kubernetes::SecretName place = secret(job);
        if (text_in(step, "server") != api(job).access().server ||
            text_in(step, "namespace") != place.name_space) {
            throw certcast::config_error(
                "what is to be undone is a secret of the namespace " +
                std::string(text_in(step, "namespace").value_or("")) + " at " +
                std::string(text_in(step, "server").value_or("")) + ", and the pipeline leads to " +
                place.name_space + " at " + api(job).access().server);
        }
        const std::optional<json::object> now = api(job).get(place, job);
        const bool was_there = step.contains("before");
        const json::object& before = part_of(step, "before");
        const bool is_refused = was_there && now && text_in(before, "version") == version_of(*now);
        if (!now || is_refused || !holds_written(*now, step)) return;  // nothing of ours is there
        if (!was_there) return remove(place, *now, job);
        json::object body = secret_of(part_of(before, "data"), part_of(before, "metadata"), job);
        body["type"] = text_in(before, "type").value_or(tls_type);
        api(job).apply(place, body, true, job);
    }

    static bool holds_written(const json::object& now, const json::object& step) {
        const kubernetes::Contents found = own_entries(now);
        const auto certificate = found.find("tls.crt");
        return certificate != found.end() &&
               kubernetes::is_same_pem(certificate->second.text(),
                                       text_in(step, "written").value_or(""));
    }

    void remove(const kubernetes::SecretName& place, const json::object& now,
                const certcast::Job& job) {
        for (const json::object* const manager :
             parts_of(part_of(now, "metadata"), "managedFields")) {
            if (text_in(*manager, "manager") == own_manager) continue;
            throw certcast::conflict_error(
                "the secret " + place.text() + " was not there before, and " +
                std::string(text_in(*manager, "manager").value_or("somebody")) +
                " has written to it since: it is left as it is")
                .permanent();
        }
        api(job).remove(place, now, job);
    }

    static constexpr std::string_view own_manager = "certcast";
    static constexpr std::string_view tls_type = "kubernetes.io/tls";

    std::unique_ptr<kubernetes::Api> api_;
};

}  // namespace

CERTCAST_DEPLOYER(Kubernetes);
