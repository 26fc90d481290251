#pragma once

#include "plugins/ssh/connection.hpp"

#include <certcast/files.hpp>

#include <string>
#include <utility>

namespace ssh {

/// A way to a host through another, as a descriptor. It goes on while somebody waits with it.
class Tunnel : public Relay {
public:
    Tunnel(const Login& jump, const Login& target, Deadline patience, const certcast::Job& job);

    int near_end() const { return near_.get(); }
    void add_to(std::vector<pollfd>& fds) const override;
    void pass_on() override;

private:
    using Ends = std::pair<certcast::detail::OpenFile, certcast::detail::OpenFile>;
    Tunnel(const Login& jump, const Login& target, Ends ends, Deadline patience,
           const certcast::Job& job);

    bool send_out();
    bool bring_in();

    Connection jump_;
    Channel channel_;
    certcast::detail::OpenFile near_;
    certcast::detail::OpenFile far_;  ///< what is written to the near end is read here
    std::string outgoing_;            ///< read, and not sent yet
    bool is_shut_ = false;            ///< nobody writes at the near end any more
    bool is_told_ = false;            ///< that nothing more comes in
};

}  // namespace ssh
