#include "core/pipeline/sandbox_reading.hpp"

namespace certcast {

namespace {

std::optional<Sandbox> read(TableReader& reader, bool may_be_off) {
    const RawValue* written = reader.find("sandbox");
    if (written == nullptr) return std::nullopt;
    if (written->kind == RawValue::Kind::text) {
        if (written->text == "on") return Sandbox::on;
        if (written->text == "required") return Sandbox::required;
        if (written->text == "off" && may_be_off) return Sandbox::off;
    }
    std::string message = "expected \"on\" or \"required\"";
    message += may_be_off ? ", or \"off\"" : "; \"off\" is for one plugin: plugin.ID.sandbox";
    reader.error(written->location, "sandbox", message + "; found " + in_words(*written));
    return std::nullopt;
}

}  // namespace

Sandbox SandboxChoices::of(const std::string& plugin) const {
    const auto own = of_plugin.find(plugin);
    return own == of_plugin.end() ? of_all : own->second;
}

std::optional<Sandbox> read_sandbox_of_all(TableReader& reader) {
    return read(reader, false);
}

std::optional<Sandbox> read_sandbox_of_plugin(TableReader& reader) {
    return read(reader, true);
}

}  // namespace certcast
