#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/base/redactor.hpp"
#include "core/worker/call_wire.hpp"
#include "core/worker/frame.hpp"
#include "core/worker/output_lines.hpp"
#include "core/worker/work_root.hpp"
#include "core/worker/worker_exit.hpp"
#include "core/worker/worker_wire.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <span>

using namespace certcast;
using namespace certcast::testing;

namespace {

/// Two ends of a connection, and the buffer that frames are received into.
struct Line {
    Line() : pair(make_socket_pair().value()) {}

    Result<Received> receive(const Intake& intake = {}) {
        return receive_frame(pair.theirs.get(), buffer, intake);
    }
    /// Bytes as whoever does not keep to the protocol may send them, with a descriptor.
    void send_raw(const std::vector<std::uint32_t>& header, std::size_t more = 0, int fd = -1) {
        send_raw(header, more, fd < 0 ? std::vector<int>() : std::vector<int>{fd});
    }
    void send_raw(const std::vector<std::uint32_t>& header, std::size_t more,
                  const std::vector<int>& fds) {
        const auto words = std::as_bytes(std::span(header));
        std::vector<std::byte> bytes(words.begin(), words.end());
        bytes.resize(words.size() + more);
        iovec part{bytes.data(), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
        if (!fds.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* rights = CMSG_FIRSTHDR(&message);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
            std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
        }
        REQUIRE(sendmsg(pair.ours.get(), &message, 0) >= 0);
    }

    SocketPair pair;
    std::array<std::byte, frame_buffer_size> buffer;
};

constexpr auto log_type = static_cast<std::uint32_t>(FrameType::log);

Fd memfd_of(std::size_t size, int seals) {
    Fd memfd(memfd_create("test", MFD_ALLOW_SEALING));
    REQUIRE(ftruncate(memfd.get(), static_cast<off_t>(size)) == 0);
    REQUIRE(fcntl(memfd.get(), F_ADD_SEALS, seals) == 0);
    return memfd;
}

constexpr int all_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;

}  // namespace

TEST_CASE("a frame arrives as it was sent, whatever its size") {
    Line line;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, longest_inline_payload,
                                   longest_inline_payload + 1, std::size_t{5'000'000}}) {
        CAPTURE(size);
        std::vector<std::byte> payload(size);
        for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::byte>(i * 7);
        const auto frame = make_frame(FrameType::step, 42, payload);
        REQUIRE(frame.has_value());
        REQUIRE(send_frame(line.pair.ours.get(), *frame) == Sent::yes);
        const auto received = line.receive();
        REQUIRE(received.has_value());
        const Frame& got = std::get<Frame>(*received);
        CHECK(got.type == FrameType::step);
        CHECK(got.call == 42);
        CHECK(got.large.empty() == (size <= longest_inline_payload));
        CHECK(std::equal(got.payload.begin(), got.payload.end(), payload.begin(), payload.end()));
    }
}

TEST_CASE("descriptors travel with a frame, and only so many") {
    Line line;
    std::vector<Fd> fds;
    for (int i = 0; i < 2; ++i) fds.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const auto frame = make_frame(FrameType::spawn, 0, {}, std::move(fds));
    REQUIRE(send_frame(line.pair.ours.get(), *frame) == Sent::yes);
    CHECK(std::get<Frame>(*line.receive({.from_host = true})).fds.size() == 2);

    std::vector<Fd> too_many;
    for (std::size_t i = 0; i <= most_frame_fds; ++i) too_many.emplace_back(dup(0));
    CHECK(make_frame(FrameType::spawn, 0, {}, std::move(too_many)).has_error());
}

TEST_CASE("what nobody reads is taken all the same, an empty message and what follows it too") {
    Line line;
    const Fd given(open("/dev/null", O_RDONLY | O_CLOEXEC));
    line.send_raw({});
    line.send_raw({}, 0, given.get());
    line.send_raw({log_type, 0, 0, 0}, 0, given.get());
    drop_frames(line.pair.theirs.get(), {});
    CHECK(std::holds_alternative<NothingYet>(*line.receive()));
    line.send_raw({});
    line.pair.ours.reset();
    drop_frames(line.pair.theirs.get(), {});
    CHECK(std::holds_alternative<Closed>(*line.receive()));
}

TEST_CASE("descriptors that nobody wants are closed by whom they are given to") {
    Line line;
    std::size_t discarded = 0;
    const Intake intake{.discard = [&](const std::vector<Fd>& fds) { discarded += fds.size(); }};
    const Fd given(open("/dev/null", O_RDONLY | O_CLOEXEC));
    SUBCASE("with a frame that is malformed") {
        line.send_raw({log_type}, 0, {given.get(), given.get()});
        CHECK(line.receive(intake).has_error());
        CHECK(discarded == 2);
    }
    SUBCASE("with the memory of a large frame") {
        line.send_raw({static_cast<std::uint32_t>(FrameType::step), 0, 100, 1}, 0,
                      memfd_of(100, all_seals).get());
        CHECK(std::holds_alternative<Frame>(*line.receive(intake)));
        CHECK(discarded == 1);
    }
    SUBCASE("with what nobody reads") {
        line.send_raw({log_type, 0, 0, 0}, 0, given.get());
        drop_frames(line.pair.theirs.get(), intake);
        CHECK(discarded == 1);
    }
}

