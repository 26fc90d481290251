// Runs a fuzz target over every file of a corpus, in the place of libFuzzer.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

bool replay(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in) {
        std::fprintf(stderr, "%s: cannot be read\n", file.c_str());
        return false;
    }
    // Named before, since a target ends the process where it finds something.
    std::fprintf(stderr, "%s\n", file.filename().c_str());
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    std::error_code failure;
    int files = 0;
    for (std::filesystem::directory_iterator it(argv[1], failure), end; !failure && it != end;
         it.increment(failure)) {
        if (!replay(it->path())) return 1;
        ++files;
    }
    if (failure || files == 0) {
        std::fprintf(stderr, "%s: holds no corpus\n", argv[1]);
        return 1;
    }
    std::printf("%d inputs\n", files);
    return 0;
}
