#include "core/plugin/elf_image.hpp"
#include "tests/unit/elf_file.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <random>
#include <string_view>

using namespace certcast;
using namespace certcast::testing;

namespace {

Result<ElfImage> read(std::string_view bytes) {
    return read_elf_image(std::as_bytes(std::span(bytes)));
}

std::string refusal(std::string_view bytes) {
    const auto image = read(bytes);
    return image ? "nothing wrong" : image.error().message;
}

constexpr std::size_t machine_at = offsetof(Elf64_Ehdr, e_machine);
constexpr std::size_t type_at = offsetof(Elf64_Ehdr, e_type);
constexpr Elf64_Xword far_away = 0xffff'ffff'ffff'fff0;

}  // namespace

TEST_CASE("a library tells its name, what it needs, where from, and its entry") {
    for (const bool gnu_hash : {true, false}) {
        CAPTURE(gnu_hash);
        const ElfFile file({.functions = {"other", "certcast_plugin_v1", "certcast_plugin_v2"},
                            .needed = {"liba.so.1", "libb.so"},
                            .runpath = "$ORIGIN/lib:/opt/b",
                            .rpath = "/ignored",
                            .gnu_hash = gnu_hash});
        const auto image = read(file.bytes);
        REQUIRE_MESSAGE(image.has_value(), refusal(file.bytes));
        CHECK(image->name == "libx.so");
        CHECK(image->needed == std::vector<std::string>{"liba.so.1", "libb.so"});
        CHECK(image->search == std::vector<std::string>{"$ORIGIN/lib", "/opt/b"});
        CHECK_FALSE(image->search_is_inherited);
        CHECK(image->entries ==
              std::vector<std::string>{"certcast_plugin_v1", "certcast_plugin_v2"});
    }
    const auto old = read(ElfFile({.rpath = "/old"}).bytes);
    CHECK(old->search == std::vector<std::string>{"/old"});
    CHECK(old->search_is_inherited);
    CHECK(read(ElfFile({.runpath = ""}).bytes)->search == std::vector<std::string>{""});
    CHECK(read(ElfFile({.functions = {}}).bytes)->entries.empty());
}

TEST_CASE("only a function that others may call is an entry") {
    struct Row {
        const char* what;
        unsigned char info;
        unsigned char other;
        Elf64_Section section;
    };
    const Row rows[] = {
        {"data", ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), STV_DEFAULT, 1},
        {"local", ELF64_ST_INFO(STB_LOCAL, STT_FUNC), STV_DEFAULT, 1},
        {"hidden", ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), STV_HIDDEN, 1},
        {"defined elsewhere", ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), STV_DEFAULT, SHN_UNDEF},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        ElfFile file;
        Elf64_Sym symbol{};
        std::memcpy(&symbol, file.bytes.data() + file.symbols + sizeof symbol, sizeof symbol);
        symbol.st_info = row.info;
        symbol.st_other = row.other;
        symbol.st_shndx = row.section;
        file.put(file.symbols + sizeof symbol, symbol);
        REQUIRE(read(file.bytes).has_value());
        CHECK(read(file.bytes)->entries.empty());
    }
}

