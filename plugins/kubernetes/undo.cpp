#include "plugins/kubernetes/undo.hpp"

#include "plugins/json/parts.hpp"
#include "plugins/kubernetes/contents.hpp"
#include "plugins/kubernetes/despite_others.hpp"
#include "plugins/kubernetes/rollout.hpp"
#include "plugins/kubernetes/secret_object.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>

namespace kubernetes {

namespace json = boost::json;
using json_parts::part_of;
using json_parts::text_in;

namespace {

json::object record_at(const std::string& name_space, const Api& api) {
    return {{"server", api.access().server}, {"namespace", name_space}};
}

json::object record_in(std::string_view text, const std::string& name_space, const Api& api) {
    json::object record = json::parse(text).as_object();
    const std::string server(text_in(record, "server").value_or(""));
    const std::string its_space(text_in(record, "namespace").value_or(""));
    if (server == api.access().server && its_space == name_space) return record;
    throw certcast::config_error("what is to be undone is in the namespace " + its_space + " at " +
                                 server + ", and the pipeline leads to " + name_space + " at " +
                                 api.access().server);
}

void undo_once(const json::object& record, const ObjectName& secret, Api& api,
               const certcast::Job& job) {
    const std::optional<json::object> now = api.get(secret, job);
    if (!now || text_in(record, "version") == version_of(*now)) return;  // nothing was written
    const std::string_view written = text_in(record, "written").value_or("");
    if (!is_same_pem(certificate_in(*now).text(), written)) return;  // somebody else has, since
    const json::object& before = part_of(record, "before");
    if (record.contains("version")) {
        const auto [former, other] = without_others(before, *now);
        if (!other.empty()) {
            job.warning(secret.text() + ": what " + other + " has written since stays");
        }
        api.write(secret, only_over(*now, former), true, job);
        return;
    }
    if (const auto other = other_manager(*now, before)) {
        throw certcast::conflict_error(secret.text() + " was not there before, and " + *other +
                                       " has written to it since: it is left as it is")
            .permanent();
    }
    api.remove(secret, *now, job);
}

}  // namespace

std::string undo_record(const std::optional<json::object>& before, const json::object& wanted,
                        const ObjectName& secret, const Api& api) {
    json::object record = record_at(secret.name_space, api);
    record["written"] = certificate_in(wanted).text();
    if (before) record["version"] = version_of(*before);
    record["before"] = former_secret(before.value_or(json::object()), wanted);
    return json::serialize(record);
}

std::string undo_record(const ObjectName& workload, const Api& api) {
    json::object record = record_at(workload.name_space, api);
    record["workload"] = workload.kind + "/" + workload.name;
    return json::serialize(record);
}

void undo(std::string_view record_text, const ObjectName& secret, Api& api,
          const certcast::Job& job) {
    const json::object record = record_in(record_text, secret.name_space, api);
    despite_others([&] { undo_once(record, secret, api, job); });
}

void undo_restart(std::string_view record_text, const std::string& name_space, Api& api,
                  const certcast::Job& job) {
    const json::object record = record_in(record_text, name_space, api);
    const auto workload = workload_named(text_in(record, "workload").value_or(""), name_space);
    if (workload && !restart(*workload, api, job)) {
        job.warning(workload->text() + " is not there any more, and was not restarted");
    }
}

}  // namespace kubernetes
