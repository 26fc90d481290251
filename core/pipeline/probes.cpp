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
        const auto server_name = reader_.text("server_name");
        protocol();
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
            check.server_name =
                server_name.value_or(is_ip_address(endpoint.host) ? "" : endpoint.host);
            for (const std::size_t certificate : expected) {
                check.certificate = certificate;
                checks.push_back(check);
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

    void protocol() {
        const auto protocol = reader_.text("protocol");
        if (!protocol || *protocol == "tls") return;
        reader_.error(table_.find("protocol")->location, "protocol",
                      not_available_text(in_quotes(*protocol)) + "; expected \"tls\"");
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
