// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <certcast/errors.hpp>
#include <certcast/free_with.hpp>
#include <certcast/http.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certcast::http {

namespace {

using detail::FreeWith;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Lines of headers, some of which are secret.
void wipe(curl_slist* list) {
    for (curl_slist* line = list; line != nullptr; line = line->next) {
        ::explicit_bzero(line->data, std::strlen(line->data));
    }
    curl_slist_free_all(list);
}

using Url = std::unique_ptr<CURLU, FreeWith<curl_url_cleanup>>;
using List = std::unique_ptr<curl_slist, FreeWith<wipe>>;

/// Set up when this is loaded, and so for all attempts that are forked from there.
const CURLcode set_up = curl_global_init(CURL_GLOBAL_DEFAULT);

void append(List& list, const Sensitive& line) {
    curl_slist* const longer =
        curl_slist_append(list.get(), (line + std::string_view("\0", 1)).data());
    if (longer == nullptr) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
}

Url parsed(const std::string& url) {
    Url parts(curl_url());
    if (!parts) throw std::bad_alloc();
    const CURLUcode status = curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0);
    if (status != CURLUE_OK) {
        throw config_error(shown(url) + " is no URL: " + curl_url_strerror(status));
    }
    return parts;
}

/// Empty where it has none.
std::string part_of(const Url& url, CURLUPart part) {
    char* text = nullptr;
    const unsigned flags = part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
    if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
    const std::unique_ptr<char, FreeWith<curl_free>> owner(text);
    return text;
}

/// libcurl would show a proxy that it does not understand, with its password.
void expect_proxy(const std::string& proxy) {
    const Url parts(curl_url());
    if (!parts) throw std::bad_alloc();
    static constexpr std::array known{"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    const bool is_url = curl_url_set(parts.get(), CURLUPART_URL, proxy.c_str(),
                                     CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
    if (is_url &&
        std::find(known.begin(), known.end(), part_of(parts, CURLUPART_SCHEME)) != known.end()) {
        return;
    }
    throw config_error("the proxy is no URL of one: http://[USER:PASSWORD@]HOST:PORT");
}

/// Where an answer leads to; empty where nowhere.
std::string target_of(const Response& response, const std::string& url) {
    const std::optional<std::string_view> to = response.header("Location");
    if (!to || response.status < 301 || response.status > 308 || response.status == 304) return {};
    const Url parts = parsed(url);
    if (curl_url_set(parts.get(), CURLUPART_URL, std::string(*to).c_str(), 0) != CURLUE_OK) {
        throw remote_error(shown(url) + " redirects to what is no URL").permanent();
    }
    return part_of(parts, CURLUPART_URL);
}

std::string origin_of(const Url& url) {
    return part_of(url, CURLUPART_SCHEME) + "://" + part_of(url, CURLUPART_HOST) + ":" +
           part_of(url, CURLUPART_PORT);
}

/// By names that vendors use for tokens, keys and signatures.
bool may_be_secret(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    static constexpr std::array words{"auth",   "cookie",    "token", "key",
                                      "secret", "signature", "pass",  "credential"};
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return name.find(word) != std::string::npos; });
}

/// Tells at debug what is sent and what is received: in one line, since each of them goes to the
/// host, or in two where the answer does not come at once. As curl has it, "> " stands before what
/// is sent and "< " before what is received.
class Telling {
public:
    Telling(const Job& job, std::string sent, const std::vector<Header>& headers)
        : job_(job), line_(std::move(sent)) {
        add("> ", headers);
    }

