#include "plugins/cdn/refusal.hpp"

#include <doctest/doctest.h>
#include <certcast/errors.hpp>

#include <array>
#include <string>
#include <string_view>

using namespace cdn;

namespace {

constexpr std::array known{
    CodeMeaning{"Busy", Meaning::later, "in progress"},
    CodeMeaning{"Throttling*", Meaning::throttled},
    CodeMeaning{"Name.Taken", Meaning::conflict},
    CodeMeaning{"Name*", Meaning::config},
};

Meaning meaning(const std::string& code, long status, const std::string& message = {}) {
    return meaning_of({code, message, status}, known);
}

template <typename Error>
Error thrown(Meaning meaning, const Refusal& refusal) {
    try {
        throw_refusal("binding", refusal, meaning);
    } catch (const Error& error) {
        return error;
    }
}

}  // namespace

TEST_CASE("a vendor's code says more than the status that it comes with") {
    CHECK(meaning("Throttling.User", 400) == Meaning::throttled);
    CHECK(meaning("Throttling", 503) == Meaning::throttled);
    CHECK(meaning("Name.Taken", 200) == Meaning::conflict);
    CHECK(meaning("Name.Bad", 400) == Meaning::config);
    CHECK(meaning("Busy", 400, "one is in progress") == Meaning::later);
    CHECK(meaning("Busy", 400, "never") == Meaning::refused);
}

TEST_CASE("a vendor in trouble does not mean that the pipeline is wrong") {
    CHECK(meaning("Name.Bad", 500) == Meaning::later);
    CHECK(meaning("Name.Taken", 500) == Meaning::conflict);
}

TEST_CASE("without a code that is known the status counts") {
    CHECK(meaning("", 429) == Meaning::throttled);
    CHECK(meaning("", 502) == Meaning::later);
    CHECK(meaning("Other", 403) == Meaning::auth);
    CHECK(meaning("Other", 412) == Meaning::conflict);
    CHECK(meaning("Other", 418) == Meaning::refused);
    CHECK(meaning("Other", 200) == Meaning::refused);
    // What is not there may be the address.
    CHECK(meaning("", 404) == Meaning::missing);
    CHECK(meaning("Other", 404) == Meaning::refused);
}

TEST_CASE("a refusal is told with what was asked for, the vendor's words and its code") {
    const Refusal refusal{"Some.Code", "no room", 400, std::chrono::seconds(7)};
    const auto later = thrown<certcast::remote_error>(Meaning::throttled, refusal);
    CHECK(std::string_view(later.what()) == "binding: no room (Some.Code)");
    CHECK(later.code() == "Some.Code");
    CHECK(later.retry() == CERTCAST_RETRY_LATER);
    CHECK(later.retry_after() == std::chrono::seconds(7));
    CHECK(thrown<certcast::remote_error>(Meaning::refused, refusal).retry() ==
          CERTCAST_RETRY_NEVER);
    CHECK(thrown<certcast::remote_error>(Meaning::in_use, refusal).retry() == CERTCAST_RETRY_NEVER);
    thrown<certcast::auth_error>(Meaning::auth, refusal);
    thrown<certcast::conflict_error>(Meaning::conflict, refusal);
    thrown<certcast::config_error>(Meaning::missing, refusal);
    const auto clock = thrown<certcast::config_error>(Meaning::clock, refusal);
    CHECK(std::string_view(clock.what()).ends_with("is the clock of this machine right?"));
    const auto silent = thrown<certcast::remote_error>(Meaning::later, {{}, {}, 503});
    CHECK(std::string_view(silent.what()) == "binding: the answer was 503");
}
