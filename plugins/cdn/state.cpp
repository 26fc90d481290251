#include "plugins/cdn/state.hpp"

#include "plugins/json/parts.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace cdn {

namespace json = boost::json;
using json_parts::part_of;
using json_parts::text_in;

State::State(std::string_view stored) {
    if (stored.empty()) return;
    const json::value parsed = json::parse(stored);
    const json::object& state = parsed.as_object();
    for (const json::object* one : json_parts::parts_of(state, "certificates")) {
        certificates_.push_back({std::string(text_in(*one, "id").value_or("")),
                                 std::string(text_in(*one, "name").value_or("")),
                                 one->contains("ours")});
    }
    if (const json::object& kept = part_of(state, "kept"); !kept.empty()) {
        kept_ = Kept{std::string(text_in(kept, "id").value_or("")),
                     contents_in(part_of(kept, "contents"))};
    }
}

bool State::has(std::string_view id, std::string_view name) const {
    return std::any_of(certificates_.begin(), certificates_.end(),
                       [&](const Uploaded& one) { return one.id == id && one.name == name; });
}

void State::add(const Uploaded& one, const certcast::Job& job) {
    if (std::find(certificates_.begin(), certificates_.end(), one) != certificates_.end()) return;
    certificates_.push_back(one);
    store(job);
}

void State::remove(std::string_view id, const certcast::Job& job) {
    const auto removed =
        std::erase_if(certificates_, [&](const auto& one) { return one.id == id; });
    const bool was_kept = kept_ && kept_->id == id;
    if (was_kept) kept_.reset();
    if (removed > 0 || was_kept) store(job);
}

void State::keep(Kept kept, const certcast::Job& job) {
    kept_ = std::move(kept);
    store(job);
}

void State::store(const certcast::Job& job) const {
    json::array list;
    for (const Uploaded& one : certificates_) {
        json::object entry{{"id", one.id}, {"name", one.name}};
        if (one.is_ours) entry["ours"] = true;
        list.push_back(std::move(entry));
    }
    json::object state{{"certificates", std::move(list)}};
    if (kept_) state["kept"] = {{"id", kept_->id}, {"contents", to_json(kept_->contents)}};
    job.set_state(certcast::Sensitive(json::serialize(state)));
}

}  // namespace cdn
