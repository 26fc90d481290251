#include "plugins/ssh/sftp.hpp"

#include <certcast/errors.hpp>

#include <algorithm>
#include <utility>

namespace ssh {

namespace {

enum Type : std::uint8_t {
    init = 1,
    version = 2,
    open_file = 3,
    close_file = 4,
    read_file = 5,
    write_file = 6,
    set_attributes = 9,
    remove_file = 13,
    resolve = 16,
    stat_file = 17,
    rename_file = 18,
    status = 101,
    handle = 102,
    data = 103,
    name = 104,
    attributes = 105,
    extended = 200
};

constexpr std::uint32_t status_ok = 0;
constexpr std::uint32_t status_end = 1;
constexpr std::uint32_t status_absent = 2;

constexpr std::uint32_t for_reading = 0x01;
constexpr std::uint32_t for_writing = 0x02;
constexpr std::uint32_t if_new = 0x08 | 0x20;  // CREAT and EXCL

constexpr std::uint32_t has_size = 0x01;
constexpr std::uint32_t has_owner = 0x02;
constexpr std::uint32_t has_mode = 0x04;

constexpr std::size_t piece = 32 * 1024;

/// What is sent, one after the other.
class Words {
public:
    Words&& number(std::uint64_t value, int bytes = 4) && {
        for (int i = bytes - 1; i >= 0; --i) {
            const char byte = static_cast<char>((value >> (8 * i)) & 0xff);
            bytes_ += std::string_view(&byte, 1);
        }
        return std::move(*this);
    }
    Words&& text(std::string_view text) && {
        std::move(*this).number(text.size());
        bytes_ += text;
        return std::move(*this);
    }
    operator const certcast::Sensitive&() const { return bytes_; }

private:
    certcast::Sensitive bytes_;
};

/// What has been received, from the front. Throws where it is too short.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        for (const char byte : take(bytes)) value = value << 8 | static_cast<unsigned char>(byte);
        return value;
    }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::string_view text() { return take(u32()); }
    bool is_empty() const { return rest_.empty(); }

private:
    std::string_view take(std::size_t bytes) {
        if (bytes > rest_.size()) {
            throw certcast::remote_error("the host's SFTP server sent a broken packet");
        }
        const std::string_view taken = rest_.substr(0, bytes);
        rest_.remove_prefix(bytes);
        return taken;
    }

    std::string_view rest_;
};

/// Of a status; other answers have none.
std::optional<std::uint32_t> code_of(std::uint8_t type, std::string_view payload) {
    if (type != status) return std::nullopt;
    return Reader(payload).u32();
}

}  // namespace

Sftp::Sftp(Connection& connection, const certcast::Job& job)
    : whose_(connection.text()), channel_(connection.start_subsystem("sftp", job)) {
    constexpr std::uint32_t our_version = 3;
    const certcast::Sensitive hello = Words().number(5).number(init, 1).number(our_version);
    channel_.write(hello, job);
    const Answer answer = receive(job);
    Reader in(answer.payload.text());
    if (answer.type != version || in.u32() < our_version) {
        throw certcast::remote_error(whose_ + ": the host speaks no SFTP of version 3");
    }
    while (!in.is_empty()) {
        extensions_.emplace(in.text());
        in.text();
    }
}

Sftp::Answer Sftp::receive(const certcast::Job& job) {
    constexpr std::size_t longest = 256 * 1024;
    const certcast::Sensitive head = channel_.bytes(5, job);
    Reader in(head.text());
    const std::size_t size = in.u32();
    if (size < 1 || size > longest) {
        throw certcast::remote_error(whose_ + ": what answers is no SFTP server");
    }
    Answer answer;
    answer.type = static_cast<std::uint8_t>(in.number(1));
    answer.payload = channel_.bytes(size - 1, job);
    return answer;
}

Sftp::Answer Sftp::ask(std::uint8_t type, const certcast::Sensitive& arguments,
                       const certcast::Job& job) {
    const std::uint32_t number = next_++;
    const certcast::Sensitive head =
        Words().number(arguments.size() + 5).number(type, 1).number(number);
    channel_.write(head + arguments, job);
    Answer answer = receive(job);
    Reader in(answer.payload.text());
    if (in.u32() != number) {
        throw certcast::remote_error(whose_ + ": the SFTP server answered what was not asked for");
    }
    answer.payload = certcast::Sensitive(answer.payload.text().substr(4));
    return answer;
}

