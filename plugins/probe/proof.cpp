#include "plugins/probe/proof.hpp"

#include <algorithm>

namespace tls {

namespace {

std::string place(const Check& check, const std::string& address) {
    std::string text = check.endpoint.text();
    if (!address.empty() && address != text) text += " (" + address + ")";
    if (!check.server_name.empty()) text += " as " + check.server_name;
    return text;
}

std::string problem_of(const Check& check, const Expected& expected, const Served& answer) {
    if (!answer.error.empty()) {
        return place(check, answer.address) + ": " + answer.error + "; expected " +
               expected.description;
    }
    if (sha256(answer.chain.front()) != expected.sha256) {
        return place(check, answer.address) + " serves " + describe(answer.chain.front()) +
               "; expected " + expected.description;
    }
    if (!answer.staple_problem.empty()) {
        return place(check, answer.address) + ": " + answer.staple_problem;
    }
    if (!expected.intermediates) return {};
    const std::vector<std::string> served(answer.chain.begin() + 1, answer.chain.end());
    if (served == *expected.intermediates) return {};
    std::string text =
        place(check, answer.address) + " serves the right certificate, but not its chain: ";
    text += served.empty() ? "no intermediates" : "";
    for (const std::string& one : served) text += (&one == &served[0] ? "" : "; ") + describe(one);
    text += "; expected " + std::string(expected.intermediates->empty() ? "none" : "");
    for (const std::string& one : *expected.intermediates) {
        text += (&one == &expected.intermediates->front() ? "" : "; ") + describe(one);
    }
    return text;
}

}  // namespace

std::optional<Expected> Expected::of(const certcast::Job& job, std::size_t certificate) {
    Expected expected;
    if (job.recovering()) {
        const auto former = job.former_sha256(certificate);
        if (!former) return std::nullopt;
        expected.sha256 = *former;
        expected.description = "the former " + std::string(job.certificate(certificate)) + " (" +
                               short_fingerprint(*former) + ")";
        if (const auto der = job.former_leaf_der(certificate)) expected.kind = key_kind(*der);
        return expected;
    }
    const std::string leaf = job.leaf_der(certificate);
    expected.sha256 = job.sha256(certificate);
    expected.description = std::string(job.certificate(certificate)) + " (" + describe(leaf) + ")";
    expected.kind = key_kind(leaf);
    expected.intermediates = certcast::certificates_in(job.chain_pem(certificate));
    return expected;
}

const std::string* Finding::leaf(const Expected& expected) const {
    const std::string* seen = nullptr;
    for (const Served& answer : answers) {
        if (answer.chain.empty()) continue;
        if (sha256(answer.chain.front()) != expected.sha256) return &answer.chain.front();
        seen = &answer.chain.front();
    }
    return seen;
}

std::string place(const Check& check) {
    return place(check, {});
}

Finding look(const Check& check, const Expected& expected, const Patience& patience) {
    const Question question{.server_name = check.server_name,
                            .protocol = check.protocol,
                            .kind = expected.kind,
                            .staple = check.staple};
    Finding finding{.answers = served(check.endpoint, question, patience)};
    for (const Served& answer : finding.answers) {
        finding.problem = problem_of(check, expected, answer);
        finding.failure = answer.failure;
        if (!finding.good()) break;
    }
    return finding;
}

Finding look_until_served(const Check& check, const Expected& expected, const Patience& patience,
                          const Certainty& certainty) {
    constexpr std::chrono::milliseconds longest_pause{1'000};
    constexpr std::chrono::milliseconds pause_in_between{10};
    std::chrono::milliseconds pause{25};
    std::int64_t in_a_row = 0;
    std::optional<Finding> telling;
    auto good_since = std::chrono::steady_clock::now();
    for (;;) {
        Finding finding = look(check, expected, patience);
        in_a_row = finding.good() ? in_a_row + 1 : 0;
        const auto now = std::chrono::steady_clock::now();
        if (in_a_row <= 1) good_since = now;
        if (finding.good() && in_a_row >= certainty.consecutive &&
            now - good_since >= certainty.steady_for) {
            return finding;
        }
        // A handshake that the deadline cut short says less than the one before it.
        const bool cut_short = finding.failure == Served::Failure::timeout ||
                               finding.failure == Served::Failure::cancelled;
        const bool good = finding.good();
        if (!cut_short || !telling) telling = std::move(finding);
        const bool woken = !patience.pause(good ? pause_in_between : pause);
        if (woken || std::chrono::steady_clock::now() >= patience.deadline) break;
        if (!good) pause = std::min(pause * 8 / 5, longest_pause);
    }
    if (telling->good()) {
        telling->problem = check.endpoint.text() + " serves " + expected.description +
                           ", but not often enough in a row before the timeout";
    }
    return *std::move(telling);
}

void throw_problem(const certcast::Job& job, const Finding& finding) {
    if (job.cancelled() && !job.out_of_time()) throw certcast::cancelled_error(finding.problem);
    switch (finding.failure) {
        case Served::Failure::network:
            throw certcast::network_error(finding.problem);
        case Served::Failure::timeout:
        case Served::Failure::cancelled:
            throw certcast::timeout_error(finding.problem);
        case Served::Failure::none:
        case Served::Failure::refused:
            break;
    }
    throw certcast::remote_error(finding.problem);
}

}  // namespace tls
