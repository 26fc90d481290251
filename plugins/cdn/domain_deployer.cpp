#include "plugins/cdn/domain_deployer.hpp"

#include "plugins/cdn/access.hpp"
#include "plugins/cdn/leaf.hpp"
#include "plugins/json/parts.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <certcast/errors.hpp>
#include <certcast/pem.hpp>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

namespace cdn {

namespace json = boost::json;
using certcast::Sensitive;
using json_parts::part_of;
using json_parts::text_in;

namespace {

constexpr std::string_view upload_step = "upload";
constexpr std::string_view bind_step = "bind";
constexpr std::string_view replace_step = "replace";

/// Of a step that changed what the domain has.
json::object record_of(std::string_view text, const Domain& domain) {
    json::object record = json::parse(text).as_object();
    const std::string its_domain(text_in(record, "domain").value_or(""));
    if (its_domain == domain.text()) return record;
    throw certcast::config_error("what is to be undone is " + its_domain +
                                 ", and the pipeline leads to " + domain.text());
}

}  // namespace

void DomainDeployer::begin(const certcast::Job& job) {
    if (domain_) return;
    domain_ = domain_of(job);
    poll_ = job[poll_parameter];
}

void DomainDeployer::inspect(certcast::Job& job) {
    begin(job);
    expect_for_host(job);
    tell(domain_->binding(job), job);
}

void DomainDeployer::expect_for_host(const certcast::Job& job) const {
    const std::string host = domain_->host();
    const std::vector<std::string> names = leaf_in(job.leaf_pem()).names;
    if (host.empty() || is_for(names, host)) return;
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    throw certcast::config_error(domain_->text() + ": the certificate is for " + all +
                                 ", and not for this one");
}

void DomainDeployer::deploy(certcast::Job& job) {
    begin(job);
    // What somebody has begun is not mixed with what this does.
    const Binding before = live_binding(job);
    if (is_as_wanted(before, job)) return job.changed(0, false);
    const std::optional<Kept> kept = kept_for(before, job);
    const bool may_replace = kept || (domain_->takes_over() && !before.id.empty());
    if (!may_replace || !domain_->may_replace(before, contents_of(job), job)) {
        bind(before, kept, job);
    } else {
        try {
            replace(kept.value_or(Kept{before.id, {}}), job);
        } catch (const certcast::config_error& error) {
            if (!domain_->binds_as_well()) throw;
            job.info("another certificate takes its place: " + std::string(error.what()));
            bind(before, kept, job);
        }
    }
    job.changed();
    expect_bound([&](const Binding& now) { return is_as_wanted(now, job); }, job);
}

void DomainDeployer::verify(certcast::Job& job) {
    begin(job);
    if (job.recovering()) return;  // it was brought back by the step
    const Binding now = live_binding(job);
    if (!is_as_wanted(now, job)) {
        throw certcast::conflict_error(domain_->text() +
                                       " does not have the certificate that it was given: somebody "
                                       "else has changed it, too");
    }
    tell(now, job);
}

void DomainDeployer::settle(certcast::Job& job) {
    begin(job);
    const std::string in_use = domain_->binding(job).id;
    const std::vector<Uploaded> all = state(job).certificates();
    for (const Uploaded& one : all) {
        if (one.id == in_use) continue;
        try {
            if (!one.is_ours || domain_->remove(one, job)) {
                state(job).remove(one.id, job);
            } else {
                job.debug("the certificate " + one.id + " (" + one.name + ") is still in use");
            }
        } catch (const certcast::DeployerError& error) {
            job.throw_if_cancelled();
            job.warning("the certificate " + one.id + " (" + one.name +
                        ") is left: " + error.what());
        }
    }
}

void DomainDeployer::rollback(certcast::Job& job) {
    begin(job);
    domain_->api().has_changed_something();
    std::vector<certcast::RecordedStep> steps = job.steps();
    std::reverse(steps.begin(), steps.end());
    for (const certcast::RecordedStep& step : steps) {
        if (step.undone) continue;
        if (step.label == bind_step) undo_bind(step.undo, job);
        if (step.label == replace_step) undo_replace(step.undo, job);
        if (step.label == upload_step) undo_upload(step.undo, job);
        job.step_undone(step);
    }
}

State& DomainDeployer::state(const certcast::Job& job) {
    if (!state_) state_.emplace(job.state());
    return *state_;
}

/// What the domain has now, where certcast has put it there and nobody else has since.
std::optional<Kept> DomainDeployer::kept_for(const Binding& now, const certcast::Job& job) {
    const std::optional<Kept>& kept = state(job).kept();
    if (!kept || kept->id != now.id || !has_contents(now, kept->contents, job)) return std::nullopt;
    return kept;
}

bool DomainDeployer::is_as_wanted(const Binding& now, const certcast::Job& job) {
    if (now.id.empty() || !now.under_way.empty() || !now.failure.empty()) return false;
    const Contents wanted{job.leaf_pem(), job.chain_pem(), {}};
    const std::optional<Kept>& kept = state(job).kept();
    const bool is_another =
        !now.pem && kept && kept->id == now.id &&
        name_of(kept->contents.fullchain_pem()) != name_of(wanted.fullchain_pem());
    return !is_another && has_contents(now, wanted, job);
}

/// By what the vendor shows, where it shows a certificate. One that completes or shortens chains
/// is believed by what was uploaded under the id.
bool DomainDeployer::has_contents(const Binding& now, const Contents& contents,
                                  const certcast::Job& job) {
    const std::string fullchain = contents.fullchain_pem();
    if (now.pem) {
        if (holds(*now.pem, fullchain)) return true;
        if (domain_->replaces() || !holds_leaf(*now.pem, contents.leaf_pem)) return false;
    }
    // Contents under one id stay the same, but for vendors that have them replaced.
    if (!domain_->replaces() && state(job).has(now.id, name_of(fullchain))) return true;
    return domain_->find(contents, job) == now.id;
}

void DomainDeployer::tell(const Binding& now, const certcast::Job& job) {
    if (now.id.empty()) return job.live(std::nullopt, false);
    const bool as_wanted = is_as_wanted(now, job);
    if (now.pem) {
        if (const auto leaf = certcast::first_certificate(*now.pem)) {
            return job.live(leaf, as_wanted);
        }
    }
    if (as_wanted) return job.live(job.leaf_der(), true);
    job.live_unknown();
}

Binding DomainDeployer::live_binding(const certcast::Job& job) {
    Binding now;
    const auto look = [&] {
        now = domain_->binding(job);
        return now.under_way;
    };
    wait_until_done(domain_->text(), look, poll_, job);
    return now;
}

/// What is read may be older than what was written.
template <typename IsIt>
void DomainDeployer::expect_bound(IsIt is_it, const certcast::Job& job) {
    const auto look = [&]() -> std::string {
        const Binding now = domain_->binding(job);
        if (!now.under_way.empty()) return now.under_way;
        if (!now.failure.empty()) {
            throw certcast::remote_error(domain_->text() + ": " + now.failure);
        }
        return is_it(now) ? "" : "it still has another certificate";
    };
    wait_until_done(domain_->text(), look, poll_, job);
}

/// Whether an answer that is lost, or a refusal that may pass, was one that did it, nobody knows:
/// that is looked at before the next try.
template <typename Try, typename IsDone>
void DomainDeployer::until_done(const std::string& what, Try once, IsDone is_done,
                                const certcast::Job& job) {
    constexpr std::chrono::milliseconds first_wait{1'000};
    constexpr std::chrono::milliseconds longest_wait{30'000};
    for (auto wait = std::min(poll_, first_wait);; wait = std::min(2 * wait, longest_wait)) {
        std::exception_ptr conflict;
        try {
            return once();
        } catch (const certcast::DeployerError& error) {
            const bool is_conflict = error.category() == CERTCAST_CONFLICT_ERROR;
            if (!(is_conflict || error.may_pass()) || job.remaining().count() == 0) throw;
            if (is_conflict) conflict = std::current_exception();
            const std::string now = error.what();
            wait_for(what, now, std::max(wait, error.retry_after()), job);
        }
        if (is_done()) return;
        if (conflict) std::rethrow_exception(conflict);
    }
}

void DomainDeployer::bind(const Binding& before, const std::optional<Kept>& former,
                          const certcast::Job& job) {
    const Uploaded certificate = uploaded(job);
    job.output("certificate_id", certificate.id);
    if (domain_->binds()) {
        // Bound to it already, and not well, it has nothing to go back to.
        if (before.id != certificate.id) record_binding(certificate, before, former, job);
        bind_to(certificate, before, job);
    }
    if (certificate.is_ours) state(job).keep({certificate.id, contents_of(job)}, job);
}

void DomainDeployer::record_binding(const Uploaded& certificate, const Binding& before,
                                    const std::optional<Kept>& former, const certcast::Job& job) {
    json::object record{
        {"domain", domain_->text()}, {"id", certificate.id}, {"former", before.settings}};
    // Proven before this one is, another domain may have it removed.
    if (former) record["former_contents"] = to_json(former->contents);
    job.step(bind_step, Sensitive(json::serialize(record)));
    domain_->api().has_changed_something();
}

void DomainDeployer::bind_to(const Uploaded& certificate, Binding now, const certcast::Job& job) {
    until_done(
        "binding " + domain_->text() + " to the certificate " + certificate.id,
        [&] { domain_->bind(certificate, now, job); },
        [&] {
            now = live_binding(job);
            return now.id == certificate.id && now.failure.empty();
        },
        job);
}

Uploaded DomainDeployer::uploaded(const certcast::Job& job) {
    const Contents contents = contents_of(job);
    const std::string name = name_of(contents.fullchain_pem());
    Uploaded certificate{{}, name};
    if (auto found = domain_->find(contents, job)) {
        certificate.id = *std::move(found);
        if (state(job).has(certificate.id, name)) return certificate;
    } else {
        const json::object record{{"leaf", contents.leaf_pem}, {"chain", contents.chain_pem}};
        job.step(upload_step, json::serialize(record));
        domain_->api().has_changed_something();
        certificate = upload(contents, job);
    }
    state(job).add(certificate, job);
    return certificate;
}

/// A second one would be there for ever.
Uploaded DomainDeployer::upload(const Contents& contents, const certcast::Job& job) {
    Uploaded certificate;
    until_done(
        "uploading the certificate", [&] { certificate = domain_->upload(contents, job); },
        [&] {
            const auto found = domain_->find(contents, job);
            if (found) certificate = {*found, name_of(contents.fullchain_pem())};
            return found.has_value();
        },
        job);
    return certificate;
}

void DomainDeployer::replace(const Kept& former, const certcast::Job& job) {
    if (former.contents.key_pem.empty()) {
        job.warning(domain_->text() +
                    " has a certificate that certcast has not put there: it cannot be brought "
                    "back, should this one fail");
    }
    const Contents contents = contents_of(job);
    const json::object record{{"domain", domain_->text()},
                              {"id", former.id},
                              {"leaf", contents.leaf_pem},
                              {"chain", contents.chain_pem},
                              {"former", to_json(former.contents)}};
    job.step(replace_step, Sensitive(json::serialize(record)));
    domain_->api().has_changed_something();
    const std::string id = domain_->replace(former.id, contents, job);
    job.output("certificate_id", id);
    has_replaced(former.id, {id, contents}, job);
}

void DomainDeployer::has_replaced(const std::string& former_id, const Kept& now,
                                  const certcast::Job& job) {
    state(job).remove(former_id, job);
    state(job).add({now.id, name_of(now.contents.fullchain_pem())}, job);
    state(job).keep(now, job);
}

/// A change that has no end is no reason not to undo it: half of the time is for waiting.
Binding DomainDeployer::binding_to_undo(const certcast::Job& job) {
    const auto until = std::chrono::steady_clock::now() + job.remaining() / 2;
    Binding now;
    const auto look = [&]() -> std::string {
        now = domain_->binding(job);
        return std::chrono::steady_clock::now() < until ? now.under_way : "";
    };
    wait_until_done(domain_->text(), look, poll_, job);
    return now;
}

void DomainDeployer::undo_bind(std::string_view text, const certcast::Job& job) {
    const json::object record = record_of(text, *domain_);
    const std::string id(text_in(record, "id").value_or(""));
    Binding now = binding_to_undo(job);
    if (now.id != id) {
        wait_for(domain_->text(), "what is read may be older than what was written", poll_, job);
        now = binding_to_undo(job);
    }
    if (now.id != id) {
        job.info(domain_->text() + " is left as it is: it does not have what certcast bound");
        return;
    }
    const json::object& contents = part_of(record, "former_contents");
    if (contents.empty()) {
        restore(part_of(record, "former"), now, job);
    } else {
        bind_again(contents_in(contents), now, job);
    }
    expect_bound([&](const Binding& after) { return after.id != id; }, job);
}

void DomainDeployer::restore(const json::object& former, Binding now, const certcast::Job& job) {
    const std::string id = now.id;
    until_done(
        "binding " + domain_->text() + " to its former certificate",
        [&] { domain_->restore(former, now, job); },
        [&] {
            now = binding_to_undo(job);
            return now.id != id;
        },
        job);
}

void DomainDeployer::bind_again(const Contents& former, const Binding& now,
                                const certcast::Job& job) {
    Uploaded certificate{{}, name_of(former.fullchain_pem())};
    if (auto found = domain_->find(former, job)) {
        certificate.id = *std::move(found);
    } else {
        certificate = upload(former, job);
    }
    if (!state(job).has(certificate.id, certificate.name)) state(job).add(certificate, job);
    bind_to(certificate, now, job);
    state(job).keep({certificate.id, former}, job);
}

void DomainDeployer::undo_replace(std::string_view text, const certcast::Job& job) {
    const json::object record = record_of(text, *domain_);
    const std::string former_id(text_in(record, "id").value_or(""));
    const Contents former = contents_in(part_of(record, "former"));
    const Contents newer = contents_in(record);
    const Binding now = binding_to_undo(job);
    std::optional<std::string> id;
    if (!now.pem) {
        id = domain_->find(newer, job);  // perhaps another id, which is not live yet
    } else if (holds(*now.pem, newer.fullchain_pem())) {
        id = now.id;
    }
    if (!id) {
        job.info(domain_->text() + " is left as it is: it does not have what certcast put there");
        return;
    }
    if (former.key_pem.empty()) {
        throw certcast::config_error(domain_->text() +
                                     ": the former certificate cannot be brought back, because "
                                     "certcast has not put it there, and its key is told to nobody")
            .permanent();
    }
    const std::string after = domain_->replace(*id, former, job);
    state(job).remove(former_id, job);
    has_replaced(*id, {after, former}, job);
    expect_bound([&](const Binding& found) { return has_contents(found, former, job); }, job);
}

/// What is left behind serves nobody, so that is no reason to fail.
void DomainDeployer::undo_upload(std::string_view text, const certcast::Job& job) {
    const json::value record = json::parse(text);
    const Contents contents = contents_in(record.as_object());
    const std::string name = name_of(contents.fullchain_pem());
    try {
        const auto id = domain_->find(contents, job);
        if (id && domain_->remove({*id, name}, job)) state(job).remove(*id, job);
    } catch (const certcast::DeployerError& error) {
        job.throw_if_cancelled();
        job.warning("the uploaded certificate " + name + " is left: " + error.what());
    }
}

}  // namespace cdn
