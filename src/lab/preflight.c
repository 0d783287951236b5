#include "ekubench/lab/preflight.h"

#include "ekubench/base/clock.h"
#include "ekubench/io/net.h"
#include "ekubench/lab/host.h"
#include "ekubench/lab/stage.h"
#include "ekubench/peer/client.h"

#include <stdarg.h>
#include <stdio.h>

// A server that is busy may not come to accept for so long.
#define BUSY_NS (100 * EKB_NS_PER_MS)
// Connections of one turn of a client, which begin together whatever the ramp.
#define ROOM_SPARE 256
#define BURST 64

static uint64_t divide_up(uint64_t whole, uint64_t part)
{
    return (whole + part - 1) / part;
}

uint64_t ekb_preflight_at_once(uint64_t in_flight, uint64_t ramp_ns)
{
    if (ramp_ns <= BUSY_NS) {
        return in_flight;
    }
    const uint64_t of_ramp = (uint64_t)((double)in_flight * (double)BUSY_NS / (double)ramp_ns);
    const uint64_t at_once = of_ramp > BURST ? of_ramp : BURST;
    return at_once < in_flight ? at_once : in_flight;
}

uint64_t ekb_preflight_room(uint64_t in_flight, uint32_t server_workers)
{
    const uint64_t even = divide_up(in_flight, server_workers > 0 ? server_workers : 1);
    return even + even / 4 + ROOM_SPARE;
}

uint64_t ekb_preflight_most(const struct ekb_preflight_load *load,
                            const struct ekb_preflight_limits *limits)
{
    const uint64_t least = EKB_STAGE_SPARE_DESCRIPTORS + ROOM_SPARE;
    if (limits->descriptors == 0) {
        return UINT64_MAX;
    }
    if (limits->descriptors <= least) {
        return 0;
    }
    const uint64_t clients =
        (limits->descriptors - EKB_STAGE_SPARE_DESCRIPTORS) * load->client_workers;
    // The inverse of ekb_preflight_room.
    const uint64_t servers = (limits->descriptors - least) * 4 / 5 * load->server_workers;
    return load->server_workers > 0 && servers < clients ? servers : clients;
}

static void find(struct ekb_preflight_finding *finding, const char *check,
                 enum ekb_preflight_level level, const char *format, ...) EKB_PRINTF(4, 5);

static void find(struct ekb_preflight_finding *finding, const char *check,
                 enum ekb_preflight_level level, const char *format, ...)
{
    va_list args;
    *finding = (struct ekb_preflight_finding){.check = check, .level = level};
    va_start(args, format);
    (void)vsnprintf(finding->found, sizeof finding->found, format, args);
    va_end(args);
}

static void advise(struct ekb_preflight_finding *finding, const char *format, ...) EKB_PRINTF(2, 3);

static void advise(struct ekb_preflight_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->advice, sizeof finding->advice, format, args);
    va_end(args);
}

// workers_for returns how many workers of a side would do with so many descriptors each; 0: no
// number that there may be.
static uint32_t workers_for(const struct ekb_preflight_load *load, uint64_t descriptors,
                            bool is_server)
{
    for (uint32_t count = 1; count <= EKB_STAGE_MAX_WORKERS; count++) {
        const uint64_t needed = is_server ? ekb_preflight_room(load->in_flight, count)
                                          : divide_up(load->in_flight, count);
        if (needed + EKB_STAGE_SPARE_DESCRIPTORS <= descriptors) {
            return count;
        }
    }
    return 0;
}

static void check_descriptors(struct ekb_preflight_finding *finding,
                              const struct ekb_preflight_load *load,
                              const struct ekb_preflight_limits *limits)
{
    const uint64_t client =
        divide_up(load->in_flight, load->client_workers) + EKB_STAGE_SPARE_DESCRIPTORS;
    const uint64_t server = load->server_workers > 0
                                ? ekb_preflight_room(load->in_flight, load->server_workers) +
                                      EKB_STAGE_SPARE_DESCRIPTORS
                                : 0;
    const uint64_t most = client > server ? client : server;
    const bool fits = limits->descriptors == 0 || most <= limits->descriptors;
    const uint32_t count = client >= server ? load->client_workers : load->server_workers;
    find(finding, "open files", fits ? EKB_PREFLIGHT_OK : EKB_PREFLIGHT_IMPOSSIBLE,
         "%u %s %s %llu open files%s, %llu are allowed", (unsigned)count,
         client >= server ? "client" : "server", count == 1 ? "worker needs" : "workers need",
         (unsigned long long)most, count == 1 ? "" : " each",
         (unsigned long long)limits->descriptors);
    if (fits) {
        return;
    }
    finding->err = EKB_DESCRIPTORS;
    const uint32_t clients = workers_for(load, limits->descriptors, false);
    const uint32_t servers = workers_for(load, limits->descriptors, true);
    if (clients == 0 || (servers == 0 && load->server_workers > 0)) {
        advise(finding, "raise the hard limit (ulimit -Hn), or ask for fewer in flight");
    } else if (load->server_workers == 0) {
        advise(finding, "raise the hard limit (ulimit -Hn), or take %u client workers", clients);
    } else {
        advise(finding,
               "raise the hard limit (ulimit -Hn), or take %u client and %u server workers",
               clients, servers);
    }
}

