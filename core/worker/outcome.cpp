#include "core/worker/outcome.hpp"

#include <string.h>

namespace certcast {

std::string_view name_of(Ended ended) {
    switch (ended) {
        case Ended::succeeded:
            return "succeeded";
        case Ended::failed:
            return "failed";
        case Ended::timed_out:
            return "timed_out";
        case Ended::crashed:
            return "crashed";
        case Ended::cancelled:
            return "cancelled";
        case Ended::limit:
            return "limit";
        case Ended::protocol_error:
            return "protocol_error";
        case Ended::setup_failed:
            return "setup_failed";
    }
    return "failed";
}

std::string_view name_of(Category category) {
    switch (category) {
        case Category::config:
            return "config";
        case Category::auth:
            return "auth";
        case Category::network:
            return "network";
        case Category::remote:
            return "remote";
        case Category::conflict:
            return "conflict";
        case Category::timeout:
            return "timeout";
        case Category::cancelled:
            return "cancelled";
        case Category::internal:
            return "internal";
    }
    return "internal";
}

namespace {

bool passes_with_time(Category category) {
    switch (category) {
        case Category::network:
        case Category::conflict:
        case Category::timeout:
            return true;
        case Category::config:
        case Category::auth:
        case Category::remote:
        case Category::cancelled:
        case Category::internal:
            return false;
    }
    return false;
}

}  // namespace

bool worth_retrying(const Outcome& outcome) {
    switch (outcome.ended) {
        case Ended::succeeded:
        case Ended::cancelled:
        case Ended::limit:
        case Ended::protocol_error:
            return false;
        case Ended::timed_out:
        case Ended::crashed:
            return outcome.failure.retry != Retry::never;
        case Ended::failed:
        case Ended::setup_failed:
            break;
    }
    switch (outcome.failure.retry) {
        case Retry::never:
            return false;
        case Retry::later:
            return true;
        case Retry::by_category:
            return passes_with_time(outcome.failure.category);
    }
    return false;
}

std::string_view stage_of(const Outcome& outcome) {
    return outcome.by_probe ? "probe" : name_of(outcome.stage);
}

std::string reason_of(const Outcome& outcome) {
    if (!outcome.failure.message.empty()) return outcome.failure.message;
    switch (outcome.ended) {
        case Ended::succeeded:
            break;
        case Ended::failed:
            return "the plugin did not say why";
        case Ended::timed_out:
            return "its deadline passed";
        case Ended::crashed: {
            if (outcome.signal == 0) return "its process ended unexpectedly";
            const char* const what = sigdescr_np(outcome.signal);
            return "the plugin was ended by signal " + std::to_string(outcome.signal) +
                   (what == nullptr ? "" : " (" + std::string(what) + ")");
        }
        case Ended::cancelled:
            return "it was asked to stop";
        case Ended::limit:
            return "it went over its limit: " + outcome.limit;
        case Ended::protocol_error:
            return "the plugin broke the protocol between worker and host";
        case Ended::setup_failed:
            return "its worker could not be started";
    }
    return {};
}

}  // namespace certcast
