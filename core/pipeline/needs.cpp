#include "core/pipeline/needs.hpp"

#include "core/base/nearest.hpp"
#include "core/plugin/raw_value.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace certcast {

namespace {

using Graph = std::vector<std::vector<std::size_t>>;

/// One deployment on the way that is being followed, and which of its needs comes next.
struct Visit {
    std::size_t deployment = 0;
    std::size_t next = 0;
};

/// "edge needs fleet, which needs edge".
std::string cycle_text(const std::vector<std::string>& names, const std::vector<Visit>& way,
                       std::size_t first) {
    std::string text = names[way[first].deployment];
    for (std::size_t i = first + 1; i <= way.size(); ++i) {
        const std::size_t at = i == way.size() ? first : i;
        text += i == first + 1 ? " needs " : ", which needs ";
        text += names[way[at].deployment];
    }
    return text;
}

/// Follows the needs without recursion, since a chain may be as long as the pipeline. One cycle is
/// reported per entry.
void report_cycles(const std::vector<std::string>& names, const Graph& graph,
                   const std::map<std::size_t, Location>& locations, Diagnostics& diagnostics) {
    enum class State { unseen, on_the_way, done };
    std::vector<State> states(graph.size(), State::unseen);
    std::set<std::string> reported;
    for (std::size_t start = 0; start < graph.size(); ++start) {
        if (states[start] != State::unseen) continue;
        std::vector<Visit> way{{start, 0}};
        states[start] = State::on_the_way;
        while (!way.empty()) {
            Visit& visit = way.back();
            if (visit.next == graph[visit.deployment].size()) {
                states[visit.deployment] = State::done;
                way.pop_back();
                continue;
            }
            const std::size_t needed = graph[visit.deployment][visit.next++];
            if (states[needed] == State::unseen) {
                states[needed] = State::on_the_way;
                way.push_back({needed, 0});
            } else if (states[needed] == State::on_the_way &&
                       reported.insert(names[needed].substr(0, names[needed].find('/'))).second) {
                const auto first = std::find_if(way.begin(), way.end(), [&](const Visit& step) {
                    return step.deployment == needed;
                });
                // An entry that is put back together is not where it is written.
                const auto written = std::find_if(first, way.end(), [&](const Visit& step) {
                    return locations.contains(step.deployment);
                });
                diagnostics.error(
                    locations.at(written->deployment),
                    "needs go in a circle: " +
                        cycle_text(names, way, static_cast<std::size_t>(first - way.begin())));
            }
        }
    }
}

/// None of an entry that is put back together ends before all of it is proven: who needs one of it
/// needs all.
void add_fleets(const std::vector<Deployment>& deployments, std::vector<std::string>& names,
                Graph& graph) {
    std::map<std::string, std::size_t> whole;  // by entry: the place that stands for all of it
    for (std::size_t i = 0; i < deployments.size(); ++i) {
        const Deployment& one = deployments[i];
        if (!one.waves || !one.waves->puts_back) continue;
        const auto [entry, is_new] = whole.try_emplace(one.entry, graph.size());
        if (is_new) {
            graph.emplace_back();
            names.push_back("all of " + one.entry);
        }
        graph[entry->second].push_back(i);
    }
    if (whole.empty()) return;
    for (std::size_t i = 0; i < deployments.size(); ++i) {
        for (std::size_t& needed : graph[i]) {
            const auto entry = whole.find(deployments[needed].entry);
            if (entry != whole.end()) needed = entry->second;
        }
    }
}

}  // namespace

void resolve_needs(std::vector<Deployment>& deployments, const std::vector<WrittenNeed>& needs,
                   const std::vector<std::string>& entries, Diagnostics& diagnostics) {
    std::map<std::string, std::vector<std::size_t>, std::less<>> by_name;
    std::map<std::string, std::vector<std::string>, std::less<>> names_of_entry;
    for (std::size_t i = 0; i < deployments.size(); ++i) {
        const Deployment& deployment = deployments[i];
        by_name[deployment.name].push_back(i);
        if (deployment.target.empty()) continue;
        by_name[deployment.entry].push_back(i);
        names_of_entry[deployment.entry].push_back(deployment.name);
    }
    Graph graph(deployments.size());
    Graph some_of(deployments.size());  // those of which not all are needed
    std::map<std::size_t, Location> locations;
    constexpr std::size_t most_edges = 1'000'000;
    std::size_t edges = 0;
    for (const WrittenNeed& need : needs) {
        const std::string entry = need.name.substr(0, need.name.find('/'));
        auto found = by_name.find(need.name);
        if (found == by_name.end()) {
            // It may be among those that are not found yet, or needed by one of those.
            const auto all = by_name.find(entry);
            const bool is_there = all != by_name.end();
            if (is_there && (deployments[all->second.front()].discovers ||
                             deployments[need.deployment].discovers)) {
                found = all;
            }
        }
        if (found != by_name.end()) {
            edges += found->second.size();
            if (edges > most_edges && deployments[need.deployment].is_found) {
                edges -= found->second.size();
                deployments[need.deployment].unusable = "needs: too many were found";
                continue;
            }
            if (edges > most_edges) {
                return diagnostics.error(
                    need.location,
                    "needs: together they are more than 1,000,000 pairs of deployments; put a "
                    "single deployment between the two entries, which needs the one and is needed "
                    "by the other");
            }
            const bool is_quorum = need.at_least && need.name == entry;
            if (need.at_least && !is_quorum) {
                diagnostics.error(need.location,
                                  "needs: at_least counts the targets of an entry, "
                                  "and " +
                                      in_quotes(need.name) + " is one of them");
            }
            if (is_quorum) {
                deployments[need.deployment].quorums.push_back({entry, *need.at_least});
            }
            auto& needed = (is_quorum ? some_of : graph)[need.deployment];
            needed.insert(needed.end(), found->second.begin(), found->second.end());
            locations.try_emplace(need.deployment, need.location);
        } else if (std::count(entries.begin(), entries.end(), entry) == 0) {
            diagnostics.error(need.location, "needs: there is no [deploy." + entry + "]" +
                                                 suggestion(entry, entries));
        } else if (by_name.count(entry) != 0 && (deployments[by_name[entry].front()].is_found ||
                                                 deployments[need.deployment].is_found)) {
            deployments[need.deployment].unusable =
                "needs: " + in_quotes(need.name) + " is not among the targets that were found";
        } else if (const auto names = names_of_entry.find(entry); names != names_of_entry.end()) {
            diagnostics.error(need.location, "needs: " + entry + " has no target for " +
                                                 in_quotes(need.name) +
                                                 suggestion(need.name, names->second));
        } else if (entry != need.name && by_name.count(entry) != 0) {
            diagnostics.error(need.location,
                              "needs: " + entry + " has no targets, expected \"" + entry + "\"");
        }
    }
    for (std::size_t i = 0; i < graph.size(); ++i) {
        std::vector<std::size_t>& needed = graph[i];
        std::sort(needed.begin(), needed.end());
        needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
        for (const std::size_t other : needed)
            deployments[i].needs.push_back(deployments[other].name);
        needed.insert(needed.end(), some_of[i].begin(), some_of[i].end());
    }
    std::vector<std::string> names;
    names.reserve(deployments.size());
    for (const Deployment& deployment : deployments) names.push_back(deployment.name);
    add_fleets(deployments, names, graph);
    report_cycles(names, graph, locations, diagnostics);
}

}  // namespace certcast