static void check_ports(struct ekb_preflight_finding *finding,
                        const struct ekb_preflight_load *load,
                        const struct ekb_preflight_limits *limits)
{
    const uint64_t sources = load->is_loopback4 ? EKB_CLIENT_MAX_SOURCES : 1;
    const bool fits = limits->ports == 0 || load->in_flight <= limits->ports * sources;
    find(finding, "ports", fits ? EKB_PREFLIGHT_OK : EKB_PREFLIGHT_IMPOSSIBLE,
         "%llu local ports are needed, there are %llu for each of %llu source addresses",
         (unsigned long long)load->in_flight, (unsigned long long)limits->ports,
         (unsigned long long)sources);
    if (!fits) {
        finding->err = EKB_CONNECT_NO_PORT;
        advise(finding, load->is_loopback4
                            ? "widen net.ipv4.ip_local_port_range"
                            : "widen net.ipv4.ip_local_port_range; only to 127.0.0.0/8 are "
                              "connections made from several addresses");
    }
}

static void check_backlog(struct ekb_preflight_finding *finding,
                          const struct ekb_preflight_load *load,
                          const struct ekb_preflight_limits *limits)
{
    const bool each = load->listening == EKB_LISTENING_EACH && load->server_workers > 0;
    const uint64_t queues = each ? load->server_workers : 1;
    const bool is_here = load->server_workers > 0 || load->is_loopback4;
    const bool fits = limits->somaxconn == 0 || load->at_once <= queues * limits->somaxconn;
    find(finding, "accept queue", fits || !is_here ? EKB_PREFLIGHT_OK : EKB_PREFLIGHT_NOTE,
         "%llu connections may begin at once, %llu accept queues take %llu each",
         (unsigned long long)load->at_once, (unsigned long long)queues,
         (unsigned long long)limits->somaxconn);
    if (finding->level != EKB_PREFLIGHT_OK) {
        advise(finding, "raise net.core.somaxconn, or take a ramp");
    }
}

static void check_conntrack(struct ekb_preflight_finding *finding,
                            const struct ekb_preflight_load *load,
                            const struct ekb_preflight_limits *limits)
{
    // Both directions, and those that are ending.
    const uint64_t needed = 2 * load->in_flight;
    if (limits->conntrack_max == 0) {
        find(finding, "conntrack", EKB_PREFLIGHT_OK, "connections are not tracked");
        return;
    }
    const bool fits = limits->conntrack_count + needed <= limits->conntrack_max;
    find(finding, "conntrack", fits ? EKB_PREFLIGHT_OK : EKB_PREFLIGHT_IMPOSSIBLE,
         "%llu more tracked connections are needed, %llu of %llu are in use",
         (unsigned long long)needed, (unsigned long long)limits->conntrack_count,
         (unsigned long long)limits->conntrack_max);
    if (!fits) {
        finding->err = EKB_SYSTEM;
        advise(finding, "raise net.netfilter.nf_conntrack_max, or exempt loopback");
    }
}

void ekb_preflight_check(struct ekb_preflight_finding out_findings[EKB_PREFLIGHT_NUM_CHECKS],
                         const struct ekb_preflight_load *load,
                         const struct ekb_preflight_limits *limits)
{
    EKB_CHECK(load->client_workers > 0);
    check_descriptors(&out_findings[0], load, limits);
    check_ports(&out_findings[1], load, limits);
    check_backlog(&out_findings[2], load, limits);
    check_conntrack(&out_findings[3], load, limits);
}

void ekb_preflight_read_limits(struct ekb_preflight_limits *out_limits)
{
    uint32_t low = 0;
    uint32_t high = 0;
    *out_limits = (struct ekb_preflight_limits){
        .descriptors = ekb_net_descriptor_limit(),
        .somaxconn = ekb_host_read_number("/proc/sys/net/core/somaxconn"),
        .conntrack_max = ekb_host_read_number("/proc/sys/net/netfilter/nf_conntrack_max"),
        .conntrack_count = ekb_host_read_number("/proc/sys/net/netfilter/nf_conntrack_count"),
    };
    if (ekb_net_port_range(&low, &high)) {
        out_limits->ports = high - low + 1;
    }
}

enum ekb_err ekb_preflight_pass(struct ekb_record *record, const char *stage,
                                const struct ekb_preflight_load *load, struct ekb_fail *reterr_fail)
{
    struct ekb_preflight_limits limits;
    struct ekb_preflight_finding findings[EKB_PREFLIGHT_NUM_CHECKS];
    char text[sizeof reterr_fail->detail] = "";
    size_t text_len = 0;
    enum ekb_err err = EKB_OK;
    ekb_preflight_read_limits(&limits);
    ekb_preflight_check(findings, load, &limits);
    for (size_t i = 0; i < EKB_PREFLIGHT_NUM_CHECKS; i++) {
        const struct ekb_preflight_finding *finding = &findings[i];
        if (finding->level == EKB_PREFLIGHT_NOTE) {
            ekb_record_add_note(record, "%s: %s: %s", stage, finding->found, finding->advice);
        } else if (finding->level == EKB_PREFLIGHT_IMPOSSIBLE && text_len < sizeof text) {
            err = err == EKB_OK ? finding->err : err;
            text_len += (size_t)snprintf(text + text_len, sizeof text - text_len, "%s%s: %s",
                                         text_len > 0 ? "; " : "", finding->found, finding->advice);
        }
    }
    return err == EKB_OK ? EKB_OK : ekb_fail_say(reterr_fail, err, "%s", text);
}
