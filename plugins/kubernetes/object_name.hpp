#pragma once

#include <string>
#include <utility>

namespace kubernetes {

/// An object of a namespace, by the API server that keeps it.
struct ObjectName {
    std::string kind;    ///< in lower case: "secret"
    std::string plural;  ///< "secrets"
    std::string group;   ///< of the API; empty: the core's
    std::string name_space;
    std::string name;

    /// Where those of its kind are.
    std::string collection() const {
        return (group.empty() ? "/api/v1" : "/apis/" + group + "/v1") + "/namespaces/" +
               name_space + "/" + plural;
    }
    std::string path() const { return collection() + "/" + name; }
    /// For messages.
    std::string text() const { return "the " + kind + " " + name_space + "/" + name; }
};

inline ObjectName secret_named(std::string name, std::string name_space) {
    return {"secret", "secrets", {}, std::move(name_space), std::move(name)};
}

}  // namespace kubernetes
