#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/unit/each_byte.hpp"
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <openssl/evp.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace certcast::testing;
namespace fs = std::filesystem;

namespace {

const std::string secret = "correct-horse-battery";

std::string base64(const std::string& text) {
    std::string out((text.size() + 2) / 3 * 4 + 1, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                    reinterpret_cast<const unsigned char*>(text.data()),
                    static_cast<int>(text.size()));
    out.pop_back();
    return out;
}

/// The lines of a key between those that begin and end it.
std::vector<std::string> lines_of_key(const Workspace& workspace) {
    std::vector<std::string> lines;
    std::istringstream file(read_text(workspace / "shop.key"));
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("-")) lines.push_back(line);
    }
    return lines;
}

/// The 32 bytes in the middle of a P-256 key that are the key.
std::string number_of_key(const Workspace& workspace) {
    std::string text;
    for (const std::string& line : lines_of_key(workspace)) text += line;
    std::string der(text.size(), '\0');
    EVP_DecodeBlock(reinterpret_cast<unsigned char*>(der.data()),
                    reinterpret_cast<const unsigned char*>(text.data()),
                    static_cast<int>(text.size()));
    return der.substr(36, 32);
}

/// A mapping of a process that it may write to.
struct Mapping {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    bool undumped = false;
    std::string name;
};

std::vector<Mapping> mappings_of(pid_t process) {
    std::vector<Mapping> found;
    std::ifstream maps("/proc/" + std::to_string(process) + "/smaps");
    bool writable = false;
    for (std::string line; std::getline(maps, line);) {
        Mapping mapping;
        char mode[5] = "";
        if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &mapping.from, &mapping.to,
                        mode) == 3) {
            writable = mode[1] == 'w';
            mapping.name = line;
            if (writable) found.push_back(mapping);
        } else if (writable && line.starts_with("VmFlags:")) {
            found.back().undumped = (line + " ").find(" dd ") != std::string::npos;
        }
    }
    return found;
}

/// In which mappings of a process a text stands.
std::vector<Mapping> where_it_stands(pid_t process, const std::vector<std::string>& texts) {
    std::vector<Mapping> found;
    const int memory = open(("/proc/" + std::to_string(process) + "/mem").c_str(), O_RDONLY);
    REQUIRE(memory >= 0);
    for (const Mapping& mapping : mappings_of(process)) {
        constexpr std::uint64_t largest = 1 << 30;  // larger is what a sanitizer keeps its books in
        if (mapping.to - mapping.from > largest) continue;
        std::string content(mapping.to - mapping.from, '\0');
        const ssize_t got =
            pread(memory, content.data(), content.size(), static_cast<off_t>(mapping.from));
        content.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        for (const std::string& text : texts) {
            if (content.find(text) == std::string::npos) continue;
            found.push_back(mapping);
            break;
        }
    }
    close(memory);
    return found;
}

bool may_read_memory_of(pid_t process) {
    const int memory = open(("/proc/" + std::to_string(process) + "/mem").c_str(), O_RDONLY);
    char byte = 0;
    const std::vector<Mapping> mappings = mappings_of(process);
    const bool can = memory >= 0 && !mappings.empty() &&
                     pread(memory, &byte, 1, static_cast<off_t>(mappings.front().from)) == 1;
    close(memory);
    return can;
}

}  // namespace

