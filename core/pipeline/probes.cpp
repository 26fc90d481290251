#include "core/pipeline/probes.hpp"

#include "core/base/endpoint.hpp"
#include "core/base/nearest.hpp"
#include "core/pipeline/table_reader.hpp"

#include <algorithm>

namespace certcast {

namespace {

constexpr std::uint32_t most_consecutive = 100;

class ProbeReader {
public:
    ProbeReader(const RawValue& table, const std::string& path,
                const std::vector<std::string>& certificates, Diagnostics& diagnostics)
        : table_(table),
          path_(path),
          certificates_(certificates),
          diagnostics_(diagnostics),
          reader_(table, path, diagnostics) {}

    void read(std::vector<ProbeCheck>& checks) {
        ProbeCheck check;
        check.location = table_.location;
        const std::vector<Endpoint> endpoints = addresses();
        const std::vector<std::string> server_names = names();
        check.protocol = protocol();
        check.ocsp_staple = ocsp_staple();
        const std::vector<std::size_t> expected = expected_certificates();
        if (const auto timeout = reader_.duration("timeout")) {
            if (timeout->count() == 0) {
                reader_.error(table_.find("timeout")->location, "timeout",
                              "expected more than nothing");
            }
            check.timeout = *timeout;
        }
        check.consecutive = reader_.count("consecutive", most_consecutive).value_or(1);
        reader_.finish();
        for (const Endpoint& endpoint : endpoints) {
            check.address = endpoint.text();
            const std::string own = is_ip_address(endpoint.host) ? "" : endpoint.host;
            for (const std::string& name : server_names.empty() ? std::vector{own} : server_names) {
                check.server_name = name;
                for (const std::size_t certificate : expected) {
                    check.certificate = certificate;
                    checks.push_back(check);
                }
            }
        }
    }

private:
    std::vector<Endpoint> addresses() {
        const RawValue* address = reader_.find("address");
        std::vector<Endpoint> endpoints;
        if (address == nullptr) {
            diagnostics_.error(table_.location,
                               path_ +
                                   ".address is missing: expected an endpoint, like "
                                   "\"host:443\"");
        } else if (address->kind == RawValue::Kind::list && !address->entries.empty()) {
            for (const RawEntry& element : address->entries) add(element.value, endpoints);
        } else {
            add(*address, endpoints);
        }
        return endpoints;
    }

    void add(const RawValue& address, std::vector<Endpoint>& endpoints) {
        if (address.kind != RawValue::Kind::text) {
            return reader_.error(address.location, "address",
                                 "expected an endpoint, like \"host:443\", or a list of them, "
                                 "found " +
                                     in_words(address));
        }
        Result<Endpoint> endpoint = parse_endpoint(address.text);
        if (!endpoint) {
            return reader_.error(address.location, "address", endpoint.error().message);
        }
        endpoints.push_back(*std::move(endpoint));
    }

    std::vector<std::string> names() {
        const RawValue* written = table_.find("server_name");
        if (written != nullptr && written->kind == RawValue::Kind::list) {
            return reader_.texts("server_name");
        }
        const auto one = reader_.text("server_name");
        return one ? std::vector{*one} : std::vector<std::string>();
    }

    std::string protocol() {
        static const std::vector<std::string> known{"tls",  "smtp",     "imap", "pop3",
                                                    "ldap", "postgres", "mysql"};
        std::string protocol = reader_.text("protocol").value_or(known.front());
        if (std::count(known.begin(), known.end(), protocol) == 0) {
            std::string all;
            for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
            reader_.error(table_.find("protocol")->location, "protocol",
                          "expected one of " + all + ", found " + in_quotes(protocol) +
                              suggestion(protocol, known));
        }
        return protocol;
    }

    bool ocsp_staple() {
        const RawValue* written = reader_.find("ocsp_staple");
        if (written == nullptr) return false;
        const RawValue typed = as_boolean(*written);
        if (typed.kind != RawValue::Kind::boolean) {
            reader_.error(written->location, "ocsp_staple",
                          "expected true or false, found " + in_words(*written));
        }
        return typed.integer != 0;
    }

    std::vector<std::size_t> expected_certificates() {
        const auto expect = reader_.text("expect");
        std::vector<std::size_t> expected;
        for (std::size_t i = 0; i < certificates_.size(); ++i) {
            if (!expect || certificates_[i] == *expect) expected.push_back(i);
        }
        // Without certificates, their absence was reported already.
        if (expect && expected.empty() && !certificates_.empty()) {
            reader_.error(table_.find("expect")->location, "expect",
                          "the deployment has no certificate " + in_quotes(*expect) +
                              suggestion(*expect, certificates_));
        }
        return expected;
    }

    const RawValue& table_;
    const std::string& path_;
    const std::vector<std::string>& certificates_;
    Diagnostics& diagnostics_;
    TableReader reader_;
};

}  // namespace

std::vector<ProbeCheck> read_probes(const RawValue& probe, const std::string& path,
                                    const std::vector<std::string>& certificates,
                                    Diagnostics& diagnostics) {
    std::vector<ProbeCheck> checks;
    if (probe.kind == RawValue::Kind::boolean && probe.integer == 0) return checks;
    const bool is_array_of_tables =
        probe.kind == RawValue::Kind::list &&
        std::all_of(probe.entries.begin(), probe.entries.end(), [](const RawEntry& entry) {
            return entry.value.kind == RawValue::Kind::table;
        });
    if (!is_array_of_tables) {
        diagnostics.error(probe.location, path + ": expected tables like [[" + path +
                                              "]], or false, found " + in_words(probe));
        return checks;
    }
    for (const RawEntry& entry : probe.entries) {
        ProbeReader(entry.value, path, certificates, diagnostics).read(checks);
    }
    return checks;
}

}  // namespace certcast
