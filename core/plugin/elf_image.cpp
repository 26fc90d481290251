#include "core/plugin/elf_image.hpp"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

// The linker's name for the header of the program that this is part of.
extern "C" __attribute__((visibility("hidden"))) const Elf64_Ehdr
    __ehdr_start;  // NOLINT(bugprone-reserved-identifier, readability-identifier-naming)

namespace certcast {

namespace {

static_assert(sizeof(void*) == 8, "reads the libraries of 64-bit programs");

constexpr std::string_view entry_prefix = "certcast_plugin_v";
constexpr std::size_t longest_entry = 40;
constexpr std::size_t most_entries = 16;
constexpr std::size_t longest_string = 4096;
constexpr std::size_t most_needed = 256;

using Bytes = std::span<const std::byte>;

Error wrong(std::string message) {
    return {ErrorCode::invalid, std::move(message), {}};
}

Error malformed(const std::string& what) {
    return wrong("is damaged: " + what);
}

std::string name_of_machine(unsigned machine) {
    struct Name {
        unsigned machine;
        const char* name;
    };
    constexpr Name names[] = {
        {EM_X86_64, "x86-64"},   {EM_AARCH64, "aarch64"}, {EM_386, "x86"},
        {EM_ARM, "arm"},         {EM_RISCV, "riscv"},     {EM_PPC64, "ppc64"},
        {EM_S390, "s390"},       {EM_MIPS, "mips"},       {EM_LOONGARCH, "loongarch"},
        {EM_SPARCV9, "sparcv9"}, {EM_PPC, "powerpc"},
    };
    for (const Name& one : names) {
        if (one.machine == machine) return one.name;
    }
    return "machine " + std::to_string(machine);
}

template <typename T>
std::optional<T> read_at(Bytes bytes, std::uint64_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
    T value{};
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

/// At most `longest` bytes; nothing where no end is found among them.
std::optional<std::string> string_at(Bytes strings, std::uint64_t offset, std::size_t longest) {
    if (offset >= strings.size()) return std::nullopt;
    const Bytes rest = strings.subspan(offset);
    const Bytes looked_at = rest.first(std::min(rest.size(), longest + 1));
    const auto end = std::find(looked_at.begin(), looked_at.end(), std::byte{0});
    if (end == looked_at.end()) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(looked_at.data()),
                       static_cast<std::size_t>(end - looked_at.begin()));
}

std::vector<std::string> split_at_colons(std::string_view text) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t colon = text.find(':');
        parts.emplace_back(text.substr(0, colon));
        if (colon == std::string_view::npos) return parts;
        text.remove_prefix(colon + 1);
    }
}

Result<Elf64_Ehdr> read_header(Bytes file) {
    const std::string expected =
        "; expected a shared library for " + name_of_machine(__ehdr_start.e_machine);
    if (file.empty()) return wrong("is empty" + expected);
    const std::size_t magic = std::min<std::size_t>(file.size(), SELFMAG);
    if (std::memcmp(file.data(), ELFMAG, magic) != 0) return wrong("is no ELF file" + expected);
    if (file.size() < EI_NIDENT) return wrong("is cut off: it ends within its ELF header");
    const auto kind = std::to_integer<unsigned>(file[EI_CLASS]);
    const auto order = std::to_integer<unsigned>(file[EI_DATA]);
    if (kind == ELFCLASS32) return wrong("is a 32-bit library, this machine's are 64-bit");
    if (kind != ELFCLASS64) return malformed("its class is " + std::to_string(kind));
    if (order != __ehdr_start.e_ident[EI_DATA]) {
        return wrong(order == ELFDATA2MSB ? "is big-endian, this machine is little-endian"
                     : order == ELFDATA2LSB
                         ? "is little-endian, this machine is big-endian"
                         : "is damaged: its byte order is " + std::to_string(order));
    }
    const auto header = read_at<Elf64_Ehdr>(file, 0);
    if (!header) return wrong("is cut off: it ends within its ELF header");
    if (header->e_machine != __ehdr_start.e_machine) {
        return wrong("is for " + name_of_machine(header->e_machine) + ", this machine is " +
                     name_of_machine(__ehdr_start.e_machine));
    }
    switch (header->e_type) {
        case ET_DYN:
            return *header;
        case ET_EXEC:
            return wrong("is a program, not a shared library");
        case ET_REL:
            return wrong("is an object file, not a shared library: link it with -shared");
        case ET_CORE:
            return wrong("is a core dump, not a shared library");
        default:
            return malformed("its type is " + std::to_string(header->e_type));
    }
}

