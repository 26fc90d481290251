#include "core/pipeline/wave_reading.hpp"

#include <charconv>

namespace certcast {

namespace {

constexpr std::uint32_t most_deployments = 1'000'000;

std::optional<std::uint32_t> percent_in(const RawValue& value) {
    if (value.kind != RawValue::Kind::text || !value.text.ends_with('%')) return std::nullopt;
    const char* const end = value.text.data() + value.text.size() - 1;
    std::uint32_t percent = 0;
    const auto [rest, failure] = std::from_chars(value.text.data(), end, percent);
    if (failure != std::errc() || rest != end || percent > 100) return std::nullopt;
    return percent;
}

void read_sizes(TableReader& reader, const RawValue& written, Waves& waves) {
    if (written.kind != RawValue::Kind::list || written.entries.empty()) {
        return reader.error(written.location, "waves",
                            "expected how many have been started with each wave, like "
                            "[1, \"10%\", \"100%\"], found " +
                                in_words(written));
    }
    for (const RawEntry& element : written.entries) {
        const auto size = read_share(reader, "waves", element.value, 1);
        if (!size) continue;
        const bool is_less = !waves.sizes.empty() &&
                             waves.sizes.back().is_percent == size->is_percent &&
                             waves.sizes.back().number >= size->number;
        if (is_less) {
            reader.error(element.value.location, "waves",
                         "expected more than in the wave before, " + waves.sizes.back().text() +
                             ": each tells how many have been started with it in all");
        }
        waves.sizes.push_back(*size);
    }
}

void read_on_abort(TableReader& reader, const Descriptor* descriptor, Waves& waves) {
    const RawValue* written = reader.find("on_abort");
    if (written == nullptr) return;
    waves.puts_back = written->kind == RawValue::Kind::text && written->text == "rollback";
    const bool is_known =
        waves.puts_back || (written->kind == RawValue::Kind::text && written->text == "stop");
    if (!is_known) {
        reader.error(written->location, "on_abort",
                     "expected \"stop\" or \"rollback\", found " + in_words(*written));
    } else if (waves.puts_back && descriptor != nullptr && !descriptor->has(Stage::rollback)) {
        reader.error(written->location, "on_abort",
                     "the plugin " + descriptor->id + " cannot roll back, expected \"stop\"");
    }
}

}  // namespace

std::optional<Share> read_share(TableReader& reader, std::string_view key, const RawValue& value,
                                std::uint32_t least) {
    if (const auto percent = percent_in(value); percent && *percent >= least) {
        return Share{*percent, true};
    }
    const RawValue typed = as_integer(value);
    if (typed.kind == RawValue::Kind::integer && typed.integer >= least &&
        typed.integer <= most_deployments) {
        return Share{static_cast<std::uint32_t>(typed.integer), false};
    }
    reader.error(value.location, key,
                 "expected a number from " + std::to_string(least) +
                     " on, or a share like \"10%\", found " + in_words(value));
    return std::nullopt;
}

std::optional<Waves> read_waves(TableReader& reader, bool has_targets,
                                const Descriptor* descriptor) {
    Waves waves;
    const RawValue* sizes = reader.find("waves");
    const RawValue* first = sizes;
    if (sizes != nullptr) read_sizes(reader, *sizes, waves);
    for (const char* key : {"pause", "max_failures", "on_abort"}) {
        const RawValue* other = reader.find(key);
        if (first == nullptr) first = other;
    }
    waves.pause = reader.duration("pause").value_or(waves.pause);
    if (const RawValue* most = reader.find("max_failures")) {
        waves.max_failures = read_share(reader, "max_failures", *most, 0).value_or(Share());
    }
    read_on_abort(reader, descriptor, waves);
    if (first == nullptr) return std::nullopt;
    if (!has_targets) {
        reader.error(first->location, "waves",
                     "waves, pause, max_failures and on_abort are about the targets of an entry, "
                     "and it has none");
    }
    return waves;
}

}  // namespace certcast
