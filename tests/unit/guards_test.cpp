#include "core/scheduler/guards.hpp"
#include "tests/unit/edge_bench.hpp"
#include "tests/unit/test_certificates.hpp"

using namespace certcast;
using namespace certcast::testing;
using namespace std::chrono_literals;

namespace {

CertificateBundle bundle_of(const Issued& issued) {
    CertificateParts parts;
    parts.certificates.push_back(X509Ptr(X509_dup(issued.certificate.get())));
    return CertificateBundle::from(std::move(parts), {.without_key = true}).value();
}

Live live_of(const Issued& issued) {
    Live live = seen(false, "");
    live.evidence_kind = CERTCAST_EVIDENCE_DER;
    live.evidence = bytes_of(der(issued.certificate));
    return live;
}

Live expiring(std::chrono::seconds in) {
    Live live = seen(false, old_leaf);
    live.not_after = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + in);
    return live;
}

std::string guard(const CertificateWish& wanted, const Live& live, const Guards& guards = {}) {
    const auto refusal = refused_by_guard(guards, bundle_of(make_certificate(wanted)), live);
    return refusal ? refusal->guard : "";
}

}  // namespace

TEST_CASE("a certificate has to be for every name that the one there is for") {
    const Live live = live_of(make_certificate({.names = {"DNS:a.example", "DNS:b.example"}}));
    CHECK(guard({.names = {"DNS:a.example"}}, live) == "names");
    CHECK(guard({.names = {"DNS:b.example", "DNS:a.example", "DNS:c.example"}}, live).empty());
    CHECK(guard({.names = {"DNS:A.example", "DNS:*.example"}}, live).empty());
    CHECK(guard({.names = {"DNS:a.example"}}, live, {.names = false}).empty());
    const auto refusal =
        refused_by_guard({}, bundle_of(make_certificate({.names = {"DNS:a.example"}})), live);
    REQUIRE(refusal);
    CHECK(refusal->why == "what is there now is for b.example, too");
}

TEST_CASE("a certificate for tests does not take the place of one that is trusted") {
    const Issued staging =
        make_certificate({.subject = "(STAGING) Pretend Pear X1", .is_ca = true});
    const Issued pebble = make_certificate({.subject = "Pebble Intermediate CA", .is_ca = true});
    const Issued trusted = make_certificate({.subject = "R11", .is_ca = true});
    const Live live = live_of(make_certificate({.issuer = &trusted}));
    CHECK(guard({.issuer = &staging}, live) == "staging");
    CHECK(guard({.issuer = &pebble}, live) == "staging");
    CHECK(guard({.issuer = &trusted}, live).empty());
    CHECK(guard({.issuer = &staging}, live, {.staging = false}).empty());
    CHECK(guard({.issuer = &staging}, live_of(make_certificate({.issuer = &pebble}))).empty());
}

TEST_CASE("a certificate does not take the place of a newer one") {
    const Live live = live_of(make_certificate({.begins_in = -1h, .ends_in = 24h}));
    CHECK(guard({.begins_in = -2h}, live) == "older");
    CHECK(guard({.begins_in = -1h, .ends_in = 23h}, live).empty());
    CHECK(guard({.begins_in = -30min, .ends_in = 1h}, live).empty());
    CHECK(guard({.begins_in = -2h}, live, {.older = false}).empty());
    SUBCASE("as far as an expiry tells") {
        const CertificateWish wanted{.begins_in = -24h * 40, .ends_in = 24h * 50};
        CHECK(guard(wanted, expiring(24h * 80)) == "older");
        CHECK(guard(wanted, expiring(24h * 50 - 1min)).empty());
        CHECK(guard({.ends_in = 24h * 47}, expiring(24h * 300)).empty());  // of a year, once
        CHECK(guard({}, seen(false, old_leaf)).empty());
    }
}

TEST_CASE("what is absent or has expired is not protected") {
    const Live expired =
        live_of(make_certificate({.names = {"DNS:b.example"}, .begins_in = -3h, .ends_in = -1h}));
    CHECK(guard({.names = {"DNS:a.example"}, .begins_in = -4h}, expired).empty());
    CHECK(guard({}, expiring(-1h)).empty());
    Live absent = live_of(make_certificate({.names = {"DNS:b.example"}}));
    absent.presence = CERTCAST_ABSENT;
    CHECK(guard({.names = {"DNS:a.example"}}, absent).empty());
}

TEST_CASE("a refused certificate fails its deployment before anything is touched") {
    Edge edge;
    edge.certificates.add("shop", bundle_of(make_certificate({.names = {"DNS:a.example"}})));
    const Live live = live_of(make_certificate({.names = {"DNS:b.example"}}));
    SUBCASE("by what the plugin has seen") {
        edge.sessions.on("nginx inspect", [&](HostCalls& calls) { (void)calls.live(live); });
    }
    SUBCASE("by what the probe has seen, where the plugin knows no more than a fingerprint") {
        edge.add_probe();
        edge.deployment.probes[0].server_name = "b.example";
        edge.sessions.on("probe inspect", [&](HostCalls& calls) { (void)calls.live(live); });
    }
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::failed);
    CHECK(result.outcome.failure.code == "guard:names");
    CHECK(result.outcome.failure.message.find("guards = { names = \"off\" }") != std::string::npos);
    CHECK_FALSE(worth_retrying(result.outcome));
    CHECK(edge.sessions.count("nginx deploy") == 0);

    edge.deployment.guards.names = false;
    CHECK(edge.attempt().outcome.ended != Ended::failed);
    CHECK(edge.sessions.count("nginx deploy") == 1);
}

TEST_CASE("a fingerprint and no probe tell too little to refuse anything") {
    Edge edge;
    edge.certificates.add("shop", bundle_of(make_certificate({})));
    CHECK(edge.attempt().changed);
}