/// Reads by address, as the loader does, what the segments of a file hold.
class Segments {
public:
    static Result<Segments> read(Bytes file, const Elf64_Ehdr& header) {
        Segments segments;
        segments.file_ = file;
        if (header.e_phentsize != sizeof(Elf64_Phdr)) {
            return malformed("its program headers have " + std::to_string(header.e_phentsize) +
                             " bytes, expected " + std::to_string(sizeof(Elf64_Phdr)));
        }
        std::uint64_t last = 0;
        for (unsigned i = 0; i < header.e_phnum; ++i) {
            const std::uint64_t offset = header.e_phoff + i * sizeof(Elf64_Phdr);
            if (offset < header.e_phoff) return malformed("its program headers are nowhere");
            const auto segment = read_at<Elf64_Phdr>(file, offset);
            if (!segment) return wrong("is cut off: its program headers are missing");
            if (segment->p_type == PT_DYNAMIC) segments.dynamic_ = *segment;
            if (segment->p_type != PT_LOAD) continue;
            const std::uint64_t end = segment->p_offset + segment->p_filesz;
            if (end < segment->p_offset) return malformed("a segment has no end");
            last = std::max(last, end);
            segments.loaded_.push_back(*segment);
        }
        if (last > file.size()) {
            return wrong("is cut off: it has " + std::to_string(file.size()) +
                         " bytes of at least " + std::to_string(last));
        }
        return segments;
    }

    /// From the address to the end of what its segment has in the file; empty where that is
    /// nothing.
    Bytes at(std::uint64_t address) const {
        for (const Elf64_Phdr& segment : loaded_) {
            if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
                continue;
            const std::uint64_t within = address - segment.p_vaddr;
            return file_.subspan(segment.p_offset + within, segment.p_filesz - within);
        }
        return {};
    }

    std::optional<Bytes> dynamic() const {
        if (!dynamic_) return std::nullopt;
        const Bytes found = at(dynamic_->p_vaddr);
        return found.first(std::min<std::uint64_t>(found.size(), dynamic_->p_memsz));
    }

private:
    Bytes file_;
    std::vector<Elf64_Phdr> loaded_;
    std::optional<Elf64_Phdr> dynamic_;
};

/// The dynamic section. Of a tag that is there twice the last counts, as for the loader.
struct Dynamic {
    std::optional<std::uint64_t> strings, strings_size, symbols, symbol_size, hash, gnu_hash;
    std::optional<std::uint64_t> name, runpath, rpath;
    std::vector<std::uint64_t> needed;
    std::uint64_t flags = 0;
};

Result<Dynamic> read_dynamic(const Segments& segments) {
    const auto section = segments.dynamic();
    if (!section) return wrong("is linked statically, not a shared library");
    Dynamic dynamic;
    for (std::uint64_t at = 0;; at += sizeof(Elf64_Dyn)) {
        const auto entry = read_at<Elf64_Dyn>(*section, at);
        if (!entry) return malformed("its dynamic section has no end");
        const std::uint64_t value = entry->d_un.d_val;
        switch (entry->d_tag) {
            case DT_NULL:
                return dynamic;
            case DT_NEEDED:
            case DT_FILTER:
            case DT_AUXILIARY:
                if (dynamic.needed.size() == most_needed) {
                    return malformed("it needs more than " + std::to_string(most_needed) +
                                     " libraries");
                }
                dynamic.needed.push_back(value);
                break;
            case DT_STRTAB:
                dynamic.strings = value;
                break;
            case DT_STRSZ:
                dynamic.strings_size = value;
                break;
            case DT_SYMTAB:
                dynamic.symbols = value;
                break;
            case DT_SYMENT:
                dynamic.symbol_size = value;
                break;
            case DT_HASH:
                dynamic.hash = value;
                break;
            case DT_GNU_HASH:
                dynamic.gnu_hash = value;
                break;
            case DT_SONAME:
                dynamic.name = value;
                break;
            case DT_RUNPATH:
                dynamic.runpath = value;
                break;
            case DT_RPATH:
                dynamic.rpath = value;
                break;
            case DT_FLAGS_1:
                dynamic.flags = value;
                break;
            default:
                break;
        }
    }
}

/// Which symbols can be found by name: the places of the first and behind the last.
struct SymbolRange {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
};

std::optional<SymbolRange> range_of_hash(Bytes table) {
    const auto symbols = read_at<std::uint32_t>(table, 4);
    if (!symbols) return std::nullopt;
    return SymbolRange{1, *symbols};
}

