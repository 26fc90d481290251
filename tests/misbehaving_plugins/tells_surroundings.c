/* Tells what it finds around itself, as outputs. */
#include "misbehaving.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

extern char** environ;

static void tell(const certcast_host* host, const char* what, const char* value) {
    const certcast_str name = {what, strlen(what)};
    const certcast_str text = {value, strlen(value)};
    host->output(host, name, text);
}

static void tell_number(const certcast_host* host, const char* what, long number) {
    char text[32];
    snprintf(text, sizeof text, "%ld", number);
    tell(host, what, text);
}

/* Those beside standard input, output and error, the host's socket and the cancel descriptor. */
static long other_descriptors(void) {
    long count = 0;
    int fd;
    for (fd = 5; fd < 4096; ++fd) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static long handled_signals(void) {
    long count = 0;
    int number;
    for (number = 1; number < NSIG; ++number) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL) ++count;
    }
    return count;
}

static long blocked_signals(void) {
    long count = 0;
    int number;
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (number = 1; number < NSIG; ++number) count += sigismember(&blocked, number) == 1;
    return count;
}

static int32_t deploy(void* self, const certcast_job* job) {
    const certcast_host* host = job->host;
    char text[8192] = "";
    char folder[4096];
    struct rlimit limit;
    struct stat status;
    int subreaper = 0, death_signal = 0;
    char** variable;
    for (variable = environ; *variable != NULL; ++variable) {
        strncat(text, *variable, strcspn(*variable, "="));
        strcat(text, " ");
    }
    tell(host, "environment", text);
    tell(host, "secret variable", getenv("TEST_PASSWORD") == NULL ? "hidden" : "seen");
    tell(host, "LC_ALL", getenv("LC_ALL"));
    tell_number(host, "own session", getsid(0) == getpid());
    tell_number(host, "own group", getpgrp() == getpid());
    tell_number(host, "no new privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    tell_number(host, "dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
    tell_number(host, "subreaper", subreaper);
    prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
    tell_number(host, "dies with its parent", death_signal == SIGKILL);
    getrlimit(RLIMIT_CORE, &limit);
    tell_number(host, "core", (long)limit.rlim_max);
    getrlimit(RLIMIT_NOFILE, &limit);
    tell_number(host, "files", (long)limit.rlim_cur);
    tell_number(host, "umask", umask(0));
    tell_number(host, "handled signals", handled_signals());
    tell_number(host, "blocked signals", blocked_signals());
    tell_number(host, "other descriptors", other_descriptors());
    tell_number(host, "passed to programs",
                (fcntl(3, F_GETFD) & FD_CLOEXEC) == 0 || (fcntl(4, F_GETFD) & FD_CLOEXEC) == 0);
    fstat(0, &status);
    tell_number(host, "input is /dev/null", S_ISCHR(status.st_mode) && read(0, text, 1) == 0);
    memcpy(folder, job->work_folder.data, job->work_folder.size);
    folder[job->work_folder.size] = 0;
    tell_number(host, "in its work folder",
                getcwd(text, sizeof text) != NULL && strcmp(text, folder) == 0);
    tell_number(host, "mode of its work folder",
                stat(folder, &status) == 0 ? (long)(status.st_mode & 07777) : -1);
    return changed(job);
}
MISBEHAVING_PLUGIN("test-tells-surroundings")
