/* Looks for secrets while it is loaded, and for folders that are open, from which ".." might lead
 * around its sandbox. Tells later what it found. */
#include "misbehaving.h"

#include <sys/stat.h>

static int found = -1;
static int folders = 0;

__attribute__((constructor)) static void look(void) {
    struct stat status;
    int file;
    found = open("/etc/shadow", O_RDONLY);
    for (file = 0; file < 1024; ++file)
        folders += fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
}

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_str name = CERTCAST_STR("shadow");
    const certcast_str seen = CERTCAST_STR("seen"), hidden = CERTCAST_STR("hidden");
    const certcast_str open_folders = CERTCAST_STR("open folders"), none = CERTCAST_STR("none");
    job->host->output(job->host, name, found >= 0 ? seen : hidden);
    job->host->output(job->host, open_folders, folders > 0 ? seen : none);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-reads-in-constructor")
