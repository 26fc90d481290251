#pragma once

#include <condition_variable>
#include <mutex>
#include <ostream>
#include <streambuf>
#include <string>
#include <thread>

namespace certcast {

/// An output stream that does not wait for its reader: a pager that shows one page or a stopped
/// terminal must not hold up deadlines. A thread of its own writes; only who is 64 MiB ahead waits.
class PatientOutput : private std::streambuf {
public:
    explicit PatientOutput(int fd);
    PatientOutput(const PatientOutput&) = delete;
    PatientOutput& operator=(const PatientOutput&) = delete;
    ~PatientOutput() override { close(); }

    std::ostream& stream() { return stream_; }
    /// Waits until everything is written. 0, or the errno of what was not.
    int close();

private:
    int_type overflow(int_type character) override;
    std::streamsize xsputn(const char* text, std::streamsize size) override;
    void write_on();

    int fd_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string ahead_;
    bool closing_ = false;
    int failure_ = 0;
    std::ostream stream_{this};
    std::thread writer_;
};

}  // namespace certcast
