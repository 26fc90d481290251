#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace certcast::testing {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::milliseconds;
using Environment = std::map<std::string, std::string>;

/// How a program ended.
struct Ending {
    int status = 0;        ///< exit status, or 128 + signal
    long max_rss_kb = 0;   ///< of it and of those that it waited for
    Milliseconds took{0};  ///< from start to end
};

/// A real program with captured output. This process becomes the reaper of whatever the program
/// leaves behind, so that leftovers() finds it. Destroying a running one kills it.
class Process {
public:
    Process(std::vector<std::string> argv, const Environment& environment);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();

    pid_t pid() const { return pid_; }
    void signal(int number) const;
    /// Throws, with what the program has said so far, when it still runs at the limit.
    Ending wait(Milliseconds limit = 60s);
    std::string output() const;
    std::string errors() const;

private:
    std::string argv0_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int output_ = -1;
    int errors_ = -1;
    bool ended_ = false;
    std::chrono::steady_clock::time_point started_;
};

/// What a program says that ends well; throws, with what it complains of, where it does not.
std::string said_by(const std::vector<std::string>& program, const Environment& environment);

/// Living processes that were left to this one by programs it started: "PID COMMAND".
std::vector<std::string> leftovers();

/// Kills them, and what they leave in turn.
void end_leftovers();

/// All that descend from `ancestor`, itself not among them.
std::vector<pid_t> descendants(pid_t ancestor);

/// The name of its program, as in /proc/PID/comm; empty when it is gone.
std::string program_of(pid_t process);

/// 0 when it is gone.
pid_t parent_of(pid_t process);

/// What a file says, of /proc for instance; nothing when it is gone.
std::string content_of(const std::filesystem::path& file);

/// 'R', 'S', 'T', 'Z', or 0 when it is gone.
char state_of(pid_t process);

/// Asks again every few milliseconds, for what the kernel gives no event. Throws at the limit.
void wait_until(std::string_view what, const std::function<bool()>& holds,
                Milliseconds limit = 20s);

/// Waits until there are no leftovers: of killed programs, whose end the kernel takes its time over
/// on a busy machine. Throws at the limit.
void wait_for_no_leftovers(Milliseconds limit = 10s);

/// Tells when processes that it was made with have ended, though they are no children.
class Watch {
public:
    explicit Watch(const std::vector<pid_t>& processes);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    std::size_t size() const { return pidfds_.size(); }
    bool all_end_within(Milliseconds limit) const;

private:
    std::vector<int> pidfds_;
};

/// A FIFO into which test plugins write two numbers a line, mostly their process and its parent.
class Announcements {
public:
    explicit Announcements(std::filesystem::path path);
    Announcements(const Announcements&) = delete;
    Announcements& operator=(const Announcements&) = delete;
    ~Announcements();

    struct Line {
        pid_t process = 0;
        pid_t parent = 0;
    };
    /// Waits for the next line. Throws when none comes.
    Line next(Milliseconds limit = 20s) const;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    int fd_ = -1;
};

}  // namespace certcast::testing
