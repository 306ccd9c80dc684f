#define _GNU_SOURCE
#include "overlay_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { BATCH = 64, SLICES = 128 };

static int make_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

// SO_*BUFFORCE passes the system's limit where the process may; else the limit is taken.
static void set_buffer(int fd, int forced, int plain, int bytes) {
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

int overlay_udp_prepare(int fd, int buffer_bytes) {
    int status = make_nonblocking(fd);
    if (status < 0) return status;
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, buffer_bytes);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, buffer_bytes);
    int family = overlay_udp_family(fd);
    if (family < 0) return family;
    int never = IP_PMTUDISC_DONT;
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never);
    if (family == AF_INET6) {
        never = IPV6_PMTUDISC_DONT;
        setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &never, sizeof never);
    }
    int features = 0, one = 1, zero = 0;
    if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &zero, sizeof zero) == 0) features |= OVERLAY_UDP_SEGMENT;
    if (setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof one) == 0) features |= OVERLAY_UDP_GRO;
    return features;
}

int overlay_udp_family(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
    return address.ss_family;
}

int overlay_udp_address(int family, const uint8_t *address, int address_bytes, uint16_t port, void *storage) {
    if (family == AF_INET) {
        if (address_bytes != 4) return -EAFNOSUPPORT;
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, address, 4);
        memcpy(storage, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (address_bytes == 4) {
        in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&in6.sin6_addr.s6_addr[12], address, 4);
    } else {
        memcpy(&in6.sin6_addr, address, 16);
    }
    memcpy(storage, &in6, sizeof in6);
    return sizeof in6;
}

int overlay_udp_open(const uint8_t address[4], uint16_t port) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&in.sin_addr, address, 4);
    if (bind(fd, (struct sockaddr *)&in, sizeof in) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int overlay_udp_send(int fd, const struct overlay_send *items, int count) {
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr align;
    } controls[BATCH];
    if (count > BATCH) count = BATCH;
    memset(messages, 0, sizeof messages[0] * (size_t)count);
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){(void *)items[i].base, items[i].length};
        struct msghdr *header = &messages[i].msg_hdr;
        header->msg_name = (void *)items[i].address;
        header->msg_namelen = items[i].address_bytes;
        header->msg_iov = &pieces[i];
        header->msg_iovlen = 1;
        if (items[i].segment_bytes > 0) {
            header->msg_control = controls[i].bytes;
            header->msg_controllen = sizeof controls[i].bytes;
            struct cmsghdr *control = CMSG_FIRSTHDR(header);
            control->cmsg_level = SOL_UDP;
            control->cmsg_type = UDP_SEGMENT;
            control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
            uint16_t segment = (uint16_t)items[i].segment_bytes;
            memcpy(CMSG_DATA(control), &segment, sizeof segment);
        }
    }
    int sent;
    do sent = sendmmsg(fd, messages, (unsigned)count, 0);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int overlay_udp_receive(int fd, struct overlay_receive *slots, int count) {
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } controls[BATCH];
    if (count > BATCH) count = BATCH;
    memset(messages, 0, sizeof messages[0] * (size_t)count);
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){slots[i].base, slots[i].capacity};
        struct msghdr *header = &messages[i].msg_hdr;
        header->msg_iov = &pieces[i];
        header->msg_iovlen = 1;
        header->msg_control = controls[i].bytes;
        header->msg_controllen = sizeof controls[i].bytes;
    }
    int received;
    do received = recvmmsg(fd, messages, (unsigned)count, MSG_DONTWAIT, NULL);
    while (received < 0 && errno == EINTR);
    if (received < 0) return -errno;
    for (int i = 0; i < received; i++) {
        struct msghdr *header = &messages[i].msg_hdr;
        slots[i].length = messages[i].msg_len;
        slots[i].truncated = (header->msg_flags & MSG_TRUNC) != 0;
        slots[i].segment_bytes = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
            if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO) continue;
            int segment;
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            slots[i].segment_bytes = segment > 0 ? (uint32_t)segment : 0;
        }
    }
    return received;
}

int overlay_tap_open(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    if (strlen(name) >= sizeof request.ifr_name) return -ENAMETOOLONG;
    strcpy(request.ifr_name, name);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return -errno;
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int overlay_tap_persist(int fd, int persist) { return ioctl(fd, TUNSETPERSIST, (long)persist) < 0 ? -errno : 0; }

int overlay_tap_prepare(int fd) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (ioctl(fd, TUNGETIFF, &request) < 0) return -errno;
    if (!(request.ifr_flags & IFF_VNET_HDR) || !(request.ifr_flags & IFF_NO_PI)) return -EINVAL;
    int status = make_nonblocking(fd);
    if (status < 0) return status;
    int bytes = OVERLAY_VNET_BYTES;
    if (ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0) return -errno;
    // The kernel takes USO4 only together with USO6 (tun.c, set_offload).
    unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4;
    if (ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0)
        return OVERLAY_TAP_CHECKSUM | OVERLAY_TAP_TCP | OVERLAY_TAP_UDP;
    if (ioctl(fd, TUNSETOFFLOAD, tcp) == 0) return OVERLAY_TAP_CHECKSUM | OVERLAY_TAP_TCP;
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)TUN_F_CSUM) == 0) return OVERLAY_TAP_CHECKSUM;
    return ioctl(fd, TUNSETOFFLOAD, 0UL) < 0 ? -errno : 0;
}

long overlay_tap_write(int fd, const struct overlay_slice *slices, int count) {
    struct iovec pieces[SLICES];
    if (count > SLICES) return -EINVAL;
    for (int i = 0; i < count; i++) pieces[i] = (struct iovec){(void *)slices[i].base, slices[i].length};
    ssize_t written;
    do written = writev(fd, pieces, count);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : written;
}

long overlay_tap_read(int fd, void *base, size_t capacity) {
    ssize_t count;
    do count = read(fd, base, capacity);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int overlay_poll_open(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int overlay_poll_add(int poll, int fd, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int overlay_poll_remove(int poll, int fd) { return epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0; }

int overlay_poll_wait(int poll, uint64_t *tokens, int capacity, int timeout_milliseconds) {
    struct epoll_event events[BATCH];
    if (capacity > BATCH) capacity = BATCH;
    int count = epoll_wait(poll, events, capacity, timeout_milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) tokens[i] = events[i].data.u64;
    return count;
}

int overlay_wait_writable(int fd, int timeout_milliseconds) {
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    int count = poll(&item, 1, timeout_milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    return count;
}

int overlay_wakeup_open(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void overlay_wakeup_signal(int fd) {
    // Only a full counter can fail, and then the reader is awake already.
    eventfd_write(fd, 1);
}

void overlay_wakeup_clear(int fd) {
    eventfd_t value;
    eventfd_read(fd, &value);
}

int overlay_duplicate(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

void overlay_close(int fd) { close(fd); }
