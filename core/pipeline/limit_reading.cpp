#include "core/pipeline/limit_reading.hpp"

#include "core/base/byte_size.hpp"

namespace certcast {

namespace {

constexpr std::uint32_t most_files = 1'000'000;
constexpr std::uint32_t most_processes = 100'000;
// With less a worker cannot even be set up.
constexpr std::uint64_t least_memory = std::uint64_t{16} << 20;
constexpr std::uint64_t least_files = 16;

/// `none` lifts a limit.
bool is_none(const RawValue* value) {
    return value != nullptr && value->kind == RawValue::Kind::text && value->text == "none";
}

class LimitReader {
public:
    LimitReader(const RawValue& table, const std::string& path, Diagnostics& diagnostics)
        : table_(table), reader_(table, path, diagnostics) {}

    std::optional<std::uint64_t> size(std::string_view key, std::uint64_t least = 1) {
        const RawValue* written = reader_.find(key);
        if (written == nullptr) return std::nullopt;
        if (is_none(written)) return 0;
        const bool is_text = written->kind == RawValue::Kind::text;
        const auto parsed = parse_byte_size(is_text ? written->text : in_words(*written));
        if (!parsed) {
            reader_.error(written->location, key, parsed.error().message);
        } else if (*parsed < least) {
            reader_.error(written->location, key,
                          "expected at least " + to_byte_size(least) + ", or \"none\"");
        } else {
            return *parsed;
        }
        return std::nullopt;
    }

    std::optional<std::uint64_t> count(std::string_view key, std::uint32_t most,
                                       std::uint64_t least = 1) {
        if (is_none(table_.find(key))) {
            reader_.find(key);
            return 0;
        }
        const auto found = reader_.count(key, most);
        if (found && *found < least) {
            reader_.error(table_.find(key)->location, key,
                          "expected at least " + std::to_string(least) + ", or \"none\"");
        }
        return found;
    }

    std::optional<Duration> duration(std::string_view key) {
        const RawValue* written = table_.find(key);
        if (is_none(written)) {
            reader_.find(key);
            return Duration(0);
        }
        const auto found = reader_.duration(key);
        if (found && *found < std::chrono::seconds(1)) {
            reader_.error(written->location, key, "expected at least 1s, or \"none\"");
        }
        return found;
    }

    void finish() { reader_.finish(); }

private:
    const RawValue& table_;
    TableReader reader_;
};

}  // namespace

Limits WrittenLimits::over(Limits limits) const {
    limits.memory = memory.value_or(limits.memory);
    limits.cpu = cpu.value_or(limits.cpu);
    limits.files = files.value_or(limits.files);
    limits.processes = processes.value_or(limits.processes);
    limits.output = output.value_or(limits.output);
    limits.file_size = file_size.value_or(limits.file_size);
    return limits;
}

WrittenLimits read_limits(TableReader& reader, Diagnostics& diagnostics) {
    WrittenLimits limits;
    const RawValue* table = reader.table("limits");
    if (table == nullptr) return limits;
    LimitReader inner(*table, reader.path_of("limits"), diagnostics);
    limits.memory = inner.size("memory", least_memory);
    limits.cpu = inner.duration("cpu");
    limits.files = inner.count("files", most_files, least_files);
    limits.processes = inner.count("processes", most_processes);
    limits.output = inner.size("output");
    limits.file_size = inner.size("file_size");
    inner.finish();
    return limits;
}

}  // namespace certcast
