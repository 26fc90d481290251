/* Does one thing that it does not declare, and says what came of it. Built once for each; NAME is
 * the plugin's, REACH the function. */
#include "misbehaving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int read_key(const char* target) {
    return open(target, O_RDONLY);
}

static int write_file(const char* target) {
    return open(target, O_WRONLY | O_TRUNC);
}

static int truncate_file(const char* target) {
    return truncate(target, 0);
}

static int change_mode(const char* target) {
    return chmod(target, 0777);
}

static int reach_port(const char* target, int type) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(target))};
    const int fd = socket(AF_INET, type, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) return -1;
    return connect(fd, (const struct sockaddr*)&address, sizeof address);
}

static int connect_tcp(const char* target) {
    return reach_port(target, SOCK_STREAM);
}

static int send_udp(const char* target) {
    return reach_port(target, SOCK_DGRAM);
}

static int connect_unix(const char* target) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) return -1;
    strncpy(address.sun_path, target, sizeof address.sun_path - 1);
    return connect(fd, (const struct sockaddr*)&address, sizeof address);
}

static int run_program(const char* target) {
    return execl(target, target, (char*)NULL);
}

/* A program that it may read, but not run. */
static int run_memfd(const char* target) {
    static char program[4 * 1024 * 1024];
    char* const words[] = {"loader", "--version", NULL};
    const int file = open("/lib64/ld-linux-x86-64.so.2", O_RDONLY);
    const ssize_t size = read(file, program, sizeof program);
    const int memfd = memfd_create("program", 0);
    if (size <= 0 || write(memfd, program, (size_t)size) != size) _exit(9);
    return fexecve(memfd, words, words + 2);
}

static int kill_init(const char* target) {
    return kill(1, SIGKILL);
}

static int kill_parent(const char* target) {
    return kill(getppid(), SIGKILL);
}

static int outlive_parent(const char* target) {
    return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_value* target = config_of(job, "target");
    char text[4096];
    certcast_str message = {text, 0};
    snprintf(text, sizeof text, "%.*s", (int)target->text.size, (const char*)target->text.data);
    if (REACH(text) >= 0) return changed(job);
    snprintf(text, sizeof text, "%s", strerror(errno));
    message.size = strlen(text);
    job->host->fail(job->host, CERTCAST_CONFIG_ERROR, CERTCAST_RETRY_NEVER, 0,
                    (certcast_str){NULL, 0}, message);
    return CERTCAST_FAILED;
}
MISBEHAVING_PLUGIN(NAME)
