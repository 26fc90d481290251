#include "core/plugin/descriptor.hpp"

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

}  // namespace certcast