TEST_CASE("what is no library for this machine is told by what it is") {
    struct Wrong {
        const char* expected;
        std::function<void(ElfFile&)> make;
    };
    const Wrong table[] = {
        {"is empty; expected a shared library for ", [](ElfFile& f) { f.bytes.clear(); }},
        {"is no ELF file; expected", [](ElfFile& f) { f.bytes = "#!/bin/sh\n"; }},
        {"is cut off: it ends within its ELF header", [](ElfFile& f) { f.bytes.resize(3); }},
        {"is cut off: it ends within its ELF header", [](ElfFile& f) { f.bytes.resize(63); }},
        {"is cut off: its program headers", [](ElfFile& f) { f.bytes.resize(f.segments + 9); }},
        {"is cut off: it has ", [](ElfFile& f) { f.bytes.pop_back(); }},
        {"is a 32-bit library", [](ElfFile& f) { f.bytes[EI_CLASS] = ELFCLASS32; }},
        {"its class is 7", [](ElfFile& f) { f.bytes[EI_CLASS] = 7; }},
        {"-endian, this machine is ",
         [](ElfFile& f) {
             const bool little = f.bytes[EI_DATA] == ELFDATA2LSB;
             f.bytes[EI_DATA] = little ? ELFDATA2MSB : ELFDATA2LSB;
         }},
        {"its byte order is 9", [](ElfFile& f) { f.bytes[EI_DATA] = 9; }},
        {"is for s390, this machine is ",
         [](ElfFile& f) { f.put(machine_at, Elf64_Half{EM_S390}); }},
        {"is for machine 65535, this", [](ElfFile& f) { f.put(machine_at, Elf64_Half{65535}); }},
        {"is a program, not", [](ElfFile& f) { f.put(type_at, Elf64_Half{ET_EXEC}); }},
        {"is a program, not",
         [](ElfFile& f) {
             f.put(f.dynamic, Elf64_Dyn{DT_FLAGS_1, {DF_1_PIE}});
         }},
        {"is an object file", [](ElfFile& f) { f.put(type_at, Elf64_Half{ET_REL}); }},
        {"is a core dump", [](ElfFile& f) { f.put(type_at, Elf64_Half{ET_CORE}); }},
        {"its type is 77", [](ElfFile& f) { f.put(type_at, Elf64_Half{77}); }},
        {"is linked statically",
         [](ElfFile& f) { f.put(f.segments + sizeof(Elf64_Phdr), Elf64_Word{PT_NOTE}); }},
    };
    for (const Wrong& wrong : table) {
        ElfFile file;
        wrong.make(file);
        const std::string text = refusal(file.bytes);
        CAPTURE(std::string(wrong.expected));
        CAPTURE(text);
        CHECK(text.find(wrong.expected) != std::string::npos);
    }
}

