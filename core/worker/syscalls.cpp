#include "core/worker/syscalls.hpp"

#include <seccomp.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>

namespace certcast {

namespace {

struct Listed {
    SyscallKind kind;
    std::vector<std::string_view> names;
};

const std::vector<Listed>& list() {
    using Kind = SyscallKind;
    static const std::vector<Listed> all = {
        {Kind::starts_process, {"fork", "vfork", "clone", "clone3"}},
        {Kind::executes, {"execve", "execveat"}},
        {Kind::signals,
         {"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"}},
        {Kind::changes_files,
         {"chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "utime", "utimes",
          "futimesat", "utimensat", "setxattr", "lsetxattr", "fsetxattr", "removexattr",
          "lremovexattr", "fremovexattr"}},
        {Kind::looked_at,
         {"socket",
          "socketpair",
          "setsockopt",
          "fcntl",
          "ioctl",
          "prctl",
          "open",
          "openat",
          "openat2",
          "creat",
          "truncate",
          "mknod",
          "mknodat",
          "sched_setaffinity",
          "sched_setscheduler",
          "sched_setparam",
          "sched_setattr",
          "setpriority",
          "ioprio_set",
          "prlimit64"}},
        {Kind::never,
         {// Other processes' memory and descriptors.
          "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
          "pidfd_getfd", "kcmp", "migrate_pages", "move_pages",
          // Of which a machine has only so many.
          "io_setup",
          // Calls that no filter sees.
          "io_uring_setup", "io_uring_enter", "io_uring_register",
          // Namespaces and mounts.
          "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree",
          "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff",
          "quotactl", "quotactl_fd", "open_by_handle_at", "fanotify_init", "fanotify_mark",
          // The kernel itself.
          "kexec_load", "kexec_file_load", "reboot", "init_module", "finit_module", "delete_module",
          "create_module", "query_module", "get_kernel_syms", "bpf", "userfaultfd",
          "perf_event_open", "syslog", "acct", "iopl", "ioperm", "modify_ldt", "vhangup", "sysfs",
          "_sysctl", "uselib", "ustat", "nfsservctl", "lookup_dcookie", "getpmsg", "putpmsg",
          "afs_syscall", "tuxcall", "security", "vserver",
          // Keys, names and clocks of the machine.
          "add_key", "request_key", "keyctl", "sethostname", "setdomainname", "settimeofday",
          "clock_settime", "adjtimex", "clock_adjtime",
          // Memory, semaphores and messages of others.
          "shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget",
          "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"}},
    };
    return all;
}

// Those that libseccomp 2.5.4 has no name for: cachestat, map_shadow_stack, three futex calls,
// mseal, getxattrat and listxattrat. arch/x86/entry/syscalls/syscall_64.tbl of Linux 6.18; all
// machines number them alike.
constexpr int harmless_newer[] = {451, 453, 454, 455, 456, 462, 464, 465};
constexpr int changes_files_newer[] = {syscall_fchmodat2, 463, 466, 469};

std::map<int, SyscallKind> numbered() {
    std::map<int, SyscallKind> all;
    for (int number = 0; number < first_unknown_syscall; ++number) {
        char* const name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        all[number] = name == nullptr ? SyscallKind::unknown : SyscallKind::harmless;
        std::free(name);
    }
    for (const Listed& listed : list()) {
        for (const std::string_view name : listed.names) {
            const int number = seccomp_syscall_resolve_name(std::string(name).c_str());
            if (number >= 0) all[number] = listed.kind;
        }
    }
    for (const int number : harmless_newer) all[number] = SyscallKind::harmless;
    for (const int number : changes_files_newer) all[number] = SyscallKind::changes_files;
    return all;
}

const std::map<int, SyscallKind>& kinds() {
    static const std::map<int, SyscallKind> all = numbered();
    return all;
}

}  // namespace

SyscallKind kind_of(int number) {
    const auto found = kinds().find(number);
    return found == kinds().end() ? SyscallKind::unknown : found->second;
}

std::vector<int> of_kind(SyscallKind kind) {
    std::vector<int> numbers;
    for (const auto& [number, its_kind] : kinds()) {
        if (its_kind == kind) numbers.push_back(number);
    }
    return numbers;
}

std::string name_of_syscall(int number) {
    char* const known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    std::string name = known == nullptr ? "system call " + std::to_string(number) : known;
    std::free(known);
    return name;
}

}  // namespace certcast
