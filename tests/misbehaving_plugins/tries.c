/* Tries what a sandbox is there to refuse, and gives the errno of each as an output: 0 where it was
 * let. One deployer per right that a sandbox can grant, all of which try the same. */
#include <certcast/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void tell(const certcast_job* job, const char* what, long number) {
    char text[32];
    const certcast_str name = {what, strlen(what)};
    certcast_str value = {text, 0};
    value.size = (uint64_t)snprintf(text, sizeof text, "%ld", number);
    job->host->output(job->host, name, value);
}

/* What a call returned, as an errno; a descriptor that it opened is closed. */
static void tried(const certcast_job* job, const char* what, long result) {
    tell(job, what, result < 0 ? errno : 0);
}
static void opened(const certcast_job* job, const char* what, int fd) {
    tried(job, what, fd);
    if (fd >= 0) close(fd);
}

static const char* path_of(const certcast_job* job, const char* name) {
    static char paths[8][4096];
    static int next;
    uint64_t i;
    char* const path = paths[next++ % 8];
    for (i = 0; i < job->config->count; ++i) {
        const certcast_entry* entry = &job->config->entries[i];
        if (entry->key.size != strlen(name) || memcmp(entry->key.data, name, strlen(name)) != 0)
            continue;
        if (entry->value.text.size >= sizeof paths[0]) break;
        memcpy(path, entry->value.text.data, entry->value.text.size);
        path[entry->value.text.size] = 0;
        return path;
    }
    return strcpy(path, "/nowhere");
}

static void* nothing(void* argument) {
    return argument;
}

static int leased(const char* path) {
    const int file = open(path, O_RDONLY);
    return fcntl(file, F_SETLEASE, F_RDLCK);
}

/* Where none can be made. */
static void try_to_move_symlink(const certcast_job* job, const char* written) {
    char folder[4200];
    snprintf(folder, sizeof folder, "%s.folder", written);
    if (mkdir("holds link", 0700) != 0 || symlink("/etc/shadow", "holds link/link") != 0) return;
    tried(job, "move a symlink where it may write", rename("holds link", folder));
}

static void try_what_is_open(const certcast_job* job, const char* written) {
    const int file = open(written, O_RDONLY);
    const int name = open(path_of(job, "other"), O_PATH);
    tried(job, "mode of what is open", fchmod(file, 0640));
    tried(job, "times of what is open", futimens(file, NULL));
    tried(job, "owner of what is open", fchown(file, getuid(), getgid()));
    tried(job, "mode of a mere name", fchmod(name, 0777));
    tried(job, "owner of a mere name", fchownat(name, "", getuid(), getgid(), AT_EMPTY_PATH));
    close(file);
    close(name);
}

