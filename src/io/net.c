#include "ekubench/io/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum ekb_err ekb_address_resolve(struct ekb_addresses *out_addresses, const char *text,
                                 struct ekb_fail *reterr_fail)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    const char *host_begin = text;
    size_t host_len = colon != NULL ? (size_t)(colon - text) : 0;
    if (host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']') {
        host_begin++;
        host_len -= 2;
    } else if (memchr(text, ':', host_len) != NULL) {
        host_len = 0; // A bare IPv6 address: where does its port begin?
    }
    char *end = NULL;
    const unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
    if (host_len == 0 || host_len >= sizeof host || colon[1] < '0' || colon[1] > '9' ||
        *end != '\0' || port > UINT16_MAX) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "\"%s\" is not of the form ADDRESS:PORT ([ADDRESS]:PORT for IPv6)",
                            text);
    }
    memcpy(host, host_begin, host_len);
    host[host_len] = '\0';

    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const int result = getaddrinfo(host, colon + 1, &hints, &found);
    if (result != 0) {
        return ekb_fail_set(reterr_fail, EKB_NOT_FOUND, 0, "\"%s\": %s", host,
                            gai_strerror(result));
    }
    out_addresses->num = 0;
    for (const struct addrinfo *at = found; at != NULL && out_addresses->num < EKB_ADDRESSES_MAX;
         at = at->ai_next) {
        struct ekb_address *address = &out_addresses->all[out_addresses->num++];
        *address = (struct ekb_address){.len = at->ai_addrlen};
        memcpy(&address->storage, at->ai_addr, at->ai_addrlen);
    }
    freeaddrinfo(found);
    return EKB_OK;
}

enum ekb_err ekb_address_parse(struct ekb_address *out_address, const char *text,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_addresses addresses;
    const enum ekb_err err = ekb_address_resolve(&addresses, text, reterr_fail);
    if (err == EKB_OK) {
        *out_address = addresses.all[0];
    }
    return err;
}

const char *ekb_address_format(char out_text[EKB_ADDRESS_TEXT_LEN],
                               const struct ekb_address *address)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE] = "?"; // An address may have a scope: fe80::1%eth0.
    const bool is_v6 = address->storage.ss_family == AF_INET6;
    (void)getnameinfo((const struct sockaddr *)&address->storage, address->len, host, sizeof host,
                      NULL, 0, NI_NUMERICHOST);
    (void)snprintf(out_text, EKB_ADDRESS_TEXT_LEN, is_v6 ? "[%s]:%u" : "%s:%u", host,
                   ekb_address_port(address));
    return out_text;
}

// port_of points to the port of `storage`, in network order: IPv4 and IPv6 have it at the same
// place.
static uint16_t *port_of(struct sockaddr_storage *storage)
{
    _Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                       offsetof(struct sockaddr_in6, sin6_port),
                   "one place for the port");
    return (uint16_t *)(void *)((char *)storage + offsetof(struct sockaddr_in, sin_port));
}

struct ekb_address ekb_address_with_port(const struct ekb_address *address, uint16_t port)
{
    struct ekb_address changed = *address;
    *port_of(&changed.storage) = htons(port);
    return changed;
}

uint16_t ekb_address_port(const struct ekb_address *address)
{
    struct sockaddr_storage copy = address->storage;
    return ntohs(*port_of(&copy));
}