void Sftp::expect_done(const Answer& answer, const std::string& what) const {
    const auto code = code_of(answer.type, answer.payload.text());
    if (code == status_ok) return;
    if (!code) throw certcast::remote_error(whose_ + ": " + what + ": an answer of another kind");
    Reader in(answer.payload.text());
    in.u32();
    throw certcast::config_error(what + ": " + std::string(in.text()));
}

std::optional<Sftp::Attributes> Sftp::look(const std::string& path, const certcast::Job& job) {
    const Answer answer = ask(stat_file, Words().text(path), job);
    if (code_of(answer.type, answer.payload.text()) == status_absent) return std::nullopt;
    if (answer.type != attributes) expect_done(answer, path);
    Reader in(answer.payload.text());
    const std::uint32_t flags = in.u32();
    Attributes found;
    if ((flags & has_size) != 0) found.size = in.number(8);
    if ((flags & has_owner) != 0) {
        found.owner = in.u32();
        found.group = in.u32();
    }
    if ((flags & has_mode) != 0) found.mode = in.u32();
    return found;
}

std::string Sftp::real_path(const std::string& path, const certcast::Job& job) {
    const Answer answer = ask(resolve, Words().text(path), job);
    if (answer.type != name) expect_done(answer, path);
    Reader in(answer.payload.text());
    if (in.u32() != 1) throw certcast::remote_error(whose_ + ": " + path + " has no one name");
    return std::string(in.text());
}

std::string Sftp::open(const std::string& path, std::uint32_t flags, std::uint32_t mode,
                       const certcast::Job& job) {
    const Answer answer =
        ask(open_file, Words().text(path).number(flags).number(has_mode).number(mode), job);
    if (answer.type != handle) expect_done(answer, path);
    return std::string(Reader(answer.payload.text()).text());
}

void Sftp::close(const std::string& handle, const std::string& path, const certcast::Job& job) {
    expect_done(ask(close_file, Words().text(handle), job), path);
}

certcast::Sensitive Sftp::read(const std::string& path, const certcast::Job& job) {
    constexpr std::size_t most = 16 * 1024 * 1024;
    constexpr std::uint32_t no_mode = 0;
    const std::string file = open(path, for_reading, no_mode, job);
    certcast::Sensitive contents;
    for (;;) {
        const Answer answer =
            ask(read_file, Words().text(file).number(contents.size(), 8).number(piece), job);
        if (code_of(answer.type, answer.payload.text()) == status_end) break;
        if (answer.type != data) expect_done(answer, path);
        const std::size_t before = contents.size();
        contents += Reader(answer.payload.text()).text();
        if (contents.size() == before || contents.size() > most)
            throw certcast::remote_error(path + " has no end");
    }
    close(file, path, job);
    return contents;
}

void Sftp::write_new(const std::string& path, const certcast::Sensitive& contents,
                     const certcast::Job& job) {
    constexpr std::uint32_t private_mode = 0600;
    const std::string file = open(path, for_writing | if_new, private_mode, job);
    for (std::size_t done = 0; done < contents.size(); done += piece) {
        const std::string_view next = contents.text().substr(done, piece);
        expect_done(ask(write_file, Words().text(file).number(done, 8).text(next), job), path);
    }
    if (extensions_.contains(sync_file)) {
        expect_done(ask(extended, Words().text(sync_file).text(file), job), path);
    }
    close(file, path, job);
}

void Sftp::set_mode(const std::string& path, std::uint32_t mode, const certcast::Job& job) {
    expect_done(ask(set_attributes, Words().text(path).number(has_mode).number(mode), job), path);
}

void Sftp::give_to(const std::string& path, std::uint32_t owner, std::uint32_t group,
                   const certcast::Job& job) {
    const certcast::Sensitive who =
        Words().text(path).number(has_owner).number(owner).number(group);
    expect_done(ask(set_attributes, who, job), path);
}

void Sftp::link(const std::string& from, const std::string& to, const certcast::Job& job) {
    expect_done(ask(extended, Words().text(hard_link).text(from).text(to), job), from);
}

void Sftp::rename(const std::string& from, const std::string& to, const certcast::Job& job) {
    if (renames_onto()) {
        return expect_done(ask(extended, Words().text(posix_rename).text(from).text(to), job), to);
    }
    remove(to, job);  // a plain rename fails where something is
    expect_done(ask(rename_file, Words().text(from).text(to), job), to);
}

void Sftp::remove(const std::string& path, const certcast::Job& job) {
    const Answer answer = ask(remove_file, Words().text(path), job);
    if (code_of(answer.type, answer.payload.text()) != status_absent) expect_done(answer, path);
}

}  // namespace ssh
