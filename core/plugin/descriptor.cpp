#include "core/plugin/descriptor.hpp"

#include <certcast/plugin.h>

namespace certcast {

std::string_view name_of(Stage stage) {
    switch (stage) {
        case Stage::validate:
            return "validate";
        case Stage::discover:
            return "discover";
        case Stage::inspect:
            return "inspect";
        case Stage::deploy:
            return "deploy";
        case Stage::verify:
            return "verify";
        case Stage::settle:
            return "settle";
        case Stage::rollback:
            return "rollback";
        case Stage::close:
            return "close";
    }
    return "unknown stage";
}

std::string needs_in_words(const Descriptor& descriptor) {
    struct Need {
        std::uint64_t flag;
        std::string_view words;
    };
    constexpr Need all[] = {{CERTCAST_NEEDS_NETWORK, "network"},
                            {CERTCAST_NEEDS_UNIX_SOCKETS, "sockets of local services"},
                            {CERTCAST_NEEDS_KEY, "private key"},
                            {CERTCAST_NEEDS_EXEC, "programs"},
                            {CERTCAST_NEEDS_SIGNALS, "signals"},
                            {CERTCAST_NEEDS_NO_FORK, "a fresh process each time"}};
    std::string words;
    for (const Need& need : all) {
        if (!descriptor.needs_flag(need.flag)) continue;
        words.append(words.empty() ? "" : ", ").append(need.words);
    }
    return words.empty() ? "nothing" : words;
}

}  // namespace certcast
