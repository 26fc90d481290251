/* The boilerplate that the plugins here share: one deployer that has nothing but a deploy stage.
 * A source defines `deploy` and ends with MISBEHAVING_PLUGIN("test-its-name"). */
#ifndef CERTCAST_TESTS_MISBEHAVING_H
#define CERTCAST_TESTS_MISBEHAVING_H

#include <certcast/plugin.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The value of a parameter, which the schema below knows. */
static inline const certcast_value* config_of(const certcast_job* job, const char* name) {
    uint64_t i;
    for (i = 0; i < job->config->count; ++i) {
        const certcast_entry* entry = &job->config->entries[i];
        if (entry->key.size == strlen(name) && memcmp(entry->key.data, name, entry->key.size) == 0)
            return &entry->value;
    }
    return NULL;
}

/* Tells the FIFO that the test reads, if there is one, this process and another number. */
static inline void announce_with(const certcast_job* job, long other) {
    const certcast_value* value = config_of(job, "announce");
    char text[4096];
    int fd;
    if (value == NULL || value->type == CERTCAST_NONE || value->text.size >= sizeof text) return;
    memcpy(text, value->text.data, value->text.size);
    text[value->text.size] = 0;
    fd = open(text, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) return;
    snprintf(text, sizeof text, "%d %ld\n", getpid(), other);
    if (write(fd, text, strlen(text)) < 0) _exit(9);
    close(fd);
}

/* This process and its parent. */
static inline void announce(const certcast_job* job) {
    announce_with(job, getppid());
}

static inline void take(long milliseconds) {
    struct timespec left;
    left.tv_sec = milliseconds / 1000;
    left.tv_nsec = (milliseconds % 1000) * 1000000;
    while (nanosleep(&left, &left) != 0) {
    }
}

static inline void wait_for_cancel(const certcast_job* job) {
    struct pollfd cancel;
    cancel.fd = job->host->cancel_fd(job->host);
    cancel.events = POLLIN;
    while (poll(&cancel, 1, -1) != 1) {
    }
}

static inline int32_t changed(const certcast_job* job) {
    job->host->set_changed(job->host, 0, 1);
    return CERTCAST_OK;
}

static const certcast_param misbehaving_params[] = {
    {.name = CERTCAST_STR("announce"),
     .doc = CERTCAST_STR("A FIFO that is told process ids"),
     .type = CERTCAST_PATH,
     .flags = CERTCAST_WRITES},
    {.name = CERTCAST_STR("milliseconds"),
     .doc = CERTCAST_STR("How long the work takes"),
     .type = CERTCAST_INT,
     .default_value = CERTCAST_STR("0")},
    {.name = CERTCAST_STR("target"),
     .doc = CERTCAST_STR("What it is not granted"),
     .type = CERTCAST_TEXT},
    {.name = CERTCAST_STR("password"),
     .doc = CERTCAST_STR("What must not be shown"),
     .type = CERTCAST_SECRET},
};

/* A source that has such a stage names it before it includes this. */
#ifndef MISBEHAVING_INSPECT
#define MISBEHAVING_INSPECT NULL
#endif

static inline void* misbehaving_create(const certcast_job* job) {
    static char self;
    (void)job;
    return &self;
}

static inline void misbehaving_destroy(void* self) {
    (void)self;
}

#define MISBEHAVING_DEPLOYER(ID, MAJOR, NEEDS)                                   \
    static const certcast_descriptor descriptor = {                              \
        .size = sizeof(certcast_descriptor),                                     \
        .needs = NEEDS,                                                          \
        .id = CERTCAST_STR(ID),                                                  \
        .version = CERTCAST_STR("1.0.0"),                                        \
        .name = CERTCAST_STR(ID),                                                \
        .params = misbehaving_params,                                            \
        .param_count = sizeof misbehaving_params / sizeof misbehaving_params[0], \
        .param_stride = sizeof(certcast_param),                                  \
        .longest_protect_ms = 5000,                                              \
    };                                                                           \
    static const certcast_deployer deployer = {                                  \
        .size = sizeof(certcast_deployer),                                       \
        .descriptor = &descriptor,                                               \
        .create = misbehaving_create,                                            \
        .inspect = MISBEHAVING_INSPECT,                                          \
        .deploy = deploy,                                                        \
        .destroy = misbehaving_destroy,                                          \
    };                                                                           \
    const certcast_plugin* certcast_plugin_v1(void) {                            \
        static const certcast_plugin plugin = {                                  \
            .size = sizeof(certcast_plugin),                                     \
            .abi_major = MAJOR,                                                  \
            .deployers = &deployer,                                              \
            .deployer_count = 1,                                                 \
            .deployer_stride = sizeof(certcast_deployer),                        \
        };                                                                       \
        return &plugin;                                                          \
    }

#define MISBEHAVING_ABI(ID, MAJOR) MISBEHAVING_DEPLOYER(ID, MAJOR, 0)
#define MISBEHAVING_PLUGIN(ID) MISBEHAVING_ABI(ID, CERTCAST_ABI_MAJOR)

#endif
