#pragma once

#include "plugins/ssh/connection.hpp"
#include "plugins/ssh/far_host.hpp"
#include "plugins/ssh/sftp.hpp"

#include <string>
#include <vector>

namespace ssh {

/// Does the task with SFTP alone, for accounts without a shell. Nothing can be run there, nobody
/// else is kept away, and owners are numbers.
class SftpSide : public FarHost {
public:
    SftpSide(const Login& login, FarTask task, const certcast::Job& job);

    bool is_open() const override { return connection_.is_open() && sftp_.is_open(); }
    std::vector<FarFile> look(const certcast::Job& job) override;
    void replace(const certcast::Job& job) override;
    void undo(const certcast::Job& job) override;
    void forget(const certcast::Job& job) override;

private:
    /// A file, and what lies beside it: as far_side.sh has it.
    struct Names {
        std::string real;  ///< where symlinks lead
        std::string fresh;
        std::string old;
        std::string part;  ///< of old, where it is a copy
        std::string none;
    };
    /// Of all files, looked up once.
    const std::vector<Names>& names(const certcast::Job& job);
    Names names_of(const FarTarget& file, const certcast::Job& job);
    FarFile look_at(const FarTarget& file, const certcast::Job& job);
    void stage(const FarTarget& file, const Names& names, const certcast::Job& job);
    void keep(const Names& names, const certcast::Job& job);

    Connection connection_;
    Sftp sftp_;
    std::vector<Names> names_;
};

}  // namespace ssh
