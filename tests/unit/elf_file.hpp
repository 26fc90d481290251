#pragma once

#include <elf.h>
#include <link.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

extern "C" __attribute__((visibility("hidden"))) const Elf64_Ehdr __ehdr_start;

namespace certcast::testing {

struct ElfWish {
    std::vector<std::string> functions{"certcast_plugin_v1"};
    std::vector<std::string> needed;
    const char* runpath = nullptr;
    const char* rpath = nullptr;
    bool gnu_hash = true;
};

/// The smallest file that a shared library can be, and where its parts are, to be damaged.
struct ElfFile {
    explicit ElfFile(const ElfWish& wish = {}) {
        std::string names(1, '\0');
        const auto name = [&](const std::string& text) {
            const std::size_t at = names.size();
            names += text + '\0';
            return at;
        };
        std::vector<Elf64_Sym> table{{}};
        for (const std::string& function : wish.functions) {
            Elf64_Sym symbol{};
            symbol.st_name = static_cast<Elf64_Word>(name(function));
            symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
            symbol.st_shndx = 1;
            table.push_back(symbol);
        }
        std::vector<std::pair<Elf64_Sxword, Elf64_Xword>> entries{{DT_SONAME, name("libx.so")}};
        for (const std::string& needed : wish.needed) entries.emplace_back(DT_NEEDED, name(needed));
        if (wish.runpath != nullptr) entries.emplace_back(DT_RUNPATH, name(wish.runpath));
        if (wish.rpath != nullptr) entries.emplace_back(DT_RPATH, name(wish.rpath));

        Elf64_Ehdr head = __ehdr_start;
        head.e_type = ET_DYN;
        head.e_phoff = sizeof head;
        head.e_phnum = 2;
        add(head);
        segments = bytes.size();
        bytes.append(2 * sizeof(Elf64_Phdr), '\0');
        strings = bytes.size();
        bytes += names;
        bytes.resize((bytes.size() + 7) / 8 * 8);
        symbols = bytes.size();
        for (const Elf64_Sym& symbol : table) add(symbol);
        hash = bytes.size();
        const auto count = static_cast<Elf64_Word>(table.size());
        if (wish.gnu_hash) {
            // One bucket, one filter, and a chain of all but the first, whose last is marked.
            for (const Elf64_Word word : {1u, 1u, 1u, 0u, 0u, 0u, count > 1 ? 1u : 0u}) add(word);
            for (Elf64_Word i = 1; i < count; ++i) add(Elf64_Word{i + 1 == count ? 1u : 0u});
        } else {
            for (const Elf64_Word word : {1u, count, 0u}) add(word);
            for (Elf64_Word i = 0; i < count; ++i) add(Elf64_Word{0});
        }
        bytes.resize((bytes.size() + 7) / 8 * 8);
        dynamic = bytes.size();
        entries.insert(entries.end(), {{DT_STRTAB, strings},
                                       {DT_STRSZ, names.size()},
                                       {DT_SYMTAB, symbols},
                                       {DT_SYMENT, sizeof(Elf64_Sym)},
                                       {wish.gnu_hash ? DT_GNU_HASH : DT_HASH, hash},
                                       {DT_NULL, 0}});
        for (const auto& [tag, value] : entries) add(Elf64_Dyn{tag, {value}});

        Elf64_Phdr all{};
        all.p_type = PT_LOAD;
        all.p_filesz = all.p_memsz = bytes.size();
        Elf64_Phdr section = all;
        section.p_type = PT_DYNAMIC;
        section.p_offset = section.p_vaddr = dynamic;
        section.p_filesz = section.p_memsz = bytes.size() - dynamic;
        put(segments, all);
        put(segments + sizeof all, section);
    }

    template <typename T>
    void put(std::size_t at, const T& value) {
        std::memcpy(bytes.data() + at, &value, sizeof value);
    }
    template <typename T>
    void add(const T& value) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    /// The value of the first entry of the dynamic section that has this tag.
    void set_dynamic(Elf64_Sxword tag, Elf64_Xword value) {
        Elf64_Dyn entry{};
        for (std::size_t at = dynamic; at < bytes.size(); at += sizeof entry) {
            std::memcpy(&entry, bytes.data() + at, sizeof entry);
            if (entry.d_tag != tag) continue;
            put(at, Elf64_Dyn{tag, {value}});
            return;
        }
    }

    std::string bytes;
    std::size_t segments = 0;
    std::size_t strings = 0;
    std::size_t symbols = 0;
    std::size_t hash = 0;
    std::size_t dynamic = 0;
};

}  // namespace certcast::testing
