#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kubernetes {

/// Who certcast is to an API server that keeps account of who has written what.
inline constexpr std::string_view field_manager = "certcast";

/// The tables of a secret that several may write, each its own keys.
enum class Table { data, labels, annotations };
inline constexpr Table every_table[] = {Table::data, Table::labels, Table::annotations};

/// Empty where it is not there.
const boost::json::object& table_in(const boost::json::object& secret, Table table);
/// Makes it where it is not there.
boost::json::object& table_of(boost::json::object& secret, Table table);

/// As it is written: without anything in its tables.
boost::json::object bare_secret(std::string_view name, std::string_view type);
/// `resourceVersion`: another one for each change.
std::string version_of(const boost::json::object& object);

/// `secret` to be written only as long as what is there is `now`; else the server tells of a
/// conflict.
boost::json::object only_over(const boost::json::object& now, boost::json::object secret);

/// What `before` has of those keys that writing `wanted` changes: what is wanted, and what certcast
/// has written before, which goes where it is not wanted any more. A key that was not there is
/// null. Written in its turn, it brings them back.
boost::json::object former_secret(const boost::json::object& before,
                                  const boost::json::object& wanted);
/// As it is applied: without the keys that are null, which go by not being named.
boost::json::object applied_secret(boost::json::object wanted);
/// `now` as it is once `wanted` is written. What others have written, too, does not go.
boost::json::object merged_secret(const boost::json::object& now,
                                  const boost::json::object& wanted);
/// `former` without those keys that others have changed since in `now`, and who that was.
std::pair<boost::json::object, std::string> without_others(boost::json::object former,
                                                           const boost::json::object& now);
/// Whether two values of data are the same but for how they are written.
using SameEntry = std::function<bool(std::string_view, std::string_view)>;
/// Whether all that is wanted is there, and nothing that certcast has applied before and nobody
/// wants any more.
bool is_met(const boost::json::object& wanted, const boost::json::object& now,
            const SameEntry& is_same_entry);
/// Who else has written something of `now` that writing `wanted` would change.
std::optional<std::string> manager_in_the_way(const boost::json::object& now,
                                              const boost::json::object& wanted);
/// Who else than certcast has written anything of it: where the server keeps no account of that,
/// whether there are keys that are not in `own`.
std::optional<std::string> other_manager(const boost::json::object& now,
                                         const boost::json::object& own);

}  // namespace kubernetes