TEST_CASE("neither secret nor key is in any output, however a plugin writes them") {
    Workspace workspace;
    workspace.environment()["TEST_PASSWORD"] = secret;
    std::vector<std::string> leaks = {
        secret.substr(0, 10),         base64("user:" + secret).substr(8, 16),
        base64(secret).substr(0, 16), each_byte(secret, "%02x"),
        each_byte(secret, "%%%02X"),  "PRIVATE KEY"};
    std::string whole;
    for (const std::string& line : lines_of_key(workspace)) {
        whole += line;
        leaks.push_back(line);
        leaks.push_back(base64(line).substr(0, 24));
        leaks.push_back(each_byte(line, "%02x"));
    }
    leaks.push_back(whole.substr(52, 38));  // of the number that is the key
    for (const std::string output : {"plain", "json"}) {
        CAPTURE(output);
        const Run run = workspace.run(
            workspace.head() +
                std::string(deployment("leaky", "test-leaks-everything")
                                .value("config", "{ password = { env = \"TEST_PASSWORD\" } }")),
            {"--output", output, "--verbose"});
        const std::string report = boost::json::serialize(run.report);
        const auto shown_later = workspace.start({"show", "last"});
        REQUIRE(shown_later->wait().status == 0);
        REQUIRE(shown_later->output().find("password=***") != std::string::npos);
        const auto state = workspace / "state/certcast";
        const std::string all = run.output + run.errors + report + shown_later->output() +
                                read_text(state / "journal.db") +
                                read_text(state / "journal.db-wal");
        CAPTURE(all);
        REQUIRE(run.status == 1);
        CHECK(run.message("leaky") == "***");
        for (const std::string shown : {"Authorization: Basic dXNlcj***", "GET /?password=***"}) {
            CAPTURE(shown);
            CHECK(run.output.find(shown) != std::string::npos);
            CHECK(report.find(shown) != std::string::npos);
        }
        for (const std::string& leak : leaks) {
            CAPTURE(leak);
            CHECK(all.find(leak) == std::string::npos);
        }
    }
}

TEST_CASE("secret and key are with the host and the worker that asked, and nowhere else") {
    Workspace workspace;
    std::string source = "env = \"TEST_PASSWORD\"";
    SUBCASE("from the environment") {
        workspace.environment()["TEST_PASSWORD"] = secret;
    }
    SUBCASE("from a field of a file") {
        const std::string content = "{\"user\": \"me\", \"password\": \"" + secret + "\"}";
        source = "file = \"" + workspace.folder().write("given.json", content).string() +
                 "\", field = \"password\"";
    }
    SUBCASE("from a command") {
        source =
            "command = [\"cat\", \"" + workspace.folder().write("given", secret).string() + "\"]";
    }
    const Announcements announcements(workspace / "announce");
    const auto process = workspace.start_run(
        workspace.head() +
        std::string(deployment("held", "test-holds-secrets")
                        .value("config", "{ password = { " + source + " }, announce = \"" +
                                             announcements.path().string() + "\" }")));
    const Announcements::Line worker = announcements.next();
    const pid_t server = worker.parent;
    REQUIRE(program_of(server) == "certcast-worker");
    std::vector<std::string> texts = lines_of_key(workspace);
    texts.push_back(secret);
    texts.push_back(number_of_key(workspace));
    const auto holds_one = [&](const std::string& content) {
        for (const std::string& text : texts) {
            if (content.find(text) != std::string::npos) return true;
        }
        return false;
    };
    for (const pid_t one : {process->pid(), server, worker.process}) {
        for (const char* file : {"environ", "cmdline"}) {
            const fs::path path = fs::path("/proc") / std::to_string(one) / file;
            CAPTURE(path.string());
            CHECK_FALSE(holds_one(read_text(path)));
        }
    }
    std::error_code hidden;
    const fs::path work_folder =
        fs::read_symlink("/proc/" + std::to_string(worker.process) + "/cwd", hidden);
    if (!hidden) {
        for (const auto& entry : fs::recursive_directory_iterator(work_folder.parent_path())) {
            CAPTURE(entry.path().string());
            CHECK_FALSE((entry.is_regular_file() && holds_one(read_text(entry.path()))));
        }
    }
    if (may_read_memory_of(server)) {
        CHECK(where_it_stands(server, texts).empty());
        for (const pid_t one : {process->pid(), worker.process}) {
            const std::vector<Mapping> found = where_it_stands(one, texts);
            CHECK_FALSE(found.empty());
            for (const Mapping& mapping : found) {
                CAPTURE(one == worker.process);
                CAPTURE(mapping.name);
#ifndef __SANITIZE_ADDRESS__  // which copies the environment for itself
                CHECK(mapping.undumped);
#endif
            }
        }
    } else {
        MESSAGE("skipped: reading the memory of others takes root");
    }
    process->signal(SIGINT);
    process->wait();
}
