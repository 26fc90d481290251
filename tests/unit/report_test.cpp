#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/report/console.hpp"
#include "core/report/json_lines.hpp"
#include "core/report/paint.hpp"
#include "core/report/phrases.hpp"
#include "core/report/plain.hpp"
#include "core/report/report_file.hpp"
#include "core/report/summary.hpp"
#include "tests/unit/report_samples.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

using namespace certcast;
namespace json = boost::json;
using namespace certcast::testing;

namespace {

std::string summary_of(std::vector<DeploymentReport> deployments) {
    const Redactor nothing;
    return summary(run_of(std::move(deployments)), TextFilter(nothing), Paint(false));
}

/// Everything that can happen, with the same text wherever a plugin or the host may speak.
void tell_everything(RunObserver& observer, const std::string& text) {
    const Deployment edge = planned("edge");
    const Outcome outcome = Outcome::of(Ended::failed, Stage::deploy, Category::remote, text);
    DeploymentReport end = failing("edge");
    end.error = outcome;
    end.error->failure.code = text;
    end.rollback = RollbackState::failed;
    end.rollback_message = text;
    end.warnings = {text};
    end.outputs = {{"id", text}};
    DeploymentReport good = proven("web");
    good.warnings = {text};
    const RunReport report = run_of({end, good});
    observer.run_started(Pipeline{}, report);
    observer.attempt_started(edge, 1);
    observer.stage(edge, 1, "deploy");
    for (const LogLevel level :
         {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
        observer.log(edge, {level, text, {{text, text}}, false});
    }
    observer.progress(edge, 500, text);
    observer.attempt_finished(edge, 1, outcome);
    observer.waiting(edge, text, Duration(1500));
    observer.attempt_started(edge, 2);
    observer.attempt_finished(edge, 2, outcome);
    observer.deployment_finished(end);
    observer.deployment_finished(good);
    observer.run_finished(report);
}

std::string console_output(const TextFilter& filter, const std::string& text) {
    std::ostringstream out;
    ConsoleOptions options;
    options.verbose = true;
    ConsoleDisplay console(out, filter, options);
    console.note(text);
    tell_everything(console, text);
    console.attempt_started(planned("late"), 1);
    console.progress(planned("late"), 100, text);
    console.tick();
    return out.str();
}

std::string plain_output(const TextFilter& filter, const std::string& text) {
    std::ostringstream out;
    PlainDisplay plain(out, filter, true, "");
    plain.note(text);
    tell_everything(plain, text);
    return out.str();
}

std::string json_output(const TextFilter& filter, const std::string& text) {
    std::ostringstream out;
    JsonLinesDisplay lines(out, out, filter);
    lines.note(text);
    tell_everything(lines, text);
    return out.str();
}

}  // namespace

TEST_CASE("a failure says what happened, what became of it and what to do") {
    CHECK(summary_of({proven("web"), failing("edge")}) ==
          R"(FAILED  edge (nginx): stage deploy, attempt 2, 1.2 s
  config: nginx -t failed with status 1
      nginx: [emerg] no "ssl_certificate" is defined
      nginx: configuration file test failed
  rollback: done, what was there before is in place again
  served now: shop bbbbbbbbbbbbbbbb until 2026-11-30 (in 7 days), seen by probe
  next: correct what the message names, then try again
  look closer: certcast run prod.toml --only 'edge' --verbose
  try again: certcast run prod.toml --only 'edge'

1 changed, 1 failed in 4.2 s
served now:
  shop  aaaaaaaaaaaaaaaa until 2027-02-21 (in 90 days): web
  shop  bbbbbbbbbbbbbbbb until 2026-11-30 (in 7 days): edge
)");
}

TEST_CASE("the first line of a summary is a failed rollback") {
    DeploymentReport half_way = failing("second");
    half_way.rollback = RollbackState::failed;
    half_way.rollback_message = "cannot write /etc/nginx/tls/shop.crt: No space left on device";
    const std::string text = summary_of({failing("first"), half_way});
    CHECK(text.starts_with("ROLLBACK FAILED  second (nginx): stage deploy"));
    CHECK(text.find("rollback: failed: cannot write /etc/nginx/tls/shop.crt: No space left") !=
          std::string::npos);
    CHECK(text.find("look at the target by hand") < text.find("FAILED  first"));
}

TEST_CASE("a probe that fails is told from the plugin's own check") {
    DeploymentReport late = failing("edge");
    late.status = Status::timed_out;
    late.error = Outcome::of(Ended::timed_out, Stage::verify, Category::timeout, "no answer");
    CHECK(summary_of({late}).find("stage verify, attempt 2") != std::string::npos);
    CHECK(summary_of({late}).find("raise timeouts.verify of the deployment") != std::string::npos);
    late.error->by_probe = true;
    CHECK(summary_of({late}).find("stage probe, attempt 2") != std::string::npos);
    CHECK(summary_of({late}).find("raise the timeout of its probe") != std::string::npos);
}

TEST_CASE("what is proven and then fails is not called untouched") {
    DeploymentReport proven_first = failing("edge");
    proven_first.rollback = RollbackState::none;
    proven_first.proof = Proof::probe;
    CHECK(summary_of({proven_first}).find("what was deployed is proven and stays") !=
          std::string::npos);
}

TEST_CASE("each way to fail has its own heading and next step") {
    struct Case {
        Status status;
        Outcome outcome;
        const char* heading;
        const char* text;
    };
    Outcome crash = Outcome::of(Ended::crashed, Stage::deploy, Category::internal, "");
    crash.signal = 11;
    const Case cases[] = {
        {Status::timed_out, Outcome::of(Ended::timed_out, Stage::verify, Category::timeout, ""),
         "TIMED OUT  edge", "raise timeouts.verify"},
        {Status::crashed, crash, "CRASHED  edge", "signal 11 (Segmentation fault)"},
        {Status::failed, Outcome::of(Ended::failed, Stage::deploy, Category::auth, "no"),
         "FAILED  edge", "check the credentials"},
        {Status::failed, Outcome::of(Ended::failed, Stage::deploy, Category::internal, "no"),
         "FAILED  edge", "certcast plugin show nginx"},
        {Status::failed, Outcome::of(Ended::protocol_error, Stage::deploy, Category::internal, ""),
         "FAILED  edge", "protocol error: the plugin broke the protocol"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.text);
        DeploymentReport report = deployment("edge", one.status);
        report.error = one.outcome;
        const std::string text = summary_of({report});
        CHECK(text.starts_with(one.heading));
        CHECK(text.find(one.text) != std::string::npos);
    }
}

TEST_CASE("what never began is told in one line") {
    DeploymentReport skipped = deployment("mail", Status::skipped);
    skipped.attempts = 0;
    skipped.reason = "edge failed";
    CHECK(summary_of({skipped}).starts_with("SKIPPED  mail: edge failed\n\n1 skipped in 4.2 s\n"));
}

TEST_CASE("a lock that was not had is no fault of a plugin") {
    DeploymentReport locked = deployment("edge", Status::failed);
    locked.attempts = 0;
    locked.reason = "lock";
    locked.error = Outcome::of(Ended::setup_failed, Stage::inspect, Category::conflict, "held");
    const std::string text = summary_of({locked});
    CHECK(text.find("  lock: held\n") != std::string::npos);
    CHECK(text.find("--lock-timeout") != std::string::npos);
    CHECK(text.find("rollback") == std::string::npos);
}

TEST_CASE("changed without proof and late success are pointed out") {
    DeploymentReport report = deployment("web", Status::changed);
    report.late = true;
    const std::string text = summary_of({report});
    CHECK(text.starts_with("1 changed in 4.2 s\nwithout proof: web "));
    CHECK(text.find("\nlate: web ") != std::string::npos);
    CHECK(text.find("  shop  not known: web\n") != std::string::npos);
}

TEST_CASE("an expired certificate that is still served is called so") {
    DeploymentReport report = proven("web");
    report.serving[0].not_after = finished_at - day;
    CHECK(summary_of({report}).find("until 2026-11-22 (expired)") != std::string::npos);
}

TEST_CASE("hundreds of failures do not bury each other") {
    std::vector<DeploymentReport> many;
    for (int i = 0; i < 300; ++i) many.push_back(failing("host" + std::to_string(i)));
    const std::vector<std::string> lines = lines_of(summary_of(many));
    CHECK(lines.size() < 20 * 10 + 300);
    CHECK(std::count(lines.begin(), lines.end(),
                     "  rollback: done, what was there before is in place again") == 20);
}

TEST_CASE("file and name in a proposed command survive a shell") {
    RunReport report = run_of({failing("it's")});
    report.pipeline_file = "/srv/my pipelines/a.toml";
    const Redactor nothing;
    CHECK(summary(report, TextFilter(nothing), Paint(false))
              .find("certcast run '/srv/my pipelines/a.toml' --only 'it'\\''s'\n") !=
          std::string::npos);
}

TEST_CASE("no output shows a secret, encoded or not") {
    Redactor redactor;
    redactor.add("hun\"ter 22");
    const TextFilter filter(redactor);
    struct Form {
        const char* name;
        std::string said;
    };
    const Form forms[] = {
        {"as it is", "hun\"ter 22"}, {"base64", "aHVuInRlciAyMg=="},  {"percent", "hun%22ter+22"},
        {"JSON", "hun\\\"ter 22"},   {"hex", "68756e22746572203232"},
    };
    std::string text;
    for (const Form& form : forms) {
        SUBCASE(form.name) {
            text = "login with " + form.said + " refused";
        }
    }
    if (text.empty()) return;
    const std::string report = json::serialize([&] {
        DeploymentReport end = failing("edge");
        end.error->failure.message = text;
        end.rollback_message = text;
        end.warnings = {text};
        end.outputs = {{text, text}};
        end.reason = text;
        DeploymentReport unready = failing("mail");
        unready.error = Outcome::of(Ended::setup_failed, Stage::deploy, Category::internal, text);
        return to_json(run_of({end, unready}), filter);
    }());
    for (const std::string& output : {console_output(filter, text), plain_output(filter, text),
                                      json_output(filter, text), report}) {
        CAPTURE(output);
        CHECK(output.find("login with *** refused") != std::string::npos);
        // Nothing else of that text is anywhere.
        for (std::size_t at = output.find("login with"); at != std::string::npos;
             at = output.find("login with", at + 1)) {
            CHECK(output.substr(at, 22) == "login with *** refused");
        }
    }
}

TEST_CASE("what a plugin says cannot steer the terminal") {
    const Redactor nothing;
    const TextFilter filter(nothing);
    const std::string text =
        "a\x1b[2Jb\x07"
        "c\xc2\x9b"
        "d\xe2\x80\xae"
        "e\rf";
    const std::string plain = plain_output(filter, text);
    CHECK(plain.find("a\\x1b[2Jb\\x07c\\x9bd\\u202ee\\x0df") != std::string::npos);
    for (const char forbidden : {'\x1b', '\x07', '\r'}) {
        CAPTURE(static_cast<int>(forbidden));
        CHECK(plain.find(forbidden) == std::string::npos);
    }
    CHECK(plain.find("\xc2\x9b") == std::string::npos);
    CHECK(console_output(filter, text).find("\x1b[2J") == std::string::npos);
}

TEST_CASE("text that is no UTF-8 is shown byte by byte and replaced in JSON") {
    const Redactor nothing;
    const TextFilter filter(nothing);
    CHECK(filter.line("a\xff\xc3z") == "a\\xff\\xc3z");
    CHECK(filter.line("\xed\xa0\x80") == "\\xed\\xa0\\x80");
    CHECK(filter.data("a\xff") == "a\xEF\xBF\xBD");
    CHECK(filter.line("pä\u00dfe") == "pä\u00dfe");
}

TEST_CASE("a text is cut by columns, not by bytes") {
    CHECK(clipped("abcdef", 6) == "abcdef");
    CHECK(clipped("abcdef", 5) == "abcd…");
    CHECK(clipped("äöüäöü", 4) == "äöü…");
    CHECK(clipped("証明書", 4) == "証…");
    CHECK(width("証明書") == 6);
    CHECK(width("e\u0301") == 1);
    CHECK(clipped("abc", 0).empty());
}

TEST_CASE("colours are for terminals whose owner has not refused them") {
    CHECK(TerminalSettings{true, "xterm", nullptr}.wants_colour());
    CHECK(TerminalSettings{true, "xterm", ""}.wants_colour());
    CHECK_FALSE(TerminalSettings{true, "xterm", "1"}.wants_colour());
    CHECK_FALSE(TerminalSettings{true, "dumb", nullptr}.wants_colour());
    CHECK_FALSE(TerminalSettings{true, nullptr, nullptr}.is_interactive());
    CHECK_FALSE(TerminalSettings{false, "xterm", nullptr}.wants_colour());
    const Redactor nothing;
    const RunReport report = run_of({failing("edge")});
    CHECK(summary(report, TextFilter(nothing), Paint(true)).find("\x1b[") != std::string::npos);
    CHECK(summary(report, TextFilter(nothing), Paint(false)).find('\x1b') == std::string::npos);
}

TEST_CASE("plain output is a line per event and the summary") {
    std::ostringstream out;
    const Redactor nothing;
    PlainDisplay plain(out, TextFilter(nothing), false, "");
    const Deployment web = planned("web");
    const RunReport report = run_of({proven("web")});
    plain.run_started(Pipeline{}, report);
    plain.waiting(web, "another run holds its lock", std::nullopt);
    plain.attempt_started(web, 1);
    plain.stage(web, 1, "deploy");
    plain.log(web, {LogLevel::info, "not shown", {}, false});
    plain.log(web, {LogLevel::warning, "key is readable", {{"path", "/k"}}, false});
    plain.attempt_finished(web, 1, Outcome::success(Stage::deploy));
    plain.deployment_finished(report.deployments[0]);
    plain.run_finished(report);
    CHECK(out.str() == R"(run 20261123T094500Z-1a2b of prod.toml
web: waiting: another run holds its lock
web: attempt 1 with nginx
web: deploy
web: warning: key is readable, path=/k
web: changed in 1.2 s, proven by probe

1 changed in 4.2 s
served now:
  shop  aaaaaaaaaaaaaaaa until 2027-02-21 (in 90 days): web
)");
}

TEST_CASE("JSON lines are objects that name event, run and deployment") {
    const Redactor nothing;
    std::ostringstream out;
    std::ostringstream notes;
    JsonLinesDisplay lines(out, notes, TextFilter(nothing), [] {
        return std::chrono::system_clock::from_time_t(finished_at) + Duration(7);
    });
    lines.note("for people");
    tell_everything(lines, "x");
    CHECK(notes.str() == "certcast: for people\n");
    std::set<std::string> events;
    std::string last;
    for (const std::string& line : lines_of(out.str())) {
        const json::object object = json::parse(line).as_object();
        last = object.at("event").as_string().c_str();
        events.insert(last);
        CHECK(object.at("time") == "2026-11-23T09:45:04.007Z");
        CHECK(object.at("run") == "20261123T094500Z-1a2b");
        const bool of_run = last == "run_started" || last == "run_finished";
        CHECK(object.at("deployment").is_null() == of_run);
        if (last == "run_finished") {
            CHECK(object.at("status") == "failed");
            CHECK(object.at("exit_status") == 1);
            CHECK(object.at("counts") == json::value{{"failed", 1}, {"changed", 1}});
        }
    }
    CHECK(last == "run_finished");
    CHECK(events == std::set<std::string>{"run_started", "attempt_started", "stage", "log",
                                          "progress", "waiting", "attempt_finished",
                                          "deployment_finished", "run_finished"});
}

TEST_CASE("a report has the members that programs rely on") {
    const Redactor nothing;
    DeploymentReport edge = failing("edge/web1");
    edge.target = "web1";
    edge.outputs = {{"id", "42"}};
    edge.probes = {{"h:443 as shop.example", "served"}};
    const json::value found = to_json(run_of({edge}), TextFilter(nothing));
    const json::value expected = {
        {"schema", 1},
        {"run", "20261123T094500Z-1a2b"},
        {"pipeline", "prod"},
        {"status", "failed"},
        {"started", "2026-11-23T09:44:59.800Z"},
        {"finished", "2026-11-23T09:45:04.000Z"},
        {"sandbox_gaps", json::array()},
        {"control_groups", json::array()},
        {"deployments", json::array{{{"name", "edge/web1"},
                                     {"plugin", "nginx"},
                                     {"target", "web1"},
                                     {"certificates", json::array{"shop"}},
                                     {"status", "failed"},
                                     {"reason", "failed"},
                                     {"rollback", "done"},
                                     {"proof", "none"},
                                     {"serving", json::array{{{"sha256", former},
                                                              {"not_after", "2026-11-30T09:45:04Z"},
                                                              {"seen_by", "probe"}}}},
                                     {"probes", json::array{{{"place", "h:443 as shop.example"},
                                                             {"result", "served"}}}},
                                     {"late", false},
                                     {"sandbox", "on"},
                                     {"attempts", 2},
                                     {"duration_ms", 1200},
                                     {"error",
                                      {{"category", "config"},
                                       {"code", ""},
                                       {"message", edge.error->failure.message},
                                       {"retryable", false}}},
                                     {"outputs", {{"id", "42"}}},
                                     {"warnings", json::array{}}}}}};
    CHECK(found == expected);
}

TEST_CASE("a report file is for its owner alone and complete") {
    const TemporaryFolder folder;
    const Redactor nothing;
    const std::filesystem::path file = folder.path() / "report.json";
    REQUIRE(report_can_be_written(file).has_value());
    REQUIRE(write_report(file, run_of({proven("web")}), TextFilter(nothing)).has_value());
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    CHECK(json::parse(text).at("status") == "ok");
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a report that cannot be written is refused before the run, and afterwards") {
    const TemporaryFolder folder;
    const Redactor nothing;
    const std::filesystem::path nowhere = folder.path() / "none" / "report.json";
    CHECK(report_can_be_written(nowhere).has_error());
    CHECK(report_can_be_written(folder.path()).has_error());
    const std::filesystem::path fifo = folder.path() / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(report_can_be_written(fifo).has_error());
    std::filesystem::create_symlink("/dev/null", folder.path() / "link");
    CHECK(report_can_be_written(folder.path() / "link").has_error());
    CHECK(write_report(nowhere, run_of({}), TextFilter(nothing)).has_error());
}
