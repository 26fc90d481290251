#include "plugins/kubernetes/undo.hpp"

#include "plugins/kubernetes/contents.hpp"
#include "plugins/kubernetes/parts.hpp"
#include "plugins/kubernetes/secret_object.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>

namespace kubernetes {

namespace json = boost::json;

namespace {

void undo_once(const json::object& record, const ObjectName& secret, Api& api,
               const certcast::Job& job) {
    const std::optional<json::object> now = api.get(secret, job);
    if (!now || text_in(record, "version") == version_of(*now)) return;  // nothing was written
    const std::string_view written = text_in(record, "written").value_or("");
    if (!is_same_pem(certificate_in(*now).text(), written)) return;  // somebody else has, since
    if (record.contains("before")) {
        api.write(secret, at_version(part_of(record, "before"), version_of(*now)), true, job);
        return;
    }
    if (const auto other = other_manager(*now)) {
        throw certcast::conflict_error(secret.text() + " was not there before, and " + *other +
                                       " has written to it since: it is left as it is")
            .permanent();
    }
    api.remove(secret, *now, job);
}

}  // namespace

std::string undo_record(const std::optional<json::object>& before, const json::object& wanted,
                        const ObjectName& secret, const Api& api) {
    json::object record{{"server", api.access().server},
                        {"namespace", secret.name_space},
                        {"written", certificate_in(wanted).text()}};
    if (before) {
        record["version"] = version_of(*before);
        record["before"] = former_secret(*before, wanted);
    }
    return json::serialize(record);
}

void undo(std::string_view record_text, const ObjectName& secret, Api& api,
          const certcast::Job& job) {
    const json::value parsed = json::parse(record_text);
    const json::object& record = parsed.as_object();
    const std::string server(text_in(record, "server").value_or(""));
    const std::string name_space(text_in(record, "namespace").value_or(""));
    if (server != api.access().server || name_space != secret.name_space) {
        throw certcast::config_error("what is to be undone is a secret of the namespace " +
                                     name_space + " at " + server + ", and the pipeline leads to " +
                                     secret.name_space + " at " + api.access().server);
    }
    for (int tries_left = 5;; --tries_left) {
        try {
            return undo_once(record, secret, api, job);
        } catch (const certcast::conflict_error& error) {
            // Somebody has written in between.
            if (error.retry() == CERTCAST_RETRY_NEVER || tries_left == 1) throw;
        }
    }
}

}  // namespace kubernetes