static void try_files(const certcast_job* job) {
    const char* const other = path_of(job, "other");
    const char* const written = path_of(job, "written");
    const char* const read_only = path_of(job, "read");
    char beside[4300];
    char folder[4200];
    struct stat status;
    tell(job, "user", (long)getuid());
    opened(job, "read /etc/shadow", open("/etc/shadow", O_RDONLY));
    opened(job, "read granted", open(read_only, O_RDONLY));
    opened(job, "write what may be read", open(read_only, O_WRONLY));
    opened(job, "keep others from a file", leased(read_only));
    opened(job, "shorten what may be read", open(read_only, O_RDONLY | O_TRUNC));
    tell(job, "size of what may be read", stat(read_only, &status) == 0 ? status.st_size : -1);
    opened(job, "read other", open(other, O_RDONLY));
    opened(job, "read what a neighbour may in /etc", open("/etc/issue", O_RDONLY));
    opened(job, "write other", open(other, O_WRONLY | O_TRUNC));
    tried(job, "truncate other", truncate(other, 0));
    tried(job, "remove other", unlink(other));
    snprintf(beside, sizeof beside, "%s.new", other);
    opened(job, "make beside other", open(beside, O_WRONLY | O_CREAT, 0600));
    tried(job, "chmod other", chmod(other, 0777));
    tried(job, "chown other", chown(other, getuid(), getgid()));
    tried(job, "touch other", utimensat(AT_FDCWD, other, NULL, 0));
    tried(job, "set attribute of other", setxattr(other, "user.test", "1", 1, 0));
    opened(job, "write granted", open(written, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    tried(job, "chmod granted", chmod(written, 0640));
    try_what_is_open(job, written);
    snprintf(beside, sizeof beside, "%s.link", written);
    tried(job, "symlink where it may write", symlink("/etc/shadow", beside));
    snprintf(beside, sizeof beside, "%s.old", written);
    tried(job, "rename granted", rename(written, beside));
    tried(job, "remove granted", unlink(beside));
    opened(job, "write its work folder", open("mine", O_WRONLY | O_CREAT | O_TRUNC, 0600));
    opened(job, "make a file that runs as its owner",
           open("mine too", O_WRONLY | O_CREAT | O_TRUNC, 04755));
    tried(job, "make a file run as its owner", fchmod(open("mine", O_RDONLY), 04755));
    tried(job, "rename in its work folder", rename("mine", "still mine"));
    snprintf(beside, sizeof beside, "%s.exchanged", getcwd(folder, sizeof folder));
    tried(job, "exchange its work folder", rename(folder, beside));
    try_to_move_symlink(job, written);
    opened(job, "use a device", open("/dev/ptmx", O_RDWR | O_NOCTTY));
    opened(job, "look at work folders", open("..", O_RDONLY | O_DIRECTORY));
    opened(job, "read itself in /proc", open("/proc/self/environ", O_RDONLY));
    opened(job, "read the host in /proc", open("/proc/1/environ", O_RDONLY));
}

static void try_sockets(const certcast_job* job) {
    int pair[2];
    const int yes = 1;
    struct linger linger = {1, 3600};
    socklen_t size = sizeof linger;
    opened(job, "tcp", socket(AF_INET, SOCK_STREAM, 0));
    opened(job, "tcp6", socket(AF_INET6, SOCK_STREAM, 0));
    opened(job, "udp", socket(AF_INET, SOCK_DGRAM, 0));
    opened(job, "tcp by garbage above the int",
           (int)syscall(SYS_socket, 0x100000000L | AF_INET, SOCK_STREAM, 0));
    opened(job, "unix", socket(AF_UNIX, SOCK_STREAM, 0));
    opened(job, "packet", socket(AF_PACKET, SOCK_RAW, 0));
    tried(job, "datagram pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    tried(job, "stream pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    tried(job, "linger", setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    getsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, &size);
    tell(job, "lingers", linger.l_onoff);
    tried(job, "keep alive", setsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes));
}

static void try_processes(const certcast_job* job) {
    char* const no_words[] = {NULL};
    pthread_t thread;
    const int memfd = memfd_create("program", 0);
    long sibling;
    const pid_t child = fork();
    if (child == 0) _exit(0);
    tried(job, "fork", child);
    if (child > 0) waitpid(child, NULL, 0);
    errno = pthread_create(&thread, NULL, nothing, NULL);
    tell(job, "thread", errno);
    if (errno == 0) pthread_join(thread, NULL);
    /* Where it is let, there is nothing to run. */
    tried(job, "run nothing", execve("/nowhere", no_words, no_words));
    tried(job, "run a memfd", fexecve(memfd, no_words, no_words));
    tried(job, "signal its parent", kill(getppid(), 0));
    tried(job, "signal process 1", kill(1, 0));
    tried(job, "signal all", kill(-1, 0));
    tried(job, "signal itself", kill(getpid(), 0));
    tried(job, "outlive its parent", prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
    tried(job, "be dumped", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    tried(job, "limit all of its user's", setpriority(PRIO_USER, 0, 19));
    sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (sibling == 0) _exit(0);
    tried(job, "start a sibling", sibling);
    tried(job, "limit its parent", setpriority(PRIO_PROCESS, (id_t)getppid(), 19));
}

static void try_kernel(const certcast_job* job) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct capabilities[2] = {{0, 0, 0}, {0, 0, 0}};
    unsigned long context = 0;
    tried(job, "ptrace", ptrace(PTRACE_SEIZE, getppid(), 0, 0));
    tried(job, "read memory", syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0));
    tried(job, "io_uring", syscall(SYS_io_uring_setup, 1, 0));
    tried(job, "asynchronous input", syscall(SYS_io_setup, 1, &context));
    tried(job, "namespace", unshare(CLONE_NEWUSER));
    tried(job, "namespace by clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    tried(job, "clone3", syscall(SYS_clone3, 0, 0));
    tried(job, "mount", mount("none", "/mnt", "tmpfs", 0, NULL));
    tried(job, "bpf", syscall(SYS_bpf, 0, 0, 0));
    tried(job, "keys", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    tried(job, "userfaultfd", syscall(SYS_userfaultfd, 0));
    tried(job, "perf", syscall(SYS_perf_event_open, 0, 0, 0, 0, 0));
    tried(job, "shared memory", syscall(SYS_shmget, 4711, 4096, 01600));
    tried(job, "module", syscall(SYS_init_module, 0, 0, 0));
    tried(job, "kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
    tried(job, "a call of the future", syscall(999));
    syscall(SYS_capget, &header, capabilities);
    tell(job, "capabilities", (long)(capabilities[0].effective | capabilities[1].effective));
}

static int32_t deploy(void* self, const certcast_job* job) {
    (void)self;
    try_files(job);
    try_sockets(job);
    try_processes(job);
    try_kernel(job);
    job->host->set_changed(job->host, 0, 1);
    return CERTCAST_OK;
}

static const certcast_param params[] = {
    {.name = CERTCAST_STR("read"), .type = CERTCAST_PATH, .flags = CERTCAST_READS},
    {.name = CERTCAST_STR("written"), .type = CERTCAST_PATH, .flags = CERTCAST_WRITES},
    {.name = CERTCAST_STR("other"), .type = CERTCAST_PATH},
    {.name = CERTCAST_STR("device"), .type = CERTCAST_PATH, .flags = CERTCAST_DEVICE},
};

#define DESCRIPTOR(ID, NEEDS)                                                              \
    {                                                                                      \
        .size = sizeof(certcast_descriptor), .needs = NEEDS, .id = CERTCAST_STR(ID),       \
        .version = CERTCAST_STR("1.0.0"), .name = CERTCAST_STR(ID), .params = params,      \
        .param_count = sizeof params / sizeof params[0], .param_stride = sizeof params[0], \
    }
static const certcast_descriptor descriptors[] = {
    DESCRIPTOR("test-tries", 0),
    DESCRIPTOR("test-tries-network", CERTCAST_NEEDS_NETWORK),
    DESCRIPTOR("test-tries-unix", CERTCAST_NEEDS_UNIX_SOCKETS),
    DESCRIPTOR("test-tries-exec", CERTCAST_NEEDS_EXEC),
    DESCRIPTOR("test-tries-signals", CERTCAST_NEEDS_SIGNALS),
};

#define DEPLOYER(N) \
    { .size = sizeof(certcast_deployer), .descriptor = &descriptors[N], .deploy = deploy }
static const certcast_deployer deployers[] = {DEPLOYER(0), DEPLOYER(1), DEPLOYER(2), DEPLOYER(3),
                                              DEPLOYER(4)};

const certcast_plugin* certcast_plugin_v1(void) {
    static const certcast_plugin plugin = {
        .size = sizeof(certcast_plugin),
        .abi_major = CERTCAST_ABI_MAJOR,
        .deployers = deployers,
        .deployer_count = sizeof deployers / sizeof deployers[0],
        .deployer_stride = sizeof(certcast_deployer),
    };
    return &plugin;
}
