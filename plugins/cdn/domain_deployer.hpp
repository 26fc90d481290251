#pragma once

#include "plugins/cdn/domain.hpp"
#include "plugins/cdn/state.hpp"

#include <certcast/job.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cdn {

/// The stages of the deployers to such domains. A certificate is uploaded once, whatever is
/// interrupted: it is found again. What certcast has put there it can bring back, even where that
/// has been removed since, or replaced.
class DomainDeployer {
public:
    virtual ~DomainDeployer() = default;

    void inspect(certcast::Job& job);
    void deploy(certcast::Job& job);
    void verify(certcast::Job& job);
    /// Removes what certcast has uploaded for this domain and nobody uses any more.
    void settle(certcast::Job& job);
    void rollback(certcast::Job& job);

protected:
    /// As the deployment's parameters have it.
    virtual std::unique_ptr<Domain> domain_of(const certcast::Job& job) = 0;

private:
    void begin(const certcast::Job& job);
    void expect_for_host(const certcast::Job& job) const;
    State& state(const certcast::Job& job);
    std::optional<Kept> kept_for(const Binding& now, const certcast::Job& job);
    bool is_as_wanted(const Binding& now, const certcast::Job& job);
    void tell(const Binding& now, const certcast::Job& job);
    bool has_contents(const Binding& now, const Contents& contents, const certcast::Job& job);
    Binding live_binding(const certcast::Job& job);
    template <typename IsIt>
    void expect_bound(IsIt is_it, const certcast::Job& job);

    template <typename Try, typename IsDone>
    void until_done(const std::string& what, Try once, IsDone is_done, const certcast::Job& job);
    Uploaded uploaded(const certcast::Job& job);
    Uploaded upload(const Contents& contents, const certcast::Job& job);
    void replace(const Kept& former, const certcast::Job& job);
    void has_replaced(const std::string& former_id, const Kept& now, const certcast::Job& job);
    void bind(const Binding& before, const std::optional<Kept>& former, const certcast::Job& job);
    void record_binding(const Uploaded& certificate, const Binding& before,
                        const std::optional<Kept>& former, const certcast::Job& job);
    void bind_to(const Uploaded& certificate, Binding now, const certcast::Job& job);

    Binding binding_to_undo(const certcast::Job& job);
    void undo_bind(std::string_view record, const certcast::Job& job);
    void restore(const boost::json::object& former, Binding now, const certcast::Job& job);
    void bind_again(const Contents& former, const Binding& now, const certcast::Job& job);
    void undo_replace(std::string_view record, const certcast::Job& job);
    void undo_upload(std::string_view record, const certcast::Job& job);

    std::unique_ptr<Domain> domain_;
    std::chrono::milliseconds poll_{};
    std::optional<State> state_;
};

}  // namespace cdn
