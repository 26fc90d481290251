// sample_memory PID WORKERS: waits until the process has that many descendants that have none of
// their own, then prints the kB of PSS and page tables of it and all its descendants.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using Children = std::multimap<long, long>;

Children children_by_parent() {
    Children children;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream file(entry.path() / "stat");
        std::string stat;
        std::getline(file, stat);
        const std::size_t behind_name = stat.rfind(')');
        if (behind_name == std::string::npos || behind_name + 4 > stat.size()) continue;
        children.emplace(std::strtol(stat.c_str() + behind_name + 4, nullptr, 10),
                         std::strtol(name.c_str(), nullptr, 10));
    }
    return children;
}

void collect(const Children& children, long process, std::vector<long>& all, long& leaves) {
    all.push_back(process);
    const auto [first, last] = children.equal_range(process);
    if (first == last) ++leaves;
    for (auto child = first; child != last; ++child) collect(children, child->second, all, leaves);
}

long kilobytes(long process, const char* file_name, const std::string& key) {
    std::ifstream file("/proc/" + std::to_string(process) + "/" + file_name);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key)) return std::strtol(line.c_str() + key.size(), nullptr, 10);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const long process = std::strtol(argv[1], nullptr, 10);
    const long workers = std::strtol(argv[2], nullptr, 10);
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < give_up) {
        std::vector<long> all;
        long leaves = 0;
        collect(children_by_parent(), process, all, leaves);
        if (leaves >= workers) {
            long total = 0;
            for (const long one : all) {
                total += kilobytes(one, "smaps_rollup", "Pss:");
                total += kilobytes(one, "status", "VmPTE:");
            }
            std::printf("%ld\n", total);
            return 0;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    std::fprintf(stderr, "sample_memory: there were never %ld workers\n", workers);
    return 1;
}
