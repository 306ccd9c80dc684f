#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// The length of the socket address, 0 when the text is none.
static socklen_t parse(const char *text, uint16_t port, struct sockaddr_storage *storage) {
    memset(storage, 0, sizeof *storage);
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof *v6;
    }
    return 0;
}

static int fail(int fd) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int clinux_inet_bind(const char *address, uint16_t port, int type) {
    struct sockaddr_storage storage;
    socklen_t length = parse(address, port, &storage);
    if (length == 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    int one = 1;
    // A listener comes back on its port at once though connections of the former one are in TIME_WAIT.
    if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0) return fail(fd);
    if (bind(fd, (struct sockaddr *)&storage, length) < 0) return fail(fd);
    if (type == SOCK_STREAM && listen(fd, 128) < 0) return fail(fd);
    return fd;
}

int clinux_inet_connect(const char *address, uint16_t port, int type) {
    struct sockaddr_storage storage;
    socklen_t length = parse(address, port, &storage);
    if (length == 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&storage, length) < 0 && errno != EINPROGRESS) return fail(fd);
    return fd;
}

ssize_t clinux_inet_receive(int fd, void *bytes, size_t capacity, uint32_t *address, uint16_t *port) {
    struct sockaddr_in sender = {0};
    socklen_t length = sizeof sender;
    ssize_t count = recvfrom(fd, bytes, capacity, 0, (struct sockaddr *)&sender, &length);
    if (count < 0) return -1;
    *address = ntohl(sender.sin_addr.s_addr);
    *port = ntohs(sender.sin_port);
    return count;
}

ssize_t clinux_inet_send(int fd, const void *bytes, size_t count, uint32_t address, uint16_t port) {
    struct sockaddr_in receiver = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    return sendto(fd, bytes, count, MSG_NOSIGNAL, (struct sockaddr *)&receiver, sizeof receiver);
}

int clinux_inet_port(int fd) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &length) < 0) return -1;
    if (storage.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
    return ntohs(((struct sockaddr_in *)&storage)->sin_port);
}

int clinux_netlink_open(int protocol, int timeout_milliseconds) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0) return -1;
    struct timeval timeout = {timeout_milliseconds / 1000, timeout_milliseconds % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0) return fail(fd);
    return fd;
}