bool ekb_address_is_loopback4(const struct ekb_address *address)
{
    struct sockaddr_in v4;
    memcpy(&v4, &address->storage, sizeof v4);
    return v4.sin_family == AF_INET && (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
}

static enum ekb_err socket_fail(struct ekb_fail *reterr_fail, const struct ekb_address *address)
{
    char text[EKB_ADDRESS_TEXT_LEN];
    const int reason = errno;
    enum ekb_err err = EKB_SYSTEM;
    if (reason == EADDRINUSE) {
        err = EKB_ADDRESS_IN_USE;
    } else if (reason == EACCES || reason == EPERM) {
        err = EKB_PERMISSION;
    } else if (reason == EMFILE || reason == ENFILE) {
        err = EKB_DESCRIPTORS;
    }
    return ekb_fail_set(reterr_fail, err, reason, "cannot listen on %s",
                        ekb_address_format(text, address));
}

static bool set_flag(int fd, int level, int name)
{
    const int one = 1;
    return setsockopt(fd, level, name, &one, sizeof one) == 0;
}

enum ekb_err ekb_net_listen(int *out_fd, const struct ekb_address *address, bool share,
                            struct ekb_fail *reterr_fail)
{
    const int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return socket_fail(reterr_fail, address);
    }
    // The kernel caps the backlog at net.core.somaxconn.
    if (!set_flag(fd, SOL_SOCKET, SO_REUSEADDR) ||
        (share && !set_flag(fd, SOL_SOCKET, SO_REUSEPORT)) ||
        !set_flag(fd, IPPROTO_TCP, TCP_NODELAY) ||
        bind(fd, (const struct sockaddr *)&address->storage, address->len) != 0 ||
        listen(fd, 65535) != 0) {
        const enum ekb_err err = socket_fail(reterr_fail, address);
        (void)close(fd);
        return err;
    }
    *out_fd = fd;
    return EKB_OK;
}

enum ekb_err ekb_net_local_address(struct ekb_address *out_address, int fd)
{
    struct ekb_address address = {.len = sizeof address.storage};
    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.len) != 0) {
        return EKB_SYSTEM;
    }
    *out_address = address;
    return EKB_OK;
}

enum ekb_err ekb_net_peer_address(struct ekb_address *out_address, int fd)
{
    struct ekb_address address = {.len = sizeof address.storage};
    if (getpeername(fd, (struct sockaddr *)&address.storage, &address.len) != 0) {
        return EKB_SYSTEM;
    }
    *out_address = address;
    return EKB_OK;
}

enum ekb_err ekb_net_client_socket(int *out_fd, int family, const struct ekb_address *source)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno == EMFILE || errno == ENFILE ? EKB_DESCRIPTORS : EKB_SYSTEM;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0) {
        (void)close(fd);
        return EKB_SYSTEM;
    }
    if (source != NULL && (!set_flag(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) ||
                           bind(fd, (const struct sockaddr *)&source->storage, source->len) != 0)) {
        (void)close(fd);
        return EKB_CONNECT_NO_PORT;
    }
    *out_fd = fd;
    return EKB_OK;
}

enum ekb_err ekb_net_reset(int fd)
{
    // connect(2): "dissolve the association by connecting to an address with the sa_family member
    // set to AF_UNSPEC".
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    return connect(fd, &nowhere, sizeof nowhere) == 0 ? EKB_OK : EKB_SYSTEM;
}

enum ekb_err ekb_net_err_from_errno(int reason)
{
    switch (reason) {
    case ECONNREFUSED:
        return EKB_CONNECT_REFUSED;
    case ETIMEDOUT:
        return EKB_CONNECT_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
        return EKB_CONNECT_UNREACHABLE;
    case EADDRNOTAVAIL:
        return EKB_CONNECT_NO_PORT;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return EKB_PEER_RESET;
    case EMFILE:
    case ENFILE:
        return EKB_DESCRIPTORS;
    case ECANCELED:
        return EKB_STOPPED;
    default:
        return EKB_TRANSPORT;
    }
}

enum ekb_err ekb_net_need_descriptors(uint64_t count, struct ekb_fail *reterr_fail)
{
    struct rlimit limit;
    EKB_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= count) {
        return EKB_OK;
    }
    const struct rlimit wanted = {.rlim_cur = count,
                                  .rlim_max = limit.rlim_max > count ? limit.rlim_max : count};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) {
        return EKB_OK;
    }
    return ekb_fail_set(
        reterr_fail, EKB_DESCRIPTORS, 0,
        "%llu open files are needed, %llu are allowed; raise the hard limit (ulimit "
        "-Hn) or ask for fewer connections in flight",
        (unsigned long long)count, (unsigned long long)limit.rlim_max);
}