    /// How long the answer may take before it is told what was sent. None: that is told already.
    std::optional<milliseconds> patience() const {
        if (line_.empty()) return std::nullopt;
        constexpr milliseconds at_once(500);
        const auto left = at_once - taken();
        return std::max(left, milliseconds(0));
    }
    void tell_sent() {
        if (!line_.empty()) tell();
    }
    void tell_received(const Response& response) {
        if (!line_.empty()) line_ += ": ";
        line_ += std::to_string(response.status) + ", " + std::to_string(response.body.size()) +
                 " bytes in " + std::to_string(taken().count()) + " ms";
        add("< ", response.headers);
        tell();
    }

private:
    milliseconds taken() const {
        return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun_);
    }
    void add(std::string_view mark, const std::vector<Header>& headers) {
        constexpr std::size_t most = 32;  // of 64 that a line has
        for (std::size_t i = 0; i < std::min(headers.size(), most); ++i) {
            const auto& [name, value] = headers[i];
            // Some values are URLs.
            fields_.emplace_back(std::string(mark) + name,
                                 may_be_secret(name) ? "***" : shown(value.text()));
        }
    }
    void tell() {
        job_.log(Level::debug, line_, std::vector<NamedText>(fields_.begin(), fields_.end()));
        line_.clear();
        fields_.clear();
    }

    const Job& job_;
    const steady_clock::time_point begun_ = steady_clock::now();
    std::string line_;  ///< empty: nothing waits to be told
    std::vector<std::pair<std::string, std::string>> fields_;
};

[[noreturn]] void throw_failure(CURLcode status, const std::string& message) {
    switch (status) {
        case CURLE_OPERATION_TIMEDOUT:
            throw timeout_error(message);
        case CURLE_OUT_OF_MEMORY:
            throw std::bad_alloc();
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
            throw config_error(message);
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_BAD_CONTENT_ENCODING:
            throw remote_error(message);
        default:
            throw network_error(message);
    }
}

curl_blob blob_of(std::string_view bytes) {
    return {const_cast<char*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};
}

}  // namespace

/// One connection pool, and the request that is under way.
class Client::Transfer {
public:
    explicit Transfer(Settings settings)
        : settings_(std::move(settings)), easy_(curl_easy_init()), multi_(curl_multi_init()) {
        if (set_up != CURLE_OK || !easy_ || !multi_) throw std::bad_alloc();
    }

    Response send(const Request& request, const Job& job) {
        constexpr int most_redirects = 5;
        const std::string what = request.method + " " + shown(request.url);
        std::string url = request.url;
        for (int redirects = 0;; ++redirects) {
            Response response = exchange(request, url, what, job);
            const std::string next = target_of(response, url);
            if (next.empty()) return response;
            const std::string text = what + ": the server redirects to " + shown(next);
            if (request.method != "GET" && request.method != "HEAD") {
                throw remote_error(text + ", which is followed for GET and HEAD alone").permanent();
            }
            if (origin_of(parsed(next)) != origin_of(parsed(url))) {
                throw remote_error(text + ", which is another server").permanent();
            }
            if (redirects == most_redirects) throw remote_error(text + ", and so on").permanent();
            url = next;
        }
    }

private:
    /// While it lives the request is under way.
    class UnderWay {
    public:
        UnderWay(CURLM* multi, CURL* easy) : multi_(multi), easy_(easy) {
            if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) throw std::bad_alloc();
        }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;
        ~UnderWay() { curl_multi_remove_handle(multi_, easy_); }

