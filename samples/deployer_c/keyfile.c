/* A deployer in plain C11, on nothing but the ABI: writes key and full chain into one file, and
 * puts back what was there. */
#define _XOPEN_SOURCE 700

#include <certcast/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { largest_file = 1 << 20, key_mode = 0600 };

/* What stands in the file, and whose it is. size -1: there is none. */
struct contents {
    char* data;
    ssize_t size;
    struct stat status;
};

/* What a step stores in front of the former contents. */
struct access {
    mode_t mode;
    uid_t owner;
    gid_t group;
};

static certcast_str text(const char* literal) {
    certcast_str view = {literal, strlen(literal)};
    return view;
}

static int32_t fail(const certcast_job* job, uint32_t category, const char* message) {
    job->host->fail(job->host, category, CERTCAST_RETRY_DEFAULT, 0, text(""), text(message));
    return CERTCAST_FAILED;
}

/* The system refused: what, and why. */
static int32_t fail_with_errno(const certcast_job* job, const char* what) {
    char message[PATH_MAX + 256];
    snprintf(message, sizeof(message), "%s: %s", what, strerror(errno));
    return fail(job, CERTCAST_CONFIG_ERROR, message);
}

/* The one parameter, "file", as a C string: the file itself where it names a link to one. */
static int path_of(const certcast_job* job, char path[PATH_MAX]) {
    char written[PATH_MAX];
    const certcast_str value = job->config->entries[0].value.text;
    if (value.size >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(written, value.data, value.size);
    written[value.size] = '\0';
    if (realpath(written, path) == NULL) strcpy(path, written);
    return 0;
}

static void drop(struct contents* contents) {
    if (contents->data != NULL) {
        volatile char* wiped = contents->data;
        for (ssize_t i = 0; i < contents->size; ++i) wiped[i] = 0;
        free(contents->data);
    }
    contents->data = NULL;
}

static int read_contents(const char* path, struct contents* found) {
    found->data = NULL;
    found->size = -1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? 0 : -1;
    char* data = malloc(largest_file);
    ssize_t size = 0;
    while (data != NULL && size < largest_file) {
        const ssize_t got = read(fd, data + size, (size_t)(largest_file - size));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            if (got < 0) size = -1;
            break;
        }
        size += got;
    }
    if (fstat(fd, &found->status) != 0) size = -1;
    const int error = errno;
    close(fd);
    if (data == NULL || size < 0 || size == largest_file) {
        free(data);
        errno = size == largest_file ? EFBIG : error;
        return -1;
    }
    found->data = data;
    found->size = size;
    return 0;
}

static int write_all(int fd, const char* data, size_t size) {
    while (size > 0) {
        const ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return -1;
        data += done;
        size -= (size_t)done;
    }
    return 0;
}

/* Complete and synced under another name before it is switched. */
static int replace_contents(const char* path, const char* data, size_t size,
                            const struct access* access) {
    char temporary[PATH_MAX + 8];
    snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    const int fd = mkstemp(temporary);
    if (fd < 0) return -1;
    /* Only root gives files away; anybody else keeps what is his. */
    const int written = write_all(fd, data, size) == 0 &&
                                (fchown(fd, access->owner, access->group) == 0 || errno == EPERM) &&
                                fchmod(fd, access->mode) == 0 && fsync(fd) == 0
                            ? 0
                            : -1;
    const int closed = close(fd);
    if (written != 0 || closed != 0 || rename(temporary, path) != 0) {
        const int error = errno;
        unlink(temporary);
        errno = error;
        return -1;
    }
    return 0;
}

static int material(const certcast_job* job, uint32_t kind, certcast_bytes* out) {
    certcast_material_query query = {.size = sizeof(query), .kind = kind};
    return job->host->material(job->host, &query, out) == CERTCAST_OK ? 0 : -1;
}

/* Key and full chain, to be dropped by the caller. */
static int wanted_contents(const certcast_job* job, struct contents* wanted) {
    certcast_bytes key;
    certcast_bytes chain;
    wanted->data = NULL;
    wanted->size = 0;
    if (material(job, CERTCAST_KEY_PEM, &key) != 0) return -1;
    if (material(job, CERTCAST_FULLCHAIN_PEM, &chain) != 0) return -1;
    wanted->data = malloc(key.size + chain.size);
    if (wanted->data == NULL) return -1;
    memcpy(wanted->data, key.data, key.size);
    memcpy(wanted->data + key.size, chain.data, chain.size);
    wanted->size = (ssize_t)(key.size + chain.size);
    return 0;
}

static void* create(const certcast_job* job) {
    static char self;
    (void)job;
    return &self;
}

static void destroy(void* self) {
    (void)self;
}

