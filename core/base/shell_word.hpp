#pragma once

#include <string>
#include <string_view>

namespace certcast {

/// The text in single quotes, as one word for a shell.
std::string in_single_quotes(std::string_view word);
/// The text as one word for a shell, quoted where it has to be.
std::string shell_word(std::string_view word);

}  // namespace certcast
