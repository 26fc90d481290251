#pragma once

#include "plugins/cdn/api.hpp"
#include "plugins/cdn/contents.hpp"
#include "plugins/cdn/state.hpp"

#include <boost/json/object.hpp>
#include <certcast/job.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace cdn {

/// Which certificate a domain serves, as its vendor says.
struct Binding {
    std::string id;                  ///< of the certificate at the vendor; empty: there is none
    std::optional<std::string> pem;  ///< where the vendor shows it
    std::string under_way;           ///< what the vendor is still at; empty: all is live
    std::string failure;             ///< what went wrong with it, in the vendor's words
    boost::json::object settings;    ///< what binding that one again takes
};

/// What a domain at one vendor takes. A certificate is uploaded, and a domain is bound to one by
/// its id; some vendors have the contents of a certificate replaced, too.
class Domain {
public:
    virtual ~Domain() = default;

    /// For messages, as in "the domain shop.example at Example Cloud".
    virtual std::string text() const = 0;
    virtual Binding binding(const certcast::Job& job) = 0;
    /// The id of a certificate that is there with these contents.
    virtual std::optional<std::string> find(const Contents& contents, const certcast::Job& job) = 0;
    // These three ask once: whether it was done, when the answer is lost, is seen by looking.
    virtual Uploaded upload(const Contents& contents, const certcast::Job& job) = 0;
    /// `before`: what it is bound to now, with settings that are to stay.
    virtual void bind(const Uploaded& certificate, const Binding& before,
                      const certcast::Job& job) = 0;
    /// Binds it to what `former` says, or switches HTTPS off where there was none.
    virtual void restore(const boost::json::object& former, const certcast::Job& job) = 0;
    /// False: something still uses it. One that is not there counts as removed.
    virtual bool remove(const Uploaded& certificate, const certcast::Job& job) = 0;
    virtual Api& api() = 0;

    /// Whether contents are replaced at all.
    virtual bool replaces() const { return false; }
    /// Whether those of the certificate that it is bound to may become these.
    virtual bool may_replace(const Binding&, const Contents&, const certcast::Job&) {
        return false;
    }
    /// Whether contents are replaced that certcast has not put there, and cannot bring back.
    virtual bool takes_over() const { return false; }
    /// Gives the id that it has afterwards.
    virtual std::string replace(const std::string& id, const Contents&, const certcast::Job&) {
        return id;
    }
};

/// The stages of a deployment to such a domain. A certificate is uploaded once, whatever is
/// interrupted: it is found again. Contents are replaced only where certcast has put the former
/// ones there, and so can bring them back.
class DomainDeployment {
public:
    /// `domain` outlives it.
    DomainDeployment(Domain& domain, std::chrono::milliseconds poll)
        : domain_(domain), poll_(poll) {}

    void inspect(const certcast::Job& job);
    void deploy(const certcast::Job& job);
    void verify(const certcast::Job& job);
    /// Removes what certcast has uploaded for this domain and nobody uses any more.
    void settle(const certcast::Job& job);
    void rollback(const certcast::Job& job);

private:
    State& state(const certcast::Job& job);
    bool is_as_wanted(const Binding& now, const certcast::Job& job);
    void tell(const Binding& now, const certcast::Job& job);
    Binding live_binding(const certcast::Job& job);
    void expect_bound(const certcast::Job& job);

    template <typename Try, typename IsDone>
    void until_done(const std::string& what, Try once, IsDone is_done, const certcast::Job& job);
    Uploaded uploaded(const certcast::Job& job);
    Uploaded upload(const Contents& contents, const certcast::Job& job);
    void replace(const Kept& former, const certcast::Job& job);
    void bind(const Binding& before, const certcast::Job& job);

    void undo_bind(std::string_view record, const certcast::Job& job);
    void undo_replace(std::string_view record, const certcast::Job& job);
    void undo_upload(std::string_view record, const certcast::Job& job);

    Domain& domain_;
    std::chrono::milliseconds poll_;
    std::optional<State> state_;
};

}  // namespace cdn
