#pragma once

#include "core/scheduler/attempt_calls.hpp"

#include <memory>
#include <vector>

namespace certcast {

/// One attempt of one deployment: which stage comes when, what counts as proof, and what is undone.
class Attempt {
public:
    /// Everything referred to outlives it. Run it once.
    Attempt(AttemptServices& services, const Deployment& deployment, std::uint32_t attempt,
            Slot& slot);

    boost::asio::awaitable<AttemptResult> run();
    /// Instead, for one that was held.
    boost::asio::awaitable<AttemptResult> conclude(bool keep);

private:
    boost::asio::awaitable<Outcome> go_forward();
    boost::asio::awaitable<Outcome> recall();
    boost::asio::awaitable<void> settle_earlier(Outcome& outcome);
    /// Once it may, it may in the attempts to come, too.
    bool may_change();
    boost::asio::awaitable<Outcome> inspect_and_deploy();
    boost::asio::awaitable<Outcome> deploy(std::uint64_t flags);
    boost::asio::awaitable<Outcome> prove();
    boost::asio::awaitable<void> undo_earlier();
    boost::asio::awaitable<void> wind_up();
    /// False: its process is gone.
    boost::asio::awaitable<bool> settle();
    boost::asio::awaitable<void> roll_back();
    boost::asio::awaitable<void> put_back();
    bool is_to_be_held() const {
        return proven_ && has_steps() && deployment_.waves && deployment_.waves->puts_back;
    }
    boost::asio::awaitable<Outcome> check_former();

    boost::asio::awaitable<Outcome> start_session(Stage stage);
    boost::asio::awaitable<void> end_session();
    boost::asio::awaitable<Outcome> run_stage(Stage stage, std::uint64_t flags = 0);
    boost::asio::awaitable<Outcome> probe(Stage stage, std::vector<ProbeCheck> checks,
                                          std::uint64_t flags = 0);

    bool has(Stage stage) const { return deployment_.descriptor->has(stage); }
    bool has_steps() const { return !services_.memory.steps(key_).empty(); }
    bool can_be_undone() const { return has_steps() && has(Stage::rollback); }
    /// Not what is proven, of which only the cleaning up is left.
    bool is_to_be_undone() const { return has_steps() && !services_.memory.is_proven(key_); }
    Duration timeout_of(Stage stage) const { return request_for(deployment_, stage).timeout; }
    bool as_wanted() const;
    std::string why_it_changes() const;
    /// By a guard, as far as it is known what is there now.
    boost::asio::awaitable<Outcome> refuse_worse();
    bool guards_want_to_know_more() const;
    bool is_of_probed_name(const Live& probed) const;
    Outcome judged_by_guards() const;
    bool plugin_has_seen_all() const;
    bool probe_agrees() const;
    Outcome failed_by_findings(Stage stage);
    void take_warnings();
    void note_what_is_served();
    void warn(std::string message) { result_.warnings.push_back(std::move(message)); }

    AttemptServices& services_;
    const Deployment& deployment_;
    const std::string key_;  ///< in the memory
    std::uint32_t attempt_;
    Slot& slot_;
    AttemptCalls calls_;
    std::unique_ptr<Session> session_;
    AttemptResult result_;
    std::vector<Live> former_;  ///< of what was undone
    std::vector<Live> probed_;  ///< what the latest probe saw
    bool unchanged_ = false;
    bool seen_as_wanted_ = false;  ///< by the plugin's inspect; the probe may have seen otherwise
    bool unknown_ = false;         ///< an earlier one was begun, and what became of it nobody knows
    bool touched_ = false;         ///< deploy was begun: what was seen before says nothing any more
    bool proven_ = false;          ///< from here on nothing is undone
    bool late_ = false;
};

}  // namespace certcast
