// Batched UDP with segmentation offload, TAP descriptors and their readiness: what the overlay's data path needs of C.
// Every function returns a negative errno value on failure, unless its comment says otherwise.
#ifndef OVERLAY_IO_H
#define OVERLAY_IO_H

#include <stddef.h>
#include <stdint.h>

// MARK: UDP

/// What the kernel gives a UDP socket.
enum {
    OVERLAY_UDP_SEGMENT = 1, ///< one send of many datagrams (Linux 4.18)
    OVERLAY_UDP_GRO = 2,     ///< one receive of many datagrams (Linux 5.0)
};

/// Makes the socket non-blocking, close-on-exec, with large buffers, fragmenting what exceeds a link's MTU (no path MTU
/// discovery: a tunnel must not lose packets to it). Returns OVERLAY_UDP_* bits.
int overlay_udp_prepare(int fd, int buffer_bytes);

/// The socket's address family, AF_INET or AF_INET6.
int overlay_udp_family(int fd);

/// An IPv4 (16 bytes) or IPv6 (28 bytes) socket address; address in network order, 4 or 16 bytes. Returns its length.
/// On an AF_INET6 socket an IPv4 address is written in its mapped form.
int overlay_udp_address(int family, const uint8_t *address, int address_bytes, uint16_t port, void *storage);

/// Opens a socket on an IPv4 address (network order).
int overlay_udp_open(const uint8_t address[4], uint16_t port);

struct overlay_send {
    const void *base;
    uint32_t length;
    /// Above zero: the bytes are datagrams of this size one after the other, the last perhaps shorter.
    uint32_t segment_bytes;
    const void *address;
    uint32_t address_bytes;
};

/// Sends up to 64 items in one call; returns how many went out, at least one.
int overlay_udp_send(int fd, const struct overlay_send *items, int count);

struct overlay_receive {
    void *base;
    uint32_t capacity;
    uint32_t length;
    /// Above zero: many datagrams of this size lie one after the other, the last perhaps shorter.
    uint32_t segment_bytes;
    /// Set when the datagram was longer than the memory.
    uint32_t truncated;
};

/// Receives into up to 64 slots in one call; returns how many were filled, -EAGAIN when there is nothing.
int overlay_udp_receive(int fd, struct overlay_receive *slots, int count);

// MARK: TAP

/// The offloads a TAP took; what it did not take arrives finished by the kernel.
enum {
    OVERLAY_TAP_CHECKSUM = 1,
    OVERLAY_TAP_TCP = 2, ///< TCP super-frames over IPv4
    OVERLAY_TAP_UDP = 4, ///< UDP super-frames (Linux 6.2)
};

/// Bytes of struct virtio_net_hdr in front of each frame.
#define OVERLAY_VNET_BYTES 10

/// Opens or creates a TAP (IFF_NO_PI, IFF_VNET_HDR), non-blocking, close-on-exec.
int overlay_tap_open(const char *name);
/// Keeps the interface when its last descriptor closes, or not.
int overlay_tap_persist(int fd, int persist);
/// Non-blocking, 10-byte header, as many offloads as there are. Returns OVERLAY_TAP_* bits; -EINVAL without IFF_VNET_HDR.
int overlay_tap_prepare(int fd);

struct overlay_slice {
    const void *base;
    size_t length;
};

/// One frame from many pieces (at most 128), the virtio_net_hdr first.
long overlay_tap_write(int fd, const struct overlay_slice *slices, int count);
/// One frame, the virtio_net_hdr first; -EAGAIN when there is none.
long overlay_tap_read(int fd, void *base, size_t capacity);

// MARK: Readiness

int overlay_poll_open(void);
/// token comes back when the descriptor can be read.
int overlay_poll_add(int poll, int fd, uint64_t token);
int overlay_poll_remove(int poll, int fd);
/// Returns how many tokens were written, 0 after the time or a signal.
int overlay_poll_wait(int poll, uint64_t *tokens, int capacity, int timeout_milliseconds);
/// Waits until a descriptor can be written; 0 after the time.
int overlay_wait_writable(int fd, int timeout_milliseconds);
int overlay_wakeup_open(void);
void overlay_wakeup_signal(int fd);
void overlay_wakeup_clear(int fd);
int overlay_duplicate(int fd);
void overlay_close(int fd);

#endif