TEST_CASE("numbers that point nowhere or count too much are refused") {
    struct Wrong {
        const char* expected;
        std::function<void(ElfFile&)> make;
        bool gnu_hash = true;
    };
    const auto header = [](std::size_t at, auto value) {
        return [at, value](ElfFile& f) { f.put(at, value); };
    };
    const auto segment = [](std::size_t at, Elf64_Xword value) {
        return [at, value](ElfFile& f) { f.put(f.segments + at, value); };
    };
    const auto entry = [](Elf64_Sxword tag, Elf64_Xword value) {
        return [tag, value](ElfFile& f) { f.set_dynamic(tag, value); };
    };
    const auto hash_word = [](std::size_t index, Elf64_Word value) {
        return [index, value](ElfFile& f) { f.put(f.hash + index * 4, value); };
    };
    const Wrong table[] = {
        {"program headers have 0 bytes", header(offsetof(Elf64_Ehdr, e_phentsize), Elf64_Half{0})},
        {"program headers are missing", header(offsetof(Elf64_Ehdr, e_phnum), Elf64_Half{65535})},
        {"program headers are", header(offsetof(Elf64_Ehdr, e_phoff), far_away)},
        {"a segment has no end", segment(offsetof(Elf64_Phdr, p_offset), far_away)},
        {"is cut off: it has", segment(offsetof(Elf64_Phdr, p_filesz), far_away)},
        {"dynamic section has no end",
         [](ElfFile& f) {
             f.put(f.segments + sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_vaddr), far_away);
         }},
        {"dynamic section has no end",
         [](ElfFile& f) {
             f.put(f.bytes.size() - sizeof(Elf64_Dyn), Elf64_Dyn{DT_DEBUG, {0}});
         }},
        {"names do not fit", entry(DT_STRTAB, far_away)},
        {"names do not fit", entry(DT_STRSZ, far_away)},
        {"is nowhere, or has no end", entry(DT_SONAME, far_away)},
        {"is nowhere, or has no end", entry(DT_STRSZ, 3)},
        {"symbols have 0 bytes", entry(DT_SYMENT, 0)},
        {"symbols do not fit", entry(DT_SYMTAB, far_away)},
        {"hash table does not fit", entry(DT_GNU_HASH, far_away)},
        {"hash table does not fit", hash_word(0, 0xffff'ffff)},        // buckets
        {"hash table does not fit", hash_word(2, 0xffff'ffff)},        // filters
        {"hash table does not fit", hash_word(6, 0xffff'ffff)},        // the chain's begin
        {"hash table does not fit", entry(DT_HASH, far_away), false},  //
        {"symbols do not fit", hash_word(1, 0xffff'ffff), false},
    };
    for (const Wrong& wrong : table) {
        ElfFile file({.gnu_hash = wrong.gnu_hash});
        wrong.make(file);
        const std::string text = refusal(file.bytes);
        CAPTURE(std::string(wrong.expected));
        CAPTURE(text);
        CHECK(text.find(wrong.expected) != std::string::npos);
    }
}

TEST_CASE("a chain of symbols without an end is refused") {
    ElfFile file;
    file.set_dynamic(DT_GNU_HASH, file.bytes.size());
    for (const Elf64_Word word : {1u, 1u, 1u, 0u, 0u, 0u, 1u}) file.add(word);
    file.bytes.append(4'000'000, '\0');
    file.put(file.segments + offsetof(Elf64_Phdr, p_filesz), Elf64_Xword{file.bytes.size()});
    CHECK(refusal(file.bytes) == "is damaged: its symbols' hash table does not fit into it");
}

TEST_CASE("a library that needs thousands is refused, and a name of any length read safely") {
    std::vector<std::string> many(300, "libmany.so");
    CHECK(refusal(ElfFile({.needed = many}).bytes).find("more than 256") != std::string::npos);
    CHECK(refusal(ElfFile({.needed = {std::string(5000, 'x')}}).bytes).find("has no end") !=
          std::string::npos);
    const std::string long_name = "certcast_plugin_v" + std::string(5000, '1');
    CHECK(read(ElfFile({.functions = {long_name}}).bytes)->entries.empty());
}

TEST_CASE("segments that overlap are read without harm") {
    ElfFile file;
    Elf64_Phdr segment{};
    std::memcpy(&segment, file.bytes.data() + file.segments, sizeof segment);
    segment.p_offset = 8;
    segment.p_filesz -= 8;
    file.put(file.segments, segment);
    (void)read(file.bytes);
    file.put(file.segments + sizeof segment, segment);
    CHECK(refusal(file.bytes).find("linked statically") != std::string::npos);
}

TEST_CASE("no damage to a library makes reading it do harm") {
    for (const bool gnu_hash : {true, false}) {
        const ElfFile whole({.functions = {"certcast_plugin_v1", "other"},
                             .needed = {"libc.so.6"},
                             .runpath = "$ORIGIN",
                             .gnu_hash = gnu_hash});
        for (std::size_t size = 0; size < whole.bytes.size(); ++size) {
            REQUIRE(read(std::string_view(whole.bytes).substr(0, size)).has_error());
        }
        for (std::size_t i = 0; i < whole.bytes.size(); ++i) {
            for (const int damage : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
                std::string bytes = whole.bytes;
                bytes[i] = static_cast<char>(damage);
                (void)read(bytes);
            }
        }
        std::minstd_rand random(7);
        for (int round = 0; round < 20'000; ++round) {
            std::string bytes = whole.bytes;
            for (unsigned damages = 1 + random() % 8; damages > 0; --damages) {
                // Behind the identification, which would end the reading at once.
                const std::size_t at = 20 + random() % (bytes.size() - 20);
                bytes[at] = static_cast<char>(random() >> 8);
            }
            (void)read(bytes);
        }
    }
}