    private:
        CURLM* multi_;
        CURL* easy_;
    };

    template <typename T>
    void set(CURLoption option, T value) {
        const CURLcode status = curl_easy_setopt(easy_.get(), option, value);
        if (status != CURLE_OK) throw_failure(status, curl_easy_strerror(status));
    }

    Response exchange(const Request& request, const std::string& url, const std::string& what,
                      const Job& job) {
        curl_easy_reset(easy_.get());
        response_ = {};
        is_too_large_ = false;
        error_.fill('\0');
        const std::string host = set_way(url);
        set_identity();
        set_limits(job);
        set(CURLOPT_FRESH_CONNECT, request.only_once ? 1L : 0L);
        const List lines = lines_of(request, host);
        set(CURLOPT_HTTPHEADER, lines.get());
        set_body(request);
        Telling telling(job,
                        request.method + " " + shown(url) + ", " +
                            std::to_string(request.body.size()) + " bytes",
                        request.headers);
        try {
            carry_out(what, telling, job);
        } catch (...) {
            telling.tell_sent();
            throw;
        }
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &response_.status);
        telling.tell_received(response_);
        return std::exchange(response_, {});
    }

    /// Gives the Host header that it takes, or nothing where it is the usual one.
    std::string set_way(const std::string& url) {
        set(CURLOPT_PROTOCOLS_STR, settings_.allows_plain ? "https,http" : "https");
        set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
        // Empty: not what the environment says, either.
        const std::string proxy(settings_.proxy.text());
        if (!proxy.empty()) expect_proxy(proxy);
        set(CURLOPT_PROXY, proxy.c_str());
        const Url parts = parsed(url);
        if (!part_of(parts, CURLUPART_USER).empty() ||
            !part_of(parts, CURLUPART_PASSWORD).empty()) {
            throw config_error(shown(part_of(parts, CURLUPART_HOST)) +
                               ": a URL is to have no user or password in it");
        }
        if (settings_.server_name.empty()) {
            set(CURLOPT_URL, url.c_str());
            return {};
        }
        const std::string port = part_of(parts, CURLUPART_PORT);
        const std::string host = part_of(parts, CURLUPART_HOST);
        const std::string way = settings_.server_name + ":" + port + ":" + host + ":" + port;
        way_.reset(curl_slist_append(nullptr, way.c_str()));
        set(CURLOPT_CONNECT_TO, way_.get());
        if (curl_url_set(parts.get(), CURLUPART_HOST, settings_.server_name.c_str(), 0) !=
            CURLUE_OK) {
            throw config_error("'" + settings_.server_name + "' is no name of a server");
        }
        set(CURLOPT_URL, part_of(parts, CURLUPART_URL).c_str());
        return host + ":" + port;
    }

    void set_identity() {
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        set(CURLOPT_SSL_VERIFYPEER, 1L);
        set(CURLOPT_SSL_VERIFYHOST, 2L);
        if (!settings_.ca_pem.empty()) {
            const curl_blob ca = blob_of(settings_.ca_pem);
            set(CURLOPT_CAINFO_BLOB, &ca);
            set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // else the system's count, too
        }
        if (!settings_.certificate_pem.empty()) {
            const curl_blob certificate = blob_of(settings_.certificate_pem);
            const curl_blob key = blob_of(settings_.key_pem.text());
            set(CURLOPT_SSLCERT_BLOB, &certificate);
            set(CURLOPT_SSLKEY_BLOB, &key);
            set(CURLOPT_KEYPASSWD, "");  // libcurl crashes over a key that has one, else
        }
    }

    void set_limits(const Job& job) {
        auto left = std::max(job.remaining(), milliseconds(1));
        if (settings_.longest_request.count() > 0) left = std::min(left, settings_.longest_request);
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
        set(CURLOPT_CONNECTTIMEOUT_MS,
            static_cast<long>(std::min(left, settings_.connect_timeout).count()));
        set(CURLOPT_NOSIGNAL, 1L);
        // A name that is still being looked up keeps nobody waiting.
        set(CURLOPT_QUICK_EXIT, 1L);
        set(CURLOPT_ERRORBUFFER, error_.data());
        set(CURLOPT_WRITEFUNCTION, &Transfer::take_body);
        set(CURLOPT_WRITEDATA, this);
        set(CURLOPT_HEADERFUNCTION, &Transfer::take_header);
        set(CURLOPT_HEADERDATA, this);
    }

    static List lines_of(const Request& request, const std::string& host) {
        List lines;
        bool has_type = false;
        for (const Header& header : request.headers) {
            const bool is_clean = header.name.find_first_of("\r\n:") == std::string::npos &&
                                  header.value.text().find_first_of(
                                      std::string_view("\r\n\0", 3)) == std::string_view::npos;
            if (!is_clean) throw config_error("the header " + header.name + " is more than a line");
            has_type = has_type || ::strcasecmp(header.name.c_str(), "content-type") == 0;
            append(lines, (header.name + ": ") + header.value);
        }
        if (!host.empty()) append(lines, Sensitive("Host: " + host));
        // What libcurl would add of its own accord.
        append(lines, Sensitive("Expect:"));
        if (!has_type) append(lines, Sensitive("Content-Type:"));
        return lines;
    }

    void set_body(const Request& request) {
        const std::string& method = request.method;
        const bool may_have_one = method == "POST" || method == "PUT" || method == "PATCH";
        if (method == "HEAD") {
            set(CURLOPT_NOBODY, 1L);
        } else if (may_have_one || !request.body.empty()) {
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
        }
        set(CURLOPT_CUSTOMREQUEST, method.c_str());
    }

    void carry_out(const std::string& what, Telling& telling, const Job& job) {
        const CURLcode status = carried_out(what, telling, job);
        if (is_too_large_) {
            throw remote_error(what + ": the answer is larger than " +
                               std::to_string(settings_.largest_answer) + " bytes")
                .permanent();
        }
        if (status != CURLE_OK) {
            throw_failure(
                status, what + ": " +
                            (error_.front() != '\0' ? error_.data() : curl_easy_strerror(status)));
        }
    }

    CURLcode carried_out(const std::string& what, Telling& telling, const Job& job) {
        const UnderWay under_way(multi_.get(), easy_.get());
        for (int running = 1;;) {
            job.throw_if_cancelled();
            if (job.remaining().count() == 0) {
                throw timeout_error(what + ": the server did not answer in time");
            }
            if (telling.patience() == milliseconds(0)) telling.tell_sent();
            CURLMcode status = curl_multi_perform(multi_.get(), &running);
            if (running == 0) break;
            curl_waitfd cancel{job.cancel_fd(), CURL_WAIT_POLLIN, 0};
            const auto left =
                std::min(job.remaining(), telling.patience().value_or(milliseconds(60'000)));
            if (status == CURLM_OK) {
                status = curl_multi_poll(multi_.get(), &cancel, 1, static_cast<int>(left.count()),
                                         nullptr);
            }
            if (status != CURLM_OK) throw network_error(what + ": " + curl_multi_strerror(status));
        }
        int left = 0;
        const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left);
        return message != nullptr ? message->data.result : CURLE_RECV_ERROR;
    }

    static std::size_t take_body(const char* data, std::size_t, std::size_t size, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        Sensitive& body = transfer.response_.body;
        transfer.is_too_large_ = size > transfer.settings_.largest_answer - body.size();
        if (transfer.is_too_large_) return 0;
        body += std::string_view(data, size);
        return size;
    }

    static std::size_t take_header(const char* data, std::size_t, std::size_t size, void* self) {
        auto& headers = static_cast<Transfer*>(self)->response_.headers;
        std::string_view line(data, size);
        while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
        constexpr std::size_t most_headers = 1000;
        if (line.starts_with("HTTP/")) headers.clear();  // of a 100, or of a proxy
        if (headers.size() == most_headers) return 0;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return size;
        const std::size_t value = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
        headers.emplace_back(std::string(line.substr(0, colon)), line.substr(value));
        return size;
    }

    Settings settings_;
    std::unique_ptr<CURL, FreeWith<curl_easy_cleanup>> easy_;
    std::unique_ptr<CURLM, FreeWith<curl_multi_cleanup>> multi_;
    List way_;
    Response response_;
    bool is_too_large_ = false;
    std::array<char, CURL_ERROR_SIZE> error_{};
};

Client::Client(Settings settings) : transfer_(std::make_unique<Transfer>(std::move(settings))) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Response Client::send(const Request& request, const Job& job) {
    return transfer_->send(request, job);
}

std::string encoded(std::string_view text) {
    const std::unique_ptr<char, FreeWith<curl_free>> made(
        curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())));
    // No length means the whole of a text with an end.
    return made && !text.empty() ? made.get() : std::string();
}

}  // namespace certcast::http
