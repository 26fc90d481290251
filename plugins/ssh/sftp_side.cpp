#include "plugins/ssh/sftp_side.hpp"

#include <certcast/errors.hpp>

#include <charconv>
#include <optional>
#include <utility>

namespace ssh {

namespace {

constexpr std::uint32_t kind_bits = 0170000;
constexpr std::uint32_t regular = 0100000;
constexpr std::uint32_t mode_bits = 07777;

std::uint32_t number_in(const std::string& text, int base) {
    std::uint32_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number, base);
    return number;
}

}  // namespace

SftpSide::SftpSide(const Login& login, FarTask task, const certcast::Job& job)
    : FarHost(std::move(task)), connection_(login, job), sftp_(connection_, job) {}

const std::vector<SftpSide::Names>& SftpSide::names(const certcast::Job& job) {
    for (std::size_t i = names_.size(); i < task().files.size(); ++i) {
        names_.push_back(names_of(task().files[i], job));
    }
    return names_;
}

SftpSide::Names SftpSide::names_of(const FarTarget& file, const certcast::Job& job) {
    Names names;
    names.real = sftp_.look(file.path, job) ? sftp_.real_path(file.path, job) : file.path;
    const std::size_t slash = names.real.rfind('/') + 1;
    const std::string beside =
        names.real.substr(0, slash) + "." + names.real.substr(slash) + ".certcast-" + task().token;
    names.fresh = beside + ".new";
    names.old = beside + ".old";
    names.part = beside + ".old-part";
    names.none = beside + ".none";
    return names;
}

FarFile SftpSide::look_at(const FarTarget& file, const certcast::Job& job) {
    const auto found = sftp_.look(file.path, job);
    if (!found) return {};
    if ((found->mode & kind_bits) != regular) return {.kind = FarFile::Kind::odd};
    const auto is_wanted = [](const std::string& wanted, std::uint32_t now) {
        return wanted.empty() || number_in(wanted, 10) == now;
    };
    const bool has_access = (found->mode & mode_bits) == number_in(file.mode, 8) &&
                            is_wanted(file.owner, found->owner) &&
                            is_wanted(file.group, found->group);
    return {FarFile::Kind::file, has_access, sftp_.read(file.path, job)};
}

std::vector<FarFile> SftpSide::look(const certcast::Job& job) {
    std::vector<FarFile> found;
    found.reserve(task().files.size());
    for (const FarTarget& file : task().files) found.push_back(look_at(file, job));
    return found;
}

void SftpSide::stage(const FarTarget& file, const Names& names, const certcast::Job& job) {
    const std::uint32_t mode = number_in(file.mode, 8);
    sftp_.write_new(names.fresh, file.contents, job);
    const auto former = sftp_.look(names.real, job);
    const auto fresh = sftp_.look(names.fresh, job);
    if (!fresh || fresh->size != file.contents.size()) {
        throw certcast::remote_error(names.fresh + " is not as long as what was written");
    }
    const Sftp::Attributes before = former.value_or(*fresh);
    const auto wanted = [](const std::string& said, std::uint32_t as_before) {
        return said.empty() ? as_before : number_in(said, 10);
    };
    const std::uint32_t owner = wanted(file.owner, before.owner);
    const std::uint32_t group = wanted(file.group, before.group);
    if (owner != fresh->owner || group != fresh->group) {
        try {
            sftp_.give_to(names.fresh, owner, group, job);
        } catch (const certcast::config_error&) {
            // Without a word of the operator they stay as they are, as far as the system permits;
            // another group must not read more than everybody may.
            const bool is_said = !file.owner.empty() || !file.group.empty();
            const bool shows_more = ((mode >> 3) & ~mode & 07) != 0 && group != fresh->group;
            if (is_said || shows_more) throw;
        }
    }
    sftp_.set_mode(names.fresh, mode, job);
}

void SftpSide::keep(const Names& names, const certcast::Job& job) {
    const auto former = sftp_.look(names.real, job);
    if (!former) {
        sftp_.write_new(names.none, {}, job);
    } else if (sftp_.makes_links()) {
        sftp_.link(names.real, names.old, job);
    } else {
        // What is only half of it must not come back.
        sftp_.write_new(names.part, sftp_.read(names.real, job), job);
        try {
            sftp_.give_to(names.part, former->owner, former->group, job);
        } catch (const certcast::config_error&) {
            job.debug(names.real + " cannot be kept with its owner");
        }
        sftp_.set_mode(names.part, former->mode & mode_bits, job);
        sftp_.rename(names.part, names.old, job);
    }
}

void SftpSide::replace(const certcast::Job& job) {
    job.warning(std::string("the host is served by SFTP alone: others who deploy to the same files "
                            "at the same time are not kept away") +
                (sftp_.renames_onto() ? "" : ", and each file is gone for a moment"));
    // Whatever fails from here on is undone from the step, also what is only staged: nobody else
    // would find it.
    job.step("replace files", pack(task()));
    for (std::size_t i = 0; i < task().files.size(); ++i) {
        stage(task().files[i], names(job)[i], job);
    }
    for (const Names& each : names(job)) keep(each, job);
    for (const Names& each : names(job)) sftp_.rename(each.fresh, each.real, job);
    bool is_proven = true;
    for (const FarTarget& file : task().files) {
        is_proven = is_proven && sftp_.read(file.path, job) == file.contents;
    }
    set_proven(is_proven);
}

void SftpSide::undo(const certcast::Job& job) {
    for (const Names& each : names(job)) {
        if (sftp_.look(each.old, job)) {
            sftp_.rename(each.old, each.real, job);
        } else if (sftp_.look(each.none, job)) {
            sftp_.remove(each.real, job);
            sftp_.remove(each.none, job);
        }
        // A name of a file that has it already is renamed to nothing, and stays.
        for (const std::string& name : {each.fresh, each.part, each.old}) sftp_.remove(name, job);
    }
}

void SftpSide::forget(const certcast::Job& job) {
    for (const Names& each : names(job)) {
        for (const std::string& name : {each.fresh, each.part, each.old, each.none}) {
            sftp_.remove(name, job);
        }
    }
}

}  // namespace ssh
