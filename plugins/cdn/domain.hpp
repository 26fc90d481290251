#pragma once

#include "plugins/cdn/api.hpp"
#include "plugins/cdn/contents.hpp"
#include "plugins/cdn/state.hpp"

#include <boost/json/object.hpp>
#include <certcast/errors.hpp>
#include <certcast/job.hpp>

#include <optional>
#include <string>
#include <string_view>

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
    /// Which host a certificate has to be for; empty: that is not known.
    virtual std::string host() const { return {}; }
    /// The id of a certificate that is there with these contents.
    virtual std::optional<std::string> find(const Contents& contents, const certcast::Job& job) = 0;
    // These three ask once: whether it was done, when the answer is lost, is seen by looking.
    virtual Uploaded upload(const Contents& contents, const certcast::Job& job) = 0;
    /// `before`: what it is bound to now, with settings that are to stay.
    virtual void bind(const Uploaded& certificate, const Binding& before,
                      const certcast::Job& job) = 0;
    /// Binds it to the certificate that `former` says, or switches HTTPS off where there was none.
    /// What else is set by `now` stays.
    virtual void restore(const boost::json::object& former, const Binding& now,
                         const certcast::Job& job) = 0;
    /// False: something still uses it. One that is not there counts as removed.
    virtual bool remove(const Uploaded& certificate, const certcast::Job& job) = 0;
    virtual Api& api() = 0;
    /// False: what is uploaded is served.
    virtual bool binds() const { return true; }

    /// Whether contents are replaced at all.
    virtual bool replaces() const { return false; }
    /// Whether those of the certificate that it is bound to may become these.
    virtual bool may_replace(const Binding&, const Contents&, const certcast::Job&) {
        return false;
    }
    /// Whether contents are replaced that certcast has not put there, and cannot bring back.
    virtual bool takes_over() const { return false; }
    /// Whether it may be bound to another certificate where contents are refused.
    virtual bool binds_as_well() const { return false; }
    /// Gives the id that it has afterwards.
    virtual std::string replace(const std::string& id, const Contents&, const certcast::Job&) {
        return id;
    }
};

/// Before such a change.
inline void warn_of_loss(const Domain& domain, const certcast::Job& job) {
    job.warning(domain.text() +
                " has a certificate that is not among the uploaded ones: it cannot be bound again, "
                "should this one fail");
}
/// Says of a domain that its former certificate cannot be bound again: certcast has not put it
/// there, and the vendor does not have it under an id.
[[noreturn]] inline void throw_lost(const Domain& domain) {
    throw certcast::config_error(domain.text() +
                                 ": the former certificate cannot be bound again, because it was "
                                 "never among the uploaded ones; bind it by hand")
        .permanent();
}

}  // namespace cdn
