// Writes three files and then "reloads" them into a fourth, which is what counts; dies by SIGKILL
// wherever the pipeline says. As a naive author would, inspect looks at the three files only: after
// a death between the last write and the reload it takes the work for done. It stops for ever at
// other moments, after a word to whoever reads the FIFO "moment" in its folder.
#include <certcast/plugin.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

constexpr std::array<const char*, 3> names{"one", "two", "three"};

enum Param { folder, text, die_at, die_attempts, stop_at, also };

constexpr certcast_param params[] = {
    {.name = CERTCAST_STR("folder"),
     .doc = CERTCAST_STR("Where the files are"),
     .type = CERTCAST_PATH,
     .flags = CERTCAST_REQUIRED | CERTCAST_WRITES | CERTCAST_IDENTITY},
    {.name = CERTCAST_STR("text"),
     .doc = CERTCAST_STR("What is written"),
     .type = CERTCAST_TEXT,
     .flags = CERTCAST_REQUIRED},
    {.name = CERTCAST_STR("die_at"),
     .doc = CERTCAST_STR("Moments to die at, such as \"after write 2\" or \"before undo 1\""),
     .type = CERTCAST_LIST,
     .element_type = CERTCAST_TEXT},
    {.name = CERTCAST_STR("die_attempts"),
     .doc = CERTCAST_STR("How many attempts die"),
     .type = CERTCAST_INT,
     .default_value = CERTCAST_STR("1")},
    {.name = CERTCAST_STR("stop_at"),
     .doc = CERTCAST_STR("Moments to stop at, in every attempt"),
     .type = CERTCAST_LIST,
     .element_type = CERTCAST_TEXT},
    {.name = CERTCAST_STR("also"),
     .doc = CERTCAST_STR("Another place that counts as its own"),
     .type = CERTCAST_PATH,
     .flags = CERTCAST_WRITES | CERTCAST_IDENTITY},
};

const certcast_value& config(const certcast_job* job, Param param) {
    return job->config->entries[param].value;
}

std::string string_of(certcast_str text) {
    return {text.data, text.size};
}

std::filesystem::path path_of(const certcast_job* job, std::string_view name) {
    return std::filesystem::path(string_of(config(job, folder).text)) / name;
}

std::string read(const std::filesystem::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::filesystem::path& path, std::string_view content) {
    std::ofstream(path, std::ios::trunc) << content;
}

bool holds(const certcast_value& moments, const std::string& moment) {
    for (std::uint64_t i = 0; i < moments.count; ++i)
        if (string_of(moments.entries[i].value.text) == moment) return true;
    return false;
}

void die_if(const certcast_job* job, const std::string& moment) {
    if (holds(config(job, stop_at), moment)) {
        std::ofstream(path_of(job, "moment")) << getpid() << " 0\n" << std::flush;
        for (;;) pause();
    }
    if (job->attempt > static_cast<std::uint64_t>(config(job, die_attempts).integer)) return;
    if (holds(config(job, die_at), moment)) kill(getpid(), SIGKILL);
}

void reload(const certcast_job* job) {
    write(path_of(job, "served"), read(path_of(job, "three")));
}

std::int32_t inspect(void*, const certcast_job* job) {
    certcast_live live{.size = sizeof live, .presence = CERTCAST_PRESENT, .as_wanted = 1};
    for (const char* name : names)
        if (read(path_of(job, name)) != string_of(config(job, text).text)) live.as_wanted = 0;
    return job->host->live(job->host, &live);
}

std::int32_t deploy(void*, const certcast_job* job) {
    const std::string content = string_of(config(job, text).text);
    write(path_of(job, "kept"), "what a rollback needs");
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string number = std::to_string(i + 1);
        const std::filesystem::path path = path_of(job, names[i]);
        const std::string former =
            std::filesystem::exists(path) ? "present:" + read(path) : "absent";
        die_if(job, "before step " + number);
        const certcast_bytes undo{reinterpret_cast<const std::uint8_t*>(former.data()),
                                  former.size()};
        const certcast_str label{names[i], std::strlen(names[i])};
        if (const std::int32_t answer = job->host->step(job->host, label, undo);
            answer != CERTCAST_OK)
            return answer;
        die_if(job, "after step " + number);
        write(path, content.substr(0, content.size() / 2));
        die_if(job, "within write " + number);
        write(path, content);
        die_if(job, "after write " + number);
    }
    reload(job);
    die_if(job, "after reload");
    return job->host->set_changed(job->host, 0, 1);
}

std::int32_t verify(void*, const certcast_job* job) {
    const bool recovering = (job->flags & CERTCAST_JOB_RECOVERING) != 0;
    if (!recovering) die_if(job, "in verify");
    const std::string wanted =
        recovering ? read(path_of(job, "three")) : string_of(config(job, text).text);
    if (read(path_of(job, "served")) != wanted) return CERTCAST_FAILED;
    const certcast_live live{.size = sizeof live, .presence = CERTCAST_PRESENT};
    return job->host->live(job->host, &live);
}

std::int32_t settle(void*, const certcast_job* job) {
    die_if(job, "before settle");
    std::filesystem::remove(path_of(job, "kept"));
    die_if(job, "after settle");
    return CERTCAST_OK;
}

std::int32_t rollback(void*, const certcast_job* job) {
    if (!std::filesystem::exists(path_of(job, "kept"))) return CERTCAST_FAILED;
    for (std::uint64_t i = job->step_count; i-- > 0;) {
        const char* at = reinterpret_cast<const char*>(job->steps) + i * job->step_stride;
        const auto& step = *reinterpret_cast<const certcast_step*>(at);
        if (step.undone != 0) continue;
        die_if(job, "before undo " + std::to_string(i + 1));
        const std::filesystem::path path = path_of(job, string_of(step.label));
        const std::string_view undo(reinterpret_cast<const char*>(step.undo.data), step.undo.size);
        if (undo == "absent")
            std::filesystem::remove(path);
        else
            write(path, undo.substr(std::strlen("present:")));
        die_if(job, "after undo " + std::to_string(i + 1));
        if (const std::int32_t answer = job->host->step_undone(job->host, i); answer != CERTCAST_OK)
            return answer;
    }
    reload(job);
    return CERTCAST_OK;
}

void* create(const certcast_job*) {
    static char self;
    return &self;
}

constexpr certcast_descriptor descriptor{
    .size = sizeof(certcast_descriptor),
    .id = CERTCAST_STR("test-steps"),
    .version = CERTCAST_STR("1.0.0"),
    .name = CERTCAST_STR("Dies between any two steps"),
    .params = params,
    .param_count = std::size(params),
    .param_stride = sizeof(certcast_param),
};

const certcast_deployer deployer{
    .size = sizeof(certcast_deployer),
    .descriptor = &descriptor,
    .create = create,
    .inspect = inspect,
    .deploy = deploy,
    .verify = verify,
    .settle = settle,
    .rollback = rollback,
    .destroy = [](void*) {},
};

}  // namespace

const certcast_plugin* certcast_plugin_v1() {
    static const certcast_plugin plugin{
        .size = sizeof(certcast_plugin),
        .abi_major = CERTCAST_ABI_MAJOR,
        .abi_minor = CERTCAST_ABI_MINOR,
        .deployers = &deployer,
        .deployer_count = 1,
        .deployer_stride = sizeof(certcast_deployer),
    };
    return &plugin;
}
