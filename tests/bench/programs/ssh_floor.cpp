// ssh_floor PORT USER KEY_FILE TARGETS PARALLEL CERTIFICATE KEY: what libssh itself takes to write
// two files to FOLDER/crt and FOLDER/key of each line of TARGETS, one connection and one process
// for each, without looking at what is there, checking whose host it is, or switching anything.
// Prints the seconds that took.
#include "tests/bench/programs/fork_each.hpp"

#include <libssh/libssh.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::string contents_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

bool write_there(ssh_session session, const std::string& path, const std::string& contents) {
    ssh_channel channel = ssh_channel_new(session);
    char rest[256];
    bool done =
        ssh_channel_open_session(channel) == SSH_OK &&
        ssh_channel_request_exec(channel, ("umask 077; cat >" + path).c_str()) == SSH_OK &&
        ssh_channel_write(channel, contents.data(), static_cast<uint32_t>(contents.size())) ==
            static_cast<int>(contents.size()) &&
        ssh_channel_send_eof(channel) == SSH_OK;
    while (ssh_channel_read(channel, rest, sizeof rest, 0) > 0) continue;
    done = done && ssh_channel_get_exit_status(channel) == 0;
    ssh_channel_free(channel);
    return done;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 8) return 2;
    const unsigned port = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
    std::vector<std::string> folders;
    std::ifstream list(argv[4]);
    for (std::string line; std::getline(list, line);) folders.push_back(line);
    const std::size_t parallel = std::strtoul(argv[5], nullptr, 10);
    const std::string certificate = contents_of(argv[6]);
    const std::string key = contents_of(argv[7]);
    const auto write_both = [&](const std::string& folder) {
        ssh_session session = ssh_new();
        const bool process_config = false;
        ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &process_config);
        ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
        ssh_options_set(session, SSH_OPTIONS_PORT, &port);
        ssh_options_set(session, SSH_OPTIONS_USER, argv[2]);
        ssh_key identity = nullptr;
        return ssh_pki_import_privkey_file(argv[3], nullptr, nullptr, nullptr, &identity) ==
                   SSH_OK &&
               ssh_connect(session) == SSH_OK &&
               ssh_userauth_publickey(session, nullptr, identity) == SSH_AUTH_SUCCESS &&
               write_there(session, folder + "/crt", certificate) &&
               write_there(session, folder + "/key", key);
    };
    return fork_each(folders.size(), parallel, "ssh_floor",
                     [&](std::size_t i) { return write_both(folders[i]); });
}