static int32_t inspect(void* self, const certcast_job* job) {
    (void)self;
    char path[PATH_MAX];
    struct contents now;
    struct contents wanted;
    certcast_bytes sha256;
    if (path_of(job, path) != 0) return fail_with_errno(job, "file");
    if (read_contents(path, &now) != 0) return fail_with_errno(job, path);
    if (wanted_contents(job, &wanted) != 0 || material(job, CERTCAST_SHA256, &sha256) != 0) {
        drop(&now);
        return fail(job, CERTCAST_INTERNAL_ERROR, "the host gives no material of the certificate");
    }
    certcast_live live = {.size = sizeof(live)};
    live.as_wanted = now.size == wanted.size && (now.status.st_mode & 07777) == key_mode &&
                     memcmp(now.data, wanted.data, (size_t)now.size) == 0;
    live.presence = now.size < 0 ? CERTCAST_ABSENT : CERTCAST_PRESENCE_UNKNOWN;
    if (live.as_wanted) {
        live.presence = CERTCAST_PRESENT;
        live.evidence_kind = CERTCAST_EVIDENCE_SHA256;
        live.evidence = sha256;
    }
    const int32_t answer = job->host->live(job->host, &live);
    drop(&now);
    drop(&wanted);
    return answer == CERTCAST_OK ? CERTCAST_OK : CERTCAST_FAILED;
}

/* Stores what was there: whose it was, then its contents. */
static int32_t record(const certcast_job* job, const struct contents* now) {
    if (now->size < 0) {
        const certcast_bytes nothing = {NULL, 0};
        return job->host->step(job->host, text("create"), nothing);
    }
    const struct access access = {now->status.st_mode & 07777, now->status.st_uid,
                                  now->status.st_gid};
    const size_t size = sizeof(access) + (size_t)now->size;
    struct contents undo = {.data = malloc(size), .size = (ssize_t)size};
    if (undo.data == NULL) return CERTCAST_FAILED;
    memcpy(undo.data, &access, sizeof(access));
    memcpy(undo.data + sizeof(access), now->data, (size_t)now->size);
    const certcast_bytes bytes = {(const uint8_t*)undo.data, size};
    const int32_t answer = job->host->step(job->host, text("replace"), bytes);
    drop(&undo);
    return answer;
}

static int32_t deploy(void* self, const certcast_job* job) {
    (void)self;
    char path[PATH_MAX];
    struct contents now;
    struct contents wanted;
    if (path_of(job, path) != 0) return fail_with_errno(job, "file");
    if (read_contents(path, &now) != 0) return fail_with_errno(job, path);
    const struct access access = {key_mode, now.size < 0 ? geteuid() : now.status.st_uid,
                                  now.size < 0 ? getegid() : now.status.st_gid};
    const int32_t recorded = record(job, &now);
    drop(&now);
    if (recorded != CERTCAST_OK || wanted_contents(job, &wanted) != 0) {
        return fail(job, CERTCAST_INTERNAL_ERROR, "the host refused a call");
    }
    const int written = replace_contents(path, wanted.data, (size_t)wanted.size, &access);
    drop(&wanted);
    if (written != 0) return fail_with_errno(job, path);
    job->host->set_changed(job->host, 0, 1);
    return CERTCAST_OK;
}

/* Brings back what one step stored. */
static int restore(const char* path, const certcast_step* step) {
    struct access access;
    if (step->label.size == strlen("create")) {
        return unlink(path) == 0 || errno == ENOENT ? 0 : -1;
    }
    if (step->undo.size < sizeof(access)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(&access, step->undo.data, sizeof(access));
    return replace_contents(path, (const char*)step->undo.data + sizeof(access),
                            step->undo.size - sizeof(access), &access);
}

static int32_t rollback(void* self, const certcast_job* job) {
    (void)self;
    char path[PATH_MAX];
    if (path_of(job, path) != 0) return fail_with_errno(job, "file");
    for (uint64_t i = job->step_count; i > 0; --i) {
        const char* at = (const char*)job->steps + (i - 1) * job->step_stride;
        if (restore(path, (const certcast_step*)at) != 0) return fail_with_errno(job, path);
        job->host->step_undone(job->host, i - 1);
    }
    return CERTCAST_OK;
}

static const certcast_param params[] = {
    {.name = CERTCAST_STR("file"),
     .doc = CERTCAST_STR("Where to write key and full chain"),
     .type = CERTCAST_PATH,
     .flags = CERTCAST_REQUIRED | CERTCAST_WRITES | CERTCAST_IDENTITY},
};

static const certcast_descriptor descriptor = {
    .size = sizeof(certcast_descriptor),
    .needs = CERTCAST_NEEDS_KEY,
    .id = CERTCAST_STR("org.example.keyfile"),
    .version = CERTCAST_STR("1.0.0"),
    .name = CERTCAST_STR("Write one PEM file, in C"),
    .params = params,
    .param_count = 1,
    .param_stride = sizeof(certcast_param),
    .max_certificates = 1,
};

static const certcast_deployer deployers[] = {
    {.size = sizeof(certcast_deployer),
     .descriptor = &descriptor,
     .create = create,
     .inspect = inspect,
     .deploy = deploy,
     .rollback = rollback,
     .destroy = destroy},
};

const certcast_plugin* certcast_plugin_v1(void) {
    static const certcast_plugin plugin = {
        .size = sizeof(certcast_plugin),
        .abi_major = CERTCAST_ABI_MAJOR,
        .abi_minor = CERTCAST_ABI_MINOR,
        .deployers = deployers,
        .deployer_count = 1,
        .deployer_stride = sizeof(certcast_deployer),
    };
    return &plugin;
}
