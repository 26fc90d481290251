#include "core/worker/granting.hpp"

#include "core/plugin/loadable.hpp"

#include <certcast/plugin.h>
#include <certcast/files.hpp>

#include <sys/stat.h>

namespace certcast {

namespace {

namespace fs = std::filesystem;

/// Where the SDK writes what is to be written to `path`. A plugin cannot make the links that are
/// followed: its sandbox grants no right to.
fs::path written_at(const fs::path& path) {
    try {
        return detail::followed(path);
    } catch (const std::exception&) {
        return path;  // whoever writes fails too
    }
}

class Gathering {
public:
    explicit Gathering(Grants& grants) : grants_(grants) {}

    void object(const Value& value, const std::vector<Parameter>& params) {
        for (std::size_t i = 0; i < params.size() && i < value.entries.size(); ++i) {
            parameter(value.entries[i].value, params[i]);
        }
    }

    void path(const std::string& path, std::uint64_t flags) {
        if (path.empty()) return;
        if ((flags & CERTCAST_READS) != 0) grants_.paths.insert(granted(Access::read, path));
        if ((flags & CERTCAST_DEVICE) != 0) grants_.paths.insert(granted(Access::device, path));
        if ((flags & CERTCAST_WRITES) != 0) {
            const fs::path file = written_at(fs::path(path).lexically_normal());
            grants_.paths.insert(granted(Access::write, file.has_filename()
                                                            ? file.parent_path()
                                                            : file.parent_path().parent_path()));
        }
    }

private:
    void parameter(const Value& value, const Parameter& param) {
        Rights& rights = grants_.rights;
        switch (value.type) {
            case ParameterType::path:
                if (param.has(CERTCAST_CONNECTS)) rights.unix_sockets = rights.keeps_user = true;
                return path(value.text, param.flags);
            case ParameterType::text:
                if (param.has(CERTCAST_STARTS)) rights.exec = rights.keeps_user = true;
                return;
            case ParameterType::object:
                return object(value, param.fields);
            case ParameterType::list:
            case ParameterType::map:
                for (const auto& entry : value.entries) parameter(entry.value, param);
                return;
            case ParameterType::none:
            case ParameterType::boolean:
            case ParameterType::integer:
            case ParameterType::secret:
            case ParameterType::duration:
            case ParameterType::choice:
            case ParameterType::url:
            case ParameterType::endpoint:
            case ParameterType::command:
            case ParameterType::certificate:
                return;
        }
    }

    Grants& grants_;
};

/// What remains for a session that does not use all of it.
Grants within(Reach reach, Grants grants) {
    if (reach == Reach::all) return grants;
    Grants rest;
    rest.rights = grants.rights;
    if (reach == Reach::validating) {
        rest.rights =
            Rights{.keeps_user = grants.rights.keeps_user, .sandbox = grants.rights.sandbox};
    }
    for (PathGrant grant : grants.paths) {
        grant.access = Access::read;
        rest.paths.insert(std::move(grant));
    }
    return rest;
}

}  // namespace

PathGrant granted(Access access, const fs::path& path) {
    PathGrant grant{access, path.string()};
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
        grant.device = status.st_dev;
        grant.inode = status.st_ino;
    }
    return grant;
}

std::set<PathGrant> files_of(const fs::path& library) {
    std::set<PathGrant> files{granted(Access::read, library)};
    for (const fs::path& file : libraries_beside(library)) {
        files.insert(granted(Access::read, file));
    }
    return files;
}

Grants grants_of(const Descriptor& descriptor, const Value& config) {
    Grants grants;
    Rights& rights = grants.rights;
    rights.network = descriptor.needs_flag(CERTCAST_NEEDS_NETWORK);
    rights.unix_sockets = descriptor.needs_flag(CERTCAST_NEEDS_UNIX_SOCKETS);
    rights.exec = descriptor.needs_flag(CERTCAST_NEEDS_EXEC);
    rights.signals = descriptor.needs_flag(CERTCAST_NEEDS_SIGNALS);
    Gathering gathering(grants);
    gathering.object(config, descriptor.params);
    for (const FileGrant& file : descriptor.files) gathering.path(file.path, file.flags);
    for (const PathGrant& grant : grants.paths) {
        rights.keeps_user = rights.keeps_user || grant.access != Access::read;
    }
    return grants;
}

WorkerNeeds needs_of(const SessionRequest& request) {
    WorkerNeeds needs{.library = request.library, .grants = {}, .limits = request.limits};
    // With the sandbox off everything is granted, so that one server does for all.
    if (request.sandbox != Sandbox::off) {
        needs.grants = within(request.reach, grants_of(*request.descriptor, request.config));
    }
    needs.grants.rights.sandbox = request.sandbox;
    return needs;
}

}  // namespace certcast
