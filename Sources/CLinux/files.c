#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int clinux_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int clinux_open_tree(int directory, const char *path, unsigned int flags) {
    return (int)syscall(SYS_open_tree, directory, path, flags);
}

int clinux_move_mount(int from, int to, unsigned int flags) {
    return (int)syscall(
        SYS_move_mount, from, "", to, "", flags | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int clinux_fsopen(const char *type) { return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC); }

int clinux_fsconfig(int fd, unsigned int command, const char *key, const char *value) {
    return (int)syscall(SYS_fsconfig, fd, command, key, value, 0);
}

int clinux_fsmount(int fd, unsigned int attributes) {
    return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
}

int clinux_mount_setattr(int fd, unsigned int flags, uint64_t set, uint64_t clear, uint64_t propagation) {
    struct mount_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    attributes.propagation = propagation;
    return (int)syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, &attributes, sizeof attributes);
}

uint64_t clinux_makedev(unsigned int major, unsigned int minor) { return makedev(major, minor); }
unsigned int clinux_major(uint64_t device) { return major(device); }
unsigned int clinux_minor(uint64_t device) { return minor(device); }

int clinux_bpf_load(
    unsigned int type, unsigned int attach_type, const void *instructions, size_t count, char *log,
    size_t log_capacity) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = type;
    attributes.expected_attach_type = attach_type;
    attributes.insns = (uint64_t)(uintptr_t)instructions;
    attributes.insn_cnt = (uint32_t)count;
    attributes.license = (uint64_t)(uintptr_t) "Apache-2.0";
    if (log != NULL && log_capacity > 0) {
        log[0] = 0;
        attributes.log_buf = (uint64_t)(uintptr_t)log;
        attributes.log_size = (uint32_t)log_capacity;
        attributes.log_level = 1;
    }
    return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

int clinux_bpf_attach_cgroup(int cgroup_fd, int program_fd, unsigned int attach_type, unsigned int flags) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup_fd;
    attributes.attach_bpf_fd = (uint32_t)program_fd;
    attributes.attach_type = attach_type;
    attributes.attach_flags = flags;
    return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes);
}