// Symbols are sorted by bucket, so the last chain is that of the bucket that begins last.
std::optional<SymbolRange> range_of_gnu_hash(Bytes table) {
    const auto buckets = read_at<std::uint32_t>(table, 0);
    const auto first = read_at<std::uint32_t>(table, 4);
    const auto filters = read_at<std::uint32_t>(table, 8);
    if (!buckets || !first || !filters) return std::nullopt;
    const std::uint64_t buckets_at = 16 + std::uint64_t{*filters} * 8;
    const std::uint64_t chains_at = buckets_at + std::uint64_t{*buckets} * 4;
    if (chains_at > table.size()) return std::nullopt;
    std::uint32_t last = 0;
    for (std::uint64_t at = buckets_at; at < chains_at; at += 4) {
        last = std::max(last, read_at<std::uint32_t>(table, at).value_or(0));
    }
    if (last < *first) return SymbolRange{};
    for (std::uint64_t symbol = last;; ++symbol) {
        const auto hash = read_at<std::uint32_t>(table, chains_at + (symbol - *first) * 4);
        if (!hash) return std::nullopt;
        if ((*hash & 1) != 0) return SymbolRange{*first, symbol + 1};
    }
}

bool is_exported_function(const Elf64_Sym& symbol) {
    const unsigned binding = ELF64_ST_BIND(symbol.st_info);
    const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    return symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC &&
           (binding == STB_GLOBAL || binding == STB_WEAK) &&
           (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

Result<std::vector<std::string>> read_entries(const Segments& segments, const Dynamic& dynamic,
                                              Bytes strings) {
    const std::optional<SymbolRange> range =
        dynamic.gnu_hash ? range_of_gnu_hash(segments.at(*dynamic.gnu_hash))
        : dynamic.hash   ? range_of_hash(segments.at(*dynamic.hash))
                         : SymbolRange{};
    if (!range) return malformed("its symbols' hash table does not fit into it");
    if (dynamic.symbol_size.value_or(sizeof(Elf64_Sym)) != sizeof(Elf64_Sym)) {
        return malformed("its symbols have " + std::to_string(*dynamic.symbol_size) +
                         " bytes, expected " + std::to_string(sizeof(Elf64_Sym)));
    }
    const Bytes table = dynamic.symbols ? segments.at(*dynamic.symbols) : Bytes{};
    if (range->end > table.size() / sizeof(Elf64_Sym)) {
        return malformed("its symbols do not fit into it");
    }
    std::vector<std::string> entries;
    for (std::uint64_t i = range->first; i < range->end; ++i) {
        const auto symbol = read_at<Elf64_Sym>(table, i * sizeof(Elf64_Sym));
        if (!symbol || !is_exported_function(*symbol)) continue;
        const auto name = string_at(strings, symbol->st_name, longest_entry);
        if (name && name->starts_with(entry_prefix) && entries.size() < most_entries) {
            entries.push_back(*name);
        }
    }
    return entries;
}

}  // namespace

Result<ElfImage> read_elf_image(std::span<const std::byte> file) {
    const auto header = read_header(file);
    if (!header) return header.error();
    const auto segments = Segments::read(file, *header);
    if (!segments) return segments.error();
    const auto dynamic = read_dynamic(*segments);
    if (!dynamic) return dynamic.error();
    if ((dynamic->flags & DF_1_PIE) != 0) return wrong("is a program, not a shared library");

    Bytes strings = dynamic->strings ? segments->at(*dynamic->strings) : Bytes{};
    if (dynamic->strings_size.value_or(0) > strings.size()) {
        return malformed("its names do not fit into it");
    }
    strings = strings.first(dynamic->strings_size.value_or(0));
    bool lost = false;
    const auto text = [&](std::uint64_t offset) {
        auto found = string_at(strings, offset, longest_string);
        lost = lost || !found;
        return std::move(found).value_or("");
    };
    ElfImage image;
    if (dynamic->name) image.name = text(*dynamic->name);
    for (const std::uint64_t needed : dynamic->needed) image.needed.push_back(text(needed));
    const auto search = dynamic->runpath ? dynamic->runpath : dynamic->rpath;
    if (search) image.search = split_at_colons(text(*search));
    image.search_is_inherited = search && !dynamic->runpath;
    if (lost) return malformed("a name in its dynamic section is nowhere, or has no end");

    auto entries = read_entries(*segments, *dynamic, strings);
    if (!entries) return entries.error();
    image.entries = std::move(*entries);
    return image;
}

}  // namespace certcast