// read_max reads the system's own limit of open files of a process; 0 if it cannot.
static uint64_t read_max(void)
{
    char line[32] = "";
    FILE *file = fopen("/proc/sys/fs/nr_open", "re");
    if (file == NULL) {
        return 0;
    }
    const char *read_line = fgets(line, sizeof line, file);
    (void)fclose(file);
    return read_line != NULL ? strtoull(line, NULL, 10) : 0;
}

uint64_t ekb_net_descriptor_limit(void)
{
    struct rlimit limit;
    EKB_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const struct rlimit raised = {.rlim_cur = limit.rlim_cur, .rlim_max = read_max()};
    // Only by trying is known whether it may.
    if (raised.rlim_max <= limit.rlim_max || setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        return limit.rlim_max;
    }
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return raised.rlim_max;
}

// find_counter looks up `name` in a /proc/net file of pairs of lines: "Group: name name ..." and
// "Group: value value ...".
static bool find_counter(uint64_t *out_value, FILE *file, const char *group, const char *name)
{
    char names[4096];
    char values[4096];
    rewind(file);
    while (fgets(names, sizeof names, file) != NULL && fgets(values, sizeof values, file) != NULL) {
        if (strncmp(names, group, strlen(group)) != 0) {
            continue;
        }
        char *names_left = NULL;
        char *values_left = NULL;
        const char *name_word = strtok_r(names, " \n", &names_left);
        const char *value_word = strtok_r(values, " \n", &values_left);
        while (name_word != NULL && value_word != NULL) {
            if (strcmp(name_word, name) == 0) {
                *out_value = strtoull(value_word, NULL, 10);
                return true;
            }
            name_word = strtok_r(NULL, " \n", &names_left);
            value_word = strtok_r(NULL, " \n", &values_left);
        }
    }
    return false;
}

bool ekb_net_read_counters(struct ekb_net_counters *out_counters)
{
    struct ekb_net_counters counters = {0};
    FILE *netstat = fopen("/proc/net/netstat", "re");
    FILE *snmp = fopen("/proc/net/snmp", "re");
    const bool complete =
        netstat != NULL && snmp != NULL &&
        find_counter(&counters.listen_overflows, netstat, "TcpExt:", "ListenOverflows") &&
        find_counter(&counters.listen_drops, netstat, "TcpExt:", "ListenDrops") &&
        find_counter(&counters.request_queue_full_cookies, netstat,
                     "TcpExt:", "TCPReqQFullDoCookies") &&
        find_counter(&counters.time_wait_overflows, netstat, "TcpExt:", "TCPTimeWaitOverflow") &&
        find_counter(&counters.aborts_on_memory, netstat, "TcpExt:", "TCPAbortOnMemory") &&
        find_counter(&counters.retransmitted_segments, snmp, "Tcp:", "RetransSegs") &&
        find_counter(&counters.loss_probes, netstat, "TcpExt:", "TCPLossProbes");
    if (netstat != NULL) {
        (void)fclose(netstat);
    }
    if (snmp != NULL) {
        (void)fclose(snmp);
    }
    *out_counters = complete ? counters : (struct ekb_net_counters){0};
    return complete;
}

bool ekb_net_port_range(uint32_t *out_low, uint32_t *out_high)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file == NULL) {
        return false;
    }
    char line[64] = "";
    const char *read_line = fgets(line, sizeof line, file);
    (void)fclose(file);
    if (read_line == NULL) {
        return false;
    }
    char *end = NULL;
    const unsigned long low = strtoul(line, &end, 10);
    const unsigned long high = strtoul(end, NULL, 10);
    if (low == 0 || high <= low || high > UINT16_MAX) {
        return false;
    }
    *out_low = (uint32_t)low;
    *out_high = (uint32_t)high;
    return true;
}
