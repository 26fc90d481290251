#include "core/cli/commands.hpp"
#include "core/cli/harden.hpp"
#include "core/cli/usage_mistake.hpp"

#include <poll.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <span>

namespace {

using namespace certcast;

std::string not_a_duration(const std::string& text) {
    const auto duration = parse_duration(text);
    return duration ? std::string() : duration.error().text();
}

std::string empty_name(const std::string& text) {
    return text.empty() ? "expected the name of a file" : "";
}

/// What was to be shown is gone where the disk is full. Who closed a pipe wants no more of it.
bool output_was_lost() {
    if (std::cout.flush()) return false;
    pollfd reader{STDOUT_FILENO, POLLOUT, 0};
    return poll(&reader, 1, 0) != 1 || (reader.revents & (POLLERR | POLLNVAL)) == 0;
}

void add_choice(CLI::App& command, RunArguments& arguments) {
    command.add_option("--only", arguments.only, "Only deployments with a matching name")
        ->type_name("GLOB")
        ->allow_extra_args(false);  // one glob each, so that the pipeline may follow
    command.add_option("--tag", arguments.tags, "Only deployments that have it")
        ->type_name("TAG")
        ->allow_extra_args(false);
}

void add_lock_timeout(CLI::App& command, std::string& text) {
    command.add_option("--lock-timeout", text, "How long to wait for another run")
        ->type_name("DURATION")
        ->check(not_a_duration);
}

void add_report(CLI::App& command, RunArguments& arguments) {
    command.add_option("--report", arguments.report, "Write a report in JSON there")
        ->type_name("FILE")
        ->check(empty_name);
}

int dispatch(int argc, char** argv) {
    CLI::App app{"Puts renewed TLS certificates onto everything that serves them.", "certcast"};
    app.set_version_flag("--version", CERTCAST_VERSION);
    app.require_subcommand(1);

    RunArguments arguments;
    std::string lock_timeout = "60s";
    CLI::App* run = app.add_subcommand("run", "Run a pipeline");
    run->add_option("pipeline", arguments.pipeline, "Pipeline file")->required();
    add_choice(*run, arguments);
    CLI::Option* resume = run->add_flag("--resume", arguments.resume,
                                        "Only what has not succeeded with these certificates");
    CLI::Option* dry_run = run->add_flag("--dry-run", arguments.dry_run,
                                         "Change nothing: tell what would be changed, and why");
    run->add_option("--max-changes", arguments.max_changes, "Change so many; defer the rest")
        ->type_name("N")
        ->check(CLI::Range(0, 1'000'000))
        ->excludes(dry_run);
    run->add_flag("--force", arguments.force, "Deploy even what is as wanted already");
    run->add_option("--max-parallel", arguments.max_parallel, "At most so many at once")
        ->type_name("N")
        ->check(CLI::Range(1, 100'000));
    add_lock_timeout(*run, lock_timeout);
    run->add_option("--output", arguments.output, "auto, plain or json")
        ->check(CLI::IsMember({"auto", "plain", "json"}));
    add_report(*run, arguments);
    run->add_flag("--no-journal", arguments.no_journal,
                  "Remember nothing: what is half-way when certcast is killed stays so")
        ->excludes(resume);
    run->add_flag("-v,--verbose", arguments.verbose, "Show what plugins log, too");

    RunArguments planned;
    CLI::App* plan =
        app.add_subcommand("plan", "What a run would change, and why; changes nothing");
    plan->add_option("pipeline", planned.pipeline, "Pipeline file")->required();
    add_choice(*plan, planned);
    plan->add_flag("--force", planned.force, "As if nothing were as wanted already");
    plan->add_flag("--json", planned.json, "As JSON");

    std::filesystem::path checked;
    CLI::App* check = app.add_subcommand("check", "Check a pipeline, offline");
    check->add_option("pipeline", checked, "Pipeline file")->required();

    HistoryArguments past;
    std::string older_than;
    CLI::App* history = app.add_subcommand("history", "List the runs that there were");
    history->add_option("pipeline", past.pipeline, "Only those of this pipeline file");
    history->add_option("--most", past.most, "The newest of them, so many")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000));
    history->add_flag("--json", past.json, "As JSON");
    CLI::Option* prune = history->add_flag("--prune", past.prune, "Forget runs instead");
    CLI::Option* age = history->add_option("--older-than", older_than, "Those that are older")
                           ->type_name("DURATION")
                           ->check(not_a_duration)
                           ->needs(prune);
    history->add_option("--keep", past.keep, "All but the newest, so many")
        ->type_name("N")
        ->check(CLI::Range(0, 1'000'000))
        ->needs(prune);

    ShowArguments shown;
    CLI::App* show_run = app.add_subcommand("show", "All that is known of one run");
    show_run->add_option("run", shown.run, "Its name, the beginning of it, or \"last\"")
        ->required();
    show_run->add_option("deployment", shown.deployment, "Only this one, by its name");
    show_run->add_flag("--json", shown.json, "As JSON");

    StatusArguments asked;
    CLI::App* status = app.add_subcommand("status", "What should be where, and what was seen");
    status->add_option("pipeline", asked.pipeline, "Pipeline file")->required();
    status->add_flag("--json", asked.json, "As JSON");

    HookArguments hooked;
    CLI::App* hook = app.add_subcommand("hook", "Deploy what an ACME client has just renewed");
    hook->add_option("--from", hooked.from, "auto, certbot, acme.sh, lego or dehydrated")
        ->check(CLI::IsMember({"auto", "certbot", "acme.sh", "lego", "dehydrated"}));
    hook->add_option("pipeline", hooked.run.pipeline, "Pipeline file")->required();
    hook->add_option("arguments", hooked.arguments, "What dehydrated gives its hook: \"$@\"");
    hook->positionals_at_end();  // those may look like options
    hook->add_flag("--queue", hooked.queue,
                   "Only remember it for the next run, so that the client goes on at once");
    add_lock_timeout(*hook, lock_timeout);
    add_report(*hook, hooked.run);

    ExplainArguments explained;
    CLI::App* explain =
        app.add_subcommand("explain", "What is in force for a deployment, and where it is said");
    explain->add_option("pipeline", explained.pipeline, "Pipeline file")->required();
    explain->add_option("deployment", explained.deployment, "Its name, ENTRY or ENTRY/TARGET")
        ->required();
    explain->add_flag("--json", explained.json, "As JSON");

    ForgetArguments forgotten;
    CLI::App* forget =
        app.add_subcommand("forget", "Let what a deployment has left half-way stay as it is");
    forget->add_option("deployment", forgotten.deployment, "Its name then")->required();
    forget->add_option("--pipeline", forgotten.pipeline, "Whose it is")->type_name("FILE");

    CLI::App* plugins = app.add_subcommand("plugins", "List the plugins");
    CLI::App* plugin = app.add_subcommand("plugin", "Look at one plugin");
    plugin->require_subcommand(1);
    std::string id;
    CLI::App* show = plugin->add_subcommand("show", "All that a plugin says of itself");
    show->add_option("id", id, "Id of the plugin")->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // help or version
        const std::span<char* const> words(argv + 1, static_cast<std::size_t>(argc - 1));
        std::cerr << "certcast: " << usage_mistake(app, error, words) << '\n';
        return exit_invalid;
    }
    arguments.lock_timeout = parse_duration(lock_timeout).value();
    hooked.run.lock_timeout = arguments.lock_timeout;
    if (age->count() > 0) past.older_than = parse_duration(older_than).value();
    if (past.prune && !past.older_than && !past.keep) {
        std::cerr
            << "certcast: --prune forgets nothing without --older-than DURATION or --keep N\n";
        return exit_invalid;
    }

    const Places places = Places::find();
    if (run->parsed()) return run_command(arguments, places);
    if (plan->parsed()) return plan_command(planned, places);
    if (check->parsed()) return check_command(checked, places);
    if (history->parsed()) return history_command(past, places);
    if (show_run->parsed()) return show_command(shown, places);
    if (status->parsed()) return status_command(asked, places);
    if (hook->parsed()) return hook_command(hooked, places);
    if (explain->parsed()) return explain_command(explained, places);
    if (forget->parsed()) return forget_command(forgotten, places);
    if (plugins->parsed()) return plugins_command(places);
    if (show->parsed()) return plugin_show_command(id, places);
    return exit_invalid;
}

}  // namespace

int main(int argc, char** argv) {
    harden_process();
    try {
        const int status = dispatch(argc, argv);
        if (!output_was_lost()) return status;
        std::cerr << "certcast: standard output cannot be written; is its disk full?\n";
        return exit_host_failed;
    } catch (const std::exception& error) {
        std::cerr << "certcast: " << error.what() << '\n';
        return exit_host_failed;
    }
}