TEST_CASE("what is no frame is a violation, never a crash") {
    Line line;
    SUBCASE("shorter than a header") {
        line.send_raw({log_type});
    }
    SUBCASE("shorter than it says") {
        line.send_raw({log_type, 0, 10, 0}, 9);
    }
    SUBCASE("longer than it says") {
        line.send_raw({log_type, 0, 10, 0}, 11);
    }
    SUBCASE("longer than a frame can be") {
        line.send_raw({log_type, 0, 70'000, 0}, 70'000);
    }
    SUBCASE("with more descriptors than a frame carries") {
        line.send_raw({log_type, 0, 0, 0}, 0, std::vector<int>(most_frame_fds + 1, 0));
    }
    SUBCASE("large, without its memory") {
        line.send_raw({log_type, 0, 100, 1});
    }
    SUBCASE("large, with more beside its memory") {
        line.send_raw({log_type, 0, 100, 1}, 100, memfd_of(100, all_seals).get());
    }
    SUBCASE("large, in memory that can still be changed") {
        line.send_raw({log_type, 0, 100, 1}, 0, memfd_of(100, F_SEAL_GROW | F_SEAL_SHRINK).get());
    }
    SUBCASE("large, and shorter than it says") {
        line.send_raw({log_type, 0, 100, 1}, 0, memfd_of(99, all_seals).get());
    }
    SUBCASE("larger than anything") {
        line.send_raw({log_type, 0, static_cast<std::uint32_t>(longest_payload) + 1, 1}, 0,
                      memfd_of(100, all_seals).get());
    }
    SUBCASE("larger than one of its type can be") {
        const std::size_t size = longest_payload_of(FrameType::log) + 1;
        line.send_raw({log_type, 0, static_cast<std::uint32_t>(size), 1}, 0,
                      memfd_of(size, all_seals).get());
    }
    SUBCASE("of a type that only the host sends") {
        line.send_raw({static_cast<std::uint32_t>(FrameType::reply), 0, 0, 0});
    }
    SUBCASE("large, in something that is no memory") {
        const Fd file(open("/proc/self/exe", O_RDONLY));
        line.send_raw({log_type, 0, 100, 1}, 0, file.get());
    }
    CHECK(line.receive().has_error());
}

TEST_CASE("what a peer sent before it died without reading is still received") {
    Line line;
    const auto unread = make_frame(FrameType::reply, 1, {});
    REQUIRE(send_frame(line.pair.theirs.get(), *unread) == Sent::yes);
    const auto last = make_frame(FrameType::result, 2, {});
    REQUIRE(send_frame(line.pair.ours.get(), *last) == Sent::yes);
    line.pair.ours.reset();
    const auto received = line.receive();
    REQUIRE(std::holds_alternative<Frame>(*received));
    CHECK(std::get<Frame>(*received).type == FrameType::result);
    CHECK(std::holds_alternative<Closed>(*line.receive()));
}

TEST_CASE("nothing yet and closed are told apart") {
    Line line;
    CHECK(std::holds_alternative<NothingYet>(*line.receive()));
    line.pair.ours.reset();
    CHECK(std::holds_alternative<Closed>(*line.receive()));
}

TEST_CASE("a text or a list that is longer than a worker sends is a violation") {
    const auto log_of = [](std::size_t size, std::size_t fields) {
        wire::Writer out;
        out.u32(1);
        out.text(std::string(size, 'x'));
        out.u32(static_cast<std::uint32_t>(fields));
        for (std::size_t i = 0; i < 2 * fields; ++i) out.text("y");
        const Secret bytes = out.take();
        Frame frame;
        frame.payload = bytes.bytes();
        return decode_log(frame).has_value();
    };
    CHECK(log_of(16 * 1024, 64));
    CHECK_FALSE(log_of(16 * 1024 + 1, 0));
    CHECK_FALSE(log_of(1, 65));
}

TEST_CASE("what is printed is cut into lines, of which only so much is kept") {
    OutputLines lines;
    CHECK(lines.take("one\ntw") == std::vector<std::string>{"one"});
    CHECK(lines.take("o\n\nthree") == std::vector<std::string>{"two", ""});
    CHECK(lines.rest() == std::vector<std::string>{"three"});

    const auto long_line = lines.take(std::string(5'000, 'x') + "\nshort\n");
    REQUIRE(long_line.size() == 2);
    CHECK(long_line[0].size() == 4'096);
    CHECK(long_line[1] == "short");
    CHECK(lines.rest() == std::vector<std::string>{"(904 more bytes of output were dropped)"});

    std::size_t kept = 0;
    OutputLines flood;
    for (int i = 0; i < 10'000; ++i) kept += flood.take("a line of a hundred bytes or so\n").size();
    CHECK(kept < 10'000);
    CHECK(flood.rest().back().find("dropped") != std::string::npos);
}

TEST_CASE("a secret that is printed in two writes is masked") {
    Redactor redactor;
    redactor.add("hunter22");
    OutputLines lines;
    CHECK(lines.take("login with hun").empty());
    const auto whole = lines.take("ter22 failed\nand with hunter22\nhunter");
    REQUIRE(whole.size() == 2);
    CHECK(redactor.redact(whole[0]) == "login with *** failed");
    CHECK(redactor.redact(whole[1]) == "and with ***");
    CHECK(redactor.redact(lines.rest().front()) == "***");
}

TEST_CASE("the way a worker ended is told by its kind") {
    const auto ended = [](const WorkerExit& exit, bool started = true) {
        return outcome_of(exit, started, Limits{}, Stage::verify);
    };
    CHECK(ended({.signal = SIGSEGV}).ended == Ended::crashed);
    CHECK(ended({.signal = SIGSEGV}).failure.message.find("SIGSEGV") != std::string::npos);
    CHECK(ended({.status = 3}).ended == Ended::failed);
    CHECK(ended({.status = 3}).failure.message.find("exit status 3") != std::string::npos);
    CHECK(ended({.status = exit_protocol}).ended == Ended::protocol_error);
    CHECK(ended({.status = exit_host_gone}).ended == Ended::protocol_error);
    CHECK(ended({.status = exit_setup}).ended == Ended::setup_failed);
    CHECK(ended({.setup_error = "no", .server_gone = true}).ended == Ended::crashed);
    CHECK(ended({.setup_error = "no", .server_gone = true}, false).ended == Ended::setup_failed);
    CHECK(ended({.setup_error = "no", .server_gone = true, .interrupted = true}).ended ==
          Ended::cancelled);
    CHECK(ended({.status = 3}).stage == Stage::verify);
}

TEST_CASE("an end that a limit explains is that limit's, and no other is") {
    Limits limits;
    limits.memory = 800;
    limits.cpu = Duration(1000);
    const auto limit_of = [&limits](const WorkerExit& exit) {
        return outcome_of(exit, true, limits, Stage::deploy).limit;
    };
    CHECK(limit_of({.signal = SIGXCPU}) == "cpu");
    CHECK(limit_of({.signal = SIGKILL, .cpu = Duration(1000)}) == "cpu");
    CHECK(limit_of({.signal = SIGKILL, .cpu = Duration(999)}).empty());
    CHECK(limit_of({.signal = SIGXFSZ}) == "file_size");
    CHECK(limit_of({.status = exit_out_of_memory}) == "memory");
    CHECK(limit_of({.signal = SIGSEGV, .most_memory = 700}) == "memory");
    CHECK(limit_of({.signal = SIGSEGV, .most_memory = 699}).empty());
    CHECK(limit_of({.most_memory = 900}).empty());
    limits = {.memory = 0, .cpu = Duration(0), .file_size = 0};
    CHECK(limit_of({.signal = SIGXCPU}).empty());
    CHECK(limit_of({.signal = SIGXFSZ}).empty());
    CHECK(limit_of({.signal = SIGKILL, .cpu = Duration(1000), .most_memory = 1 << 30}).empty());
}

TEST_CASE("a work folder is private, goes with its owner, and outlives others' clean-ups") {
    const TemporaryFolder folder;
    const auto parent = folder / "work";
    std::filesystem::path left;
    {
        auto mine = WorkRoot::make(parent);
        REQUIRE(mine.has_value());
        // Others may pass through where root runs workers as other users; nobody may look.
        using std::filesystem::perms;
        const perms passing = geteuid() == 0 ? perms::group_exec | perms::others_exec : perms::none;
        CHECK(std::filesystem::status(mine->path()).permissions() == (perms::owner_all | passing));
        // As if its host had been killed: there, and locked by nobody.
        left = parent / "work-abcdef";
        std::filesystem::create_directories(left / "7");
        auto other = WorkRoot::make(parent);
        REQUIRE(other.has_value());
        CHECK(std::filesystem::exists(mine->path()));
        CHECK(other->path() != mine->path());
        CHECK_FALSE(std::filesystem::exists(left));
        std::filesystem::create_directory(mine->path() / "1");
    }
    CHECK(std::filesystem::is_empty(parent));
}
