// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/errors.hpp>
#include <certcast/files.hpp>

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certcast {

/// A file as it should be.
struct WantedFile {
    std::filesystem::path path;
    Sensitive contents;
    FileAccess access;
};

/// A file as it was.
struct SavedFile {
    std::filesystem::path path;
    FileImage image;
};

/// Whether mode and owner are those that are wanted; the contents are not looked at.
inline bool has_access(const FileImage& now, const FileAccess& wanted) {
    return now.present && now.mode == wanted.mode &&
           wanted.owner.value_or(now.owner) == now.owner &&
           wanted.group.value_or(now.group) == now.group;
}

inline bool is_as_wanted(const FileImage& now, const WantedFile& wanted) {
    return has_access(now, wanted.access) && now.contents == wanted.contents;
}

/// Writes and syncs all new files, and switches only once every one of them is complete.
inline void replace_files(std::span<const WantedFile> wanted) {
    std::vector<StagedFile> staged;
    staged.reserve(wanted.size());
    for (const WantedFile& file : wanted) {
        // A writer that was killed left a key there, perhaps.
        detail::remove_leftovers(detail::Place(file.path));
        staged.emplace_back(file.path, file.contents, file.access);
    }
    for (StagedFile& file : staged) file.switch_over();
    for (const StagedFile& file : staged) file.sync_folder();
}

/// What replace_files is about to replace.
inline std::vector<SavedFile> save_files(std::span<const WantedFile> wanted) {
    std::vector<SavedFile> saved;
    for (const WantedFile& file : wanted) saved.push_back({file.path, read_file(file.path)});
    return saved;
}

inline void restore_files(std::span<const SavedFile> saved) {
    for (const SavedFile& file : saved) restore_file(file.path, file.image);
}

namespace detail {

inline void append_number(Sensitive& out, std::uint64_t number) {
    std::array<char, 8> bytes{};
    for (char& byte : bytes) {
        byte = static_cast<char>(number & 0xff);
        number >>= 8;
    }
    out += std::string_view(bytes.data(), bytes.size());
}

/// Takes apart what pack wrote; throws internal_error where it is something else.
class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

    bool at_end() const { return rest_.empty(); }
    std::string_view take(std::uint64_t size) {
        if (size > rest_.size()) throw internal_error("a recorded step is not a file image");
        const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(taken.size());
        return taken;
    }
    std::uint64_t number() {
        std::uint64_t value = 0;
        int shift = 0;
        for (const char byte : take(8)) {
            value |= std::uint64_t{static_cast<unsigned char>(byte)} << shift;
            shift += 8;
        }
        return value;
    }
    FileImage image() {
        FileImage image;
        image.present = number() != 0;
        image.mode = static_cast<mode_t>(number() & 07777);
        image.owner = static_cast<uid_t>(number());
        image.group = static_cast<gid_t>(number());
        image.acl = take(number());
        image.contents = Sensitive(take(number()));
        return image;
    }

private:
    std::string_view rest_;
};

}  // namespace detail

/// A file image as the bytes of a step.
inline Sensitive pack(const FileImage& image) {
    Sensitive out;
    for (const std::uint64_t number :
         {std::uint64_t{image.present}, std::uint64_t{image.mode}, std::uint64_t{image.owner},
          std::uint64_t{image.group}, std::uint64_t{image.acl.size()}}) {
        detail::append_number(out, number);
    }
    out += image.acl;
    detail::append_number(out, image.contents.size());
    return out += image.text();
}

inline FileImage unpack_file(ByteView bytes) {
    return detail::Unpacker(bytes.text()).image();
}

/// Several file images with their paths as the bytes of one step.
inline Sensitive pack(std::span<const SavedFile> saved) {
    Sensitive out;
    for (const SavedFile& file : saved) {
        detail::append_number(out, file.path.native().size());
        out += file.path.native();
        out += pack(file.image).text();
    }
    return out;
}

inline std::vector<SavedFile> unpack_files(ByteView bytes) {
    std::vector<SavedFile> saved;
    detail::Unpacker unpacker(bytes.text());
    while (!unpacker.at_end()) {
        std::filesystem::path path(unpacker.take(unpacker.number()));
        saved.push_back({std::move(path), unpacker.image()});
    }
    return saved;
}

namespace detail {

inline std::optional<std::uint32_t> number_in(std::string_view text, int base) {
    std::uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc() || stop != end) return std::nullopt;
    return value;
}

}  // namespace detail

/// The user with this name or number; config_error where there is none.
inline uid_t user_named(std::string_view name) {
    if (const auto number = detail::number_in(name, 10)) return *number;
    const passwd* found = ::getpwnam(std::string(name).c_str());
    if (found == nullptr) throw config_error("there is no user '" + std::string(name) + "' here");
    return found->pw_uid;
}

/// The group with this name or number; config_error where there is none.
inline gid_t group_named(std::string_view name) {
    if (const auto number = detail::number_in(name, 10)) return *number;
    const group* found = ::getgrnam(std::string(name).c_str());
    if (found == nullptr) throw config_error("there is no group '" + std::string(name) + "' here");
    return found->gr_gid;
}

/// From what operators write: names or numbers, and an octal mode such as "0640".
inline FileAccess file_access(std::optional<std::string_view> owner,
                              std::optional<std::string_view> group, std::string_view mode) {
    const auto bits = detail::number_in(mode, 8);
    if (!bits || *bits > 0777) {
        throw config_error("'" + std::string(mode) + "' is no file mode; write one like 0640");
    }
    FileAccess access{.mode = static_cast<mode_t>(*bits)};
    if (owner) access.owner = user_named(*owner);
    if (group) access.group = group_named(*group);
    return access;
}

}  // namespace certcast
