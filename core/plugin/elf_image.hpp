#pragma once

#include "core/base/error.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace certcast {

/// What the file of a shared library tells of itself to whoever is going to load it.
struct ElfImage {
    std::string name;                 ///< DT_SONAME
    std::vector<std::string> needed;  ///< other libraries, by name or path
    /// Where those are looked for, as it is written there: RUNPATH, or RPATH where there is none.
    std::vector<std::string> search;
    bool search_is_inherited = false;  ///< RPATH: also for what is needed by what it needs
    /// Those of its exported functions whose name begins as a plugin's entry does.
    std::vector<std::string> entries;
};

/// Reads a library that is to be loaded into this machine's processes. Nothing in it is trusted.
/// Errors say what was found and what was expected, without the name of the file.
Result<ElfImage> read_elf_image(std::span<const std::byte> file);

}  // namespace certcast
