#include "plugins/ssh/tunnel.hpp"

#include <sys/socket.h>

#include <array>

namespace ssh {

Tunnel::Tunnel(const Login& jump, const Login& target, Deadline patience, const certcast::Job& job)
    : Tunnel(jump, target, socket_pair(), patience, job) {}

Tunnel::Tunnel(const Login& jump, const Login& target, Ends ends, Deadline patience,
               const certcast::Job& job)
    : jump_(jump, patience, job),
      channel_(jump_.forward(target.address, target.port, job)),
      near_(std::move(ends.first)),
      far_(std::move(ends.second)) {}

void Tunnel::add_to(std::vector<pollfd>& fds) const {
    if (jump_.tunnel_) jump_.tunnel_->add_to(fds);
    fds.push_back(jump_.interest());
    const bool reads = outgoing_.empty() && !is_shut_;
    const bool writes = !channel_.received_->text.empty();
    fds.push_back(
        {far_.get(), static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), 0});
}

void Tunnel::pass_on() {
    if (jump_.tunnel_) jump_.tunnel_->pass_on();
    channel_.read();
    while (send_out() || bring_in()) continue;
    if (!jump_.is_open()) jump_.throw_broken("while it led on");
}

/// False: nothing moved.
bool Tunnel::send_out() {
    if (outgoing_.empty() && !is_shut_) {
        std::array<char, 32 * 1024> buffer{};
        const ssize_t got = ::recv(far_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        is_shut_ = got == 0;
        if (got > 0) outgoing_.assign(buffer.data(), static_cast<std::size_t>(got));
    }
    const std::size_t sent = channel_.write_some(outgoing_);
    outgoing_.erase(0, sent);
    return sent > 0;
}

bool Tunnel::bring_in() {
    Channel::Received& in = *channel_.received_;
    const std::string_view text = in.text.text();
    const ssize_t given =
        text.empty() ? 0
                     : ::send(far_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (given > 0) {
        in.text = certcast::Sensitive(text.substr(static_cast<std::size_t>(given)));
        return true;
    }
    if (text.empty() && in.is_complete && !is_told_) {
        is_told_ = true;
        ::shutdown(far_.get(), SHUT_WR);
    }
    return false;
}

}  // namespace ssh
