// What Swift cannot express or Glibc's Swift module does not show: variadic and unwrapped system calls, packed structures.
// Every function returns -1 and sets errno on failure, unless its comment says otherwise.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include "overlay_io.h"

#include "overlay_io.h"

// MARK: Processes

/// fork() with clone3's flags. cgroup_fd: a v2 cgroup folder to be born in, or -1. pidfd: receives a descriptor of the child, or NULL.
pid_t clinux_clone(uint64_t flags, int cgroup_fd, int *pidfd);
/// fork() of a single thread by the system call that a container's filter allows.
pid_t clinux_fork(void);
int clinux_unshare(int flags);
int clinux_setns(int fd, int flags);
int clinux_pivot_root(const char *new_root, const char *put_old);
int clinux_pidfd_open(pid_t pid);
/// mallopt(3): how many heaps the threads share, what may be free at the top of one before the kernel gets it back, and from
/// what size on a block is a mapping of its own.
void clinux_tune_heaps(int count, int trim_bytes, int mapped_bytes);
int clinux_pidfd_send_signal(int pidfd, int signal);
/// Starts a program whose descriptor i is fds[i], which has no other one, no blocked signal and default dispositions.
/// executable_fd is what runs; argv[0] is only its name. Returns 0 or an errno value; errno is not set.
int clinux_spawn(
    int executable_fd, char *const argv[], char *const envp[], const int *fds, size_t fd_count, int new_session,
    pid_t *pid);
int clinux_prctl(int operation, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
/// Sets the calling thread's three capability sets (version 3: 64 bits).
int clinux_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);
/// The calling thread's permitted set.
int clinux_capget_permitted(uint64_t *permitted);
int clinux_setgroups(const gid_t *groups, size_t count);
int clinux_setresgid(gid_t gid);
int clinux_setresuid(uid_t uid);
int clinux_sethostname(const char *name, size_t length);
int clinux_setdomainname(const char *name, size_t length);
/// resource: RLIMIT_* number.
int clinux_setrlimit(int resource, uint64_t soft, uint64_t hard);
/// A new anonymous session keyring, so that the host's keys are out of reach.
long clinux_join_new_session_keyring(void);
/// filter: struct sock_filter[], as many bytes as given. flags: SECCOMP_FILTER_FLAG_*.
int clinux_seccomp_install(const void *filter, size_t bytes, unsigned int flags);
int clinux_close_range(unsigned int first, unsigned int last, unsigned int flags);
int clinux_execve(const char *path, char *const argv[], char *const envp[]);
/// Gives freed memory back to the kernel, and takes the program's own pages out of this process's memory: they stay in the
/// page cache, and each that is still needed comes back alone.
void clinux_trim_memory(void);

// MARK: Descriptors and events

int clinux_pipe2(int fds[2], int flags);
int clinux_accept4(int fd, int flags);
int clinux_memfd_create(const char *name, unsigned int flags);
int clinux_eventfd(unsigned int initial, int flags);
ssize_t clinux_getrandom(void *bytes, size_t count);
int clinux_epoll_create(void);
int clinux_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t token);

struct clinux_event {
    uint64_t token;
    uint32_t events;
};

/// Writes at most `capacity` (64 at most) events and returns how many.
int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int timeout_milliseconds);
/// Blocks the signals for the calling thread and returns a non-blocking descriptor that delivers them.
int clinux_signalfd(const int *signals, size_t count);
/// The next signal of a signalfd; 0 when none waits.
int clinux_signalfd_read(int fd);
/// Unblocks every signal and sets every disposition back to the default.
void clinux_reset_signals(void);
int clinux_timerfd_create(void);
/// One expiry after so many nanoseconds; 0 disarms.
int clinux_timerfd_arm(int fd, uint64_t nanoseconds);
int clinux_inotify_init(void);
int clinux_inotify_add_watch(int fd, const char *path, uint32_t mask);

// MARK: Sockets

int clinux_socketpair_seqpacket(int fds[2]);
int clinux_unix_listen(const char *path, int type, int backlog);
int clinux_unix_connect(const char *path, int type);
/// One message with descriptors (at most 16) beside it (SCM_RIGHTS); never raises SIGPIPE.
ssize_t clinux_send_message(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count, int flags);
/// *fd_count: room in fds, then how many came. A message or control part that did not fit: -1, EMSGSIZE, nothing kept.
ssize_t clinux_receive_message(int socket, void *bytes, size_t capacity, int *fds, size_t *fd_count, int flags);
/// IFF_UP on an interface of the calling thread's network namespace.
int clinux_interface_up(const char *name);

/// A non-blocking IPv4 or IPv6 socket bound to a numeric address. type: SOCK_DGRAM, or SOCK_STREAM (then it listens).
int clinux_inet_bind(const char *address, uint16_t port, int type);
/// A non-blocking socket whose connection to a numeric address is made or under way.
int clinux_inet_connect(const char *address, uint16_t port, int type);
/// One datagram and its sender, an IPv4 address and a port in host order.
ssize_t clinux_inet_receive(int fd, void *bytes, size_t capacity, uint32_t *address, uint16_t *port);
ssize_t clinux_inet_send(int fd, const void *bytes, size_t count, uint32_t address, uint16_t port);
/// The port that a socket is bound to, in host order; -1 on failure.
int clinux_inet_port(int fd);
/// A netlink(7) socket that waits at most that long for an answer.
int clinux_netlink_open(int protocol, int timeout_milliseconds);

// MARK: Files and mounts

int clinux_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int clinux_open_tree(int directory, const char *path, unsigned int flags);
int clinux_move_mount(int from, int to, unsigned int flags);
int clinux_fsopen(const char *type);
/// command: FSCONFIG_*.
int clinux_fsconfig(int fd, unsigned int command, const char *key, const char *value);
int clinux_fsmount(int fd, unsigned int attributes);
int clinux_mount_setattr(int fd, unsigned int flags, uint64_t set, uint64_t clear, uint64_t propagation);
uint64_t clinux_makedev(unsigned int major, unsigned int minor);
unsigned int clinux_major(uint64_t device);
unsigned int clinux_minor(uint64_t device);

// MARK: BPF

/// Loads struct bpf_insn[] of the given program type; *log (capacity bytes) receives the verifier's words on failure.
int clinux_bpf_load(
    unsigned int type, unsigned int attach_type, const void *instructions, size_t count, char *log, size_t log_capacity);
int clinux_bpf_attach_cgroup(int cgroup_fd, int program_fd, unsigned int attach_type, unsigned int flags);

#endif
