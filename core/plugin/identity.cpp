#include "core/plugin/identity.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <utility>

namespace certcast {

namespace {

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

bool is_container(ParameterType type) {
    return type == ParameterType::list || type == ParameterType::map ||
           type == ParameterType::object;
}

std::string canonical(const Value& value) {
    switch (value.type) {
        case ParameterType::boolean:
        case ParameterType::integer:
        case ParameterType::duration:
            return std::to_string(value.integer);
        case ParameterType::text:
        case ParameterType::secret:
        case ParameterType::path:
        case ParameterType::choice:
        case ParameterType::url:
        case ParameterType::endpoint:
        case ParameterType::certificate:
            return escaped(value.text);
        case ParameterType::command: {
            std::string words;
            for (const std::string& word : value.texts()) words += escaped(word) + " ";
            return words;
        }
        case ParameterType::none:
        case ParameterType::list:
        case ParameterType::map:
        case ParameterType::object:
            break;
    }
    return {};
}

/// Gathers the values of all parameters with one flag: those that stand alone make the prefix; each
/// element of a list or map that holds any, and each file that is written, makes one text of its
/// own.
class Gathering {
public:
    explicit Gathering(std::uint64_t flag) : flag_(flag) {}

    void object(const Value& value, const std::vector<Parameter>& params, const std::string& path) {
        for (std::size_t i = 0; i < params.size() && i < value.entries.size(); ++i) {
            parameter(value.entries[i].value, params[i], path + params[i].name);
        }
    }

    /// One text per element, or the prefix alone; none where no value has the flag.
    std::vector<std::string> texts(const std::string& plugin) const {
        std::vector<std::string> all;
        for (const std::string& element : elements_) all.push_back(plugin + prefix_ + element);
        if (all.empty() && !prefix_.empty()) all.push_back(plugin + prefix_);
        std::sort(all.begin(), all.end());
        return all;
    }

    /// All of them in one.
    std::string whole() const {
        std::string all = prefix_;
        for (const std::string& element : elements_) all += element;
        return all;
    }

private:
    void parameter(const Value& value, const Parameter& param, const std::string& path) {
        if (value.type == ParameterType::none) return;
        if (param.type == ParameterType::object) return object(value, param.fields, path + ".");
        if (!is_container(param.type)) {
            if (!param.has(flag_)) return;
            // A file that is written is a place of its own, whatever else goes with it and whatever
            // the parameter is called.
            if (flag_ == CERTCAST_IDENTITY && param.type == ParameterType::path &&
                param.has(CERTCAST_WRITES)) {
                elements_.push_back("|file=" + canonical(value));
            } else {
                prefix_ += "|" + path + "=" + canonical(value);
            }
            return;
        }
        for (const auto& [key, element] : value.entries) {
            const std::string name = key.empty() ? path : path + "." + escaped(key);
            if (param.element_type != ParameterType::object) {
                if (param.has(flag_)) elements_.push_back("|" + name + "=" + canonical(element));
                continue;
            }
            Gathering inner(flag_);
            inner.object(element, param.fields, name + ".");
            for (std::string& text : inner.texts({})) elements_.push_back(std::move(text));
        }
    }

    std::uint64_t flag_;
    std::string prefix_;
    std::vector<std::string> elements_;
};

/// Accounts are looked for where a single value can stand.
bool any_account(const std::vector<Parameter>& params) {
    return std::any_of(params.begin(), params.end(), [](const Parameter& param) {
        if (param.type == ParameterType::object) return any_account(param.fields);
        return !is_container(param.type) && param.has(CERTCAST_ACCOUNT);
    });
}

}  // namespace

Identities identities_of(const Descriptor& descriptor, const Value& config,
                         const std::string& deployment) {
    const auto gather = [&](std::uint64_t flag) {
        Gathering gathering(flag);
        gathering.object(config, descriptor.params, {});
        return gathering;
    };
    Identities found;
    found.deployed_to = gather(CERTCAST_IDENTITY).texts(descriptor.id);
    if (found.deployed_to.empty()) {
        found.deployed_to.push_back(descriptor.id + "|deployment=" + escaped(deployment));
    }
    found.exclusive = gather(CERTCAST_EXCLUSIVE).texts(descriptor.id);
    const std::string account = gather(CERTCAST_ACCOUNT).whole();
    if (!account.empty()) found.account = descriptor.id + account;
    return found;
}

bool has_account(const Descriptor& descriptor) {
    return any_account(descriptor.params);
}

}  // namespace certcast
