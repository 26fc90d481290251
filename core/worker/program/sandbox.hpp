#pragma once

#include "core/base/error.hpp"
#include "core/base/fd.hpp"
#include "core/worker/grants.hpp"
#include "core/worker/program/connection.hpp"
#include "core/worker/program/landlock.hpp"
#include "core/worker/program/syscall_filter.hpp"

#include <string>
#include <utility>
#include <vector>

namespace certcast::program {

/// What a process has been confined to.
struct Confined {
    Fd listener;                 ///< of the system calls that are asked about
    std::uint32_t landlock = 0;  ///< version in force; 0: none
    ConfinedWords words;
};

/// What every plugin with certain rights may reach beside its own paths. Found once for all workers
/// of a fork server, since finding it costs more than allowing it.
class CommonPlaces {
public:
    using Paths = std::vector<std::pair<std::string, Reach>>;

    explicit CommonPlaces(const Paths& paths);
    static Paths paths_for(const Rights& rights);
    void allow_in(Landlock& rules) const;
    /// For rules that only narrow others which are in force: fewer places, which hold all of these
    /// and nothing that the confinement grants to some attempts only.
    static Paths widened(const Confinement& confinement);

private:
    bool holds(const Place& place, Reach reach) const;

    std::vector<std::pair<Place, Reach>> places_;
};

/// Waits for the frame that says how to confine this process.
Confinement receive_confinement(Connection& host);
/// Tells the host what has been done, and gives it the listener.
void send_confined(Connection& host, Confined confined);

/// Confines this process, and all that it starts, to what it is granted. Comes before any foreign
/// code. What this machine cannot enforce is a gap; only a half-made sandbox is an error.
Result<Confined> confine(const Confinement& confinement, Denied denied);

/// Narrows a worker of a confined fork server to the paths of its own deployment.
Result<void> narrow(std::uint32_t landlock, const Rights& rights, const CommonPlaces& common,
                    const std::set<PathGrant>& paths, const std::string& work_folder);

}  // namespace certcast::program
