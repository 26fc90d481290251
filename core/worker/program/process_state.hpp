#pragma once

namespace certcast::program {

/// Remembers the environment that the program was started with. Call it first.
void remember_process_state();

/// Puts signal handlers, signal mask, umask, folder and environment back to what a program starts
/// with, whatever foreign code did to them.
void restore_process_state();

}  // namespace certcast::program
