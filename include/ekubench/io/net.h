// Sockets, addresses, limits and the kernel's TCP counters.

#ifndef EKUBENCH_IO_NET_H
#define EKUBENCH_IO_NET_H

#include "ekubench/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

// Enough for any text that ekb_address_format writes.
#define EKB_ADDRESS_TEXT_LEN 80

struct ekb_address {
    struct sockaddr_storage storage;
    socklen_t len; // 0: none.
};

// ekb_address_parse reads "127.0.0.1:7001", "[::1]:7001" or "name:7001" (resolved, first address
// taken). EKB_USAGE if it has no such form, EKB_NOT_FOUND if the name does not resolve.
EKB_NODISCARD enum ekb_err ekb_address_parse(struct ekb_address *out_address, const char *text,
                                             struct ekb_fail *reterr_fail);

// The addresses of a name, in the order in which the system would have them tried.
#define EKB_ADDRESSES_MAX 8
struct ekb_addresses {
    struct ekb_address all[EKB_ADDRESSES_MAX];
    size_t num; // Beyond the maximum they are left out.
};

// ekb_address_resolve is ekb_address_parse for all addresses of the name: at least one.
EKB_NODISCARD enum ekb_err ekb_address_resolve(struct ekb_addresses *out_addresses,
                                               const char *text, struct ekb_fail *reterr_fail);

// ekb_address_format writes `address` in the form that ekb_address_parse reads.
const char *ekb_address_format(char out_text[EKB_ADDRESS_TEXT_LEN],
                               const struct ekb_address *address);

// ekb_address_with_port returns `address` with another port.
struct ekb_address ekb_address_with_port(const struct ekb_address *address, uint16_t port);

// ekb_address_port returns the port of `address`.
uint16_t ekb_address_port(const struct ekb_address *address);

// ekb_address_is_loopback4 is true for 127.0.0.0/8.
bool ekb_address_is_loopback4(const struct ekb_address *address);

// ekb_net_listen makes a listening socket bound to `address` with the largest backlog the system
// allows and TCP_NODELAY, which accepted connections inherit. `share` lets several workers bind the
// same address (SO_REUSEPORT). The caller owns `*out_fd`. EKB_ADDRESS_IN_USE, EKB_PERMISSION,
// EKB_DESCRIPTORS, EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_net_listen(int *out_fd, const struct ekb_address *address,
                                          bool share, struct ekb_fail *reterr_fail);

// ekb_net_local_address returns what `fd` is bound to. EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_net_local_address(struct ekb_address *out_address, int fd);

// ekb_net_peer_address returns what `fd` is connected to. EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_net_peer_address(struct ekb_address *out_address, int fd);

// ekb_net_client_socket makes a socket for connections to addresses of `family`, closed by reset
// (SO_LINGER 0) so that no TIME_WAIT keeps its port. With `source` (NULL: any) it is bound to that
// address, the port being chosen at connect. Nagle's algorithm is left on: a TLS client never has
// two writes under way without an answer in between. The caller owns `*out_fd`. EKB_DESCRIPTORS,
// EKB_CONNECT_NO_PORT, EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_net_client_socket(int *out_fd, int family,
                                                 const struct ekb_address *source);

// ekb_net_reset resets the connection of `fd` (the peer gets RST, as with SO_LINGER 0) and makes
// the socket fit for another connect, from another port. EKB_SYSTEM: close it instead.
EKB_NODISCARD enum ekb_err ekb_net_reset(int fd);

// ekb_net_err_from_errno translates the errno of a failed connect, send or receive.
enum ekb_err ekb_net_err_from_errno(int reason);

// ekb_net_need_descriptors raises the limit of open files to at least `count` if it is lower.
// EKB_DESCRIPTORS if it may not (the detail has both numbers and what to do).
EKB_NODISCARD enum ekb_err ekb_net_need_descriptors(uint64_t count, struct ekb_fail *reterr_fail);

// ekb_net_descriptor_limit returns up to how many open files ekb_net_need_descriptors can go: the
// hard limit, or the system's where that may be raised.
uint64_t ekb_net_descriptor_limit(void);

// The kernel's TCP counters whose growth during a run says that its latencies are suspect.
struct ekb_net_counters {
    uint64_t listen_overflows;
    uint64_t listen_drops;
    uint64_t retransmitted_segments; // The next included.
    uint64_t loss_probes; // Sent because an acknowledgement is late (RFC 8985 section 7).
    uint64_t request_queue_full_cookies;
    uint64_t time_wait_overflows;
    uint64_t aborts_on_memory;
};

// ekb_net_read_counters reads them from /proc/net; false if it cannot (the numbers are then 0).
bool ekb_net_read_counters(struct ekb_net_counters *out_counters);

// ekb_net_port_range reads the range of ephemeral ports; false if it cannot.
bool ekb_net_port_range(uint32_t *out_low, uint32_t *out_high);

#endif
