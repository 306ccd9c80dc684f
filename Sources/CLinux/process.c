#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// The enumeration of <sys/resource.h> is a type of its own in C++ and GNU C: the number is converted here, once.
typedef __rlimit_resource_t resource_t;

pid_t clinux_clone(uint64_t flags, int cgroup_fd, int *pidfd) {
    struct clone_args args;
    memset(&args, 0, sizeof args);
    args.flags = flags;
    args.exit_signal = SIGCHLD;
    if (pidfd != NULL) {
        args.flags |= CLONE_PIDFD;
        args.pidfd = (uint64_t)(uintptr_t)pidfd;
    }
    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_fd;
    }
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

pid_t clinux_fork(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL); }

int clinux_unshare(int flags) { return (int)syscall(SYS_unshare, flags); }
int clinux_setns(int fd, int flags) { return (int)syscall(SYS_setns, fd, flags); }

int clinux_pivot_root(const char *new_root, const char *put_old) {
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int clinux_spawn(
    int executable_fd, char *const argv[], char *const envp[], const int *fds, size_t fd_count, int new_session,
    pid_t *pid) {
    enum { maximum = 16, first_free = 64 };
    int copies[maximum];
    size_t made = 0;
    if (fd_count >= maximum) return EINVAL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0) return result;
    result = posix_spawnattr_init(&attributes);
    if (result != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return result;
    }
    // Copies above the wanted numbers first: no dup2 can then overwrite the source of a later one.
    for (size_t i = 0; i <= fd_count; i++) {
        int copy = fcntl(i < fd_count ? fds[i] : executable_fd, F_DUPFD_CLOEXEC, first_free);
        if (copy < 0) {
            result = errno;
            goto done;
        }
        copies[made++] = copy;
        result = posix_spawn_file_actions_adddup2(&actions, copy, (int)i);
        if (result != 0) goto done;
    }
    result = posix_spawn_file_actions_addclosefrom_np(&actions, (int)fd_count + 1);
    if (result != 0) goto done;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (new_session) flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&attributes, flags);
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%zu", fd_count);
    result = posix_spawn(pid, path, &actions, &attributes, argv, envp);
done:
    for (size_t i = 0; i < made; i++) close(copies[i]);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

int clinux_prctl(int operation, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return prctl(operation, a, b, c, d);
}

int clinux_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

int clinux_capget_permitted(uint64_t *permitted) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

int clinux_setgroups(const gid_t *groups, size_t count) { return setgroups(count, groups); }
int clinux_setresgid(gid_t gid) { return setresgid(gid, gid, gid); }
int clinux_setresuid(uid_t uid) { return setresuid(uid, uid, uid); }
int clinux_sethostname(const char *name, size_t length) { return sethostname(name, length); }
int clinux_setdomainname(const char *name, size_t length) { return setdomainname(name, length); }

int clinux_setrlimit(int resource, uint64_t soft, uint64_t hard) {
    struct rlimit limit = {(rlim_t)soft, (rlim_t)hard};
    return setrlimit((resource_t)resource, &limit);
}

long clinux_join_new_session_keyring(void) { return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0); }

int clinux_seccomp_install(const void *filter, size_t bytes, unsigned int flags) {
    size_t count = bytes / sizeof(struct sock_filter);
    if (count == 0 || count > BPF_MAXINSNS || bytes % sizeof(struct sock_filter) != 0) {
        errno = EINVAL;
        return -1;
    }
    struct sock_fprog program = {(unsigned short)count, (struct sock_filter *)(uintptr_t)filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

int clinux_close_range(unsigned int first, unsigned int last, unsigned int flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

int clinux_execve(const char *path, char *const argv[], char *const envp[]) { return execve(path, argv, envp); }

// Set by the linker: where the program's text begins and ends.
extern const char __executable_start;
extern const char etext;

void clinux_trim_memory(void) {
    malloc_trim(0);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)&__executable_start & ~(page - 1);
    uintptr_t end = (uintptr_t)&etext & ~(page - 1);
    // Clean pages of a file: dropping them loses nothing. Random: no fault brings its sixteen neighbours along.
    madvise((void *)start, end - start, MADV_RANDOM);
    madvise((void *)start, end - start, MADV_DONTNEED);
}

void clinux_reset_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < _NSIG; signal++) {
        if (signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void clinux_tune_heaps(int count, int trim_bytes, int mapped_bytes) {
    mallopt(M_ARENA_MAX, count);
    // Set, neither of them moves by itself any more (mallopt(3)).
    mallopt(M_TRIM_THRESHOLD, trim_bytes);
    mallopt(M_MMAP_THRESHOLD, mapped_bytes);
}
