#pragma once

#include "core/scheduler/run_observer.hpp"

#include <string_view>

namespace certcast {

/// An observer that shows a run to whoever started it.
class RunDisplay : public RunObserver {
public:
    /// Something that the host itself has to say while the run goes on.
    virtual void note(std::string_view text) = 0;
    /// Call it about ten times a second: the only time at which a live display is drawn.
    virtual void tick() {}
    /// Leaves the screen as a program that ends at once should leave it.
    virtual void close() {}
};

}  // namespace certcast
