#include "ekubench/peer/event.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/units.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define CAPACITY EKB_EVENT_QUEUE_LEN
// Of these, refused connections leave so many to reloads.
#define RESERVED 8
_Static_assert((CAPACITY & (CAPACITY - 1)) == 0, "positions wrap around");

struct ekb_event_queue {
    _Atomic uint64_t num_pushed; // Written by the worker,
    _Atomic uint64_t num_lost;
    _Atomic uint64_t num_popped; // by the parent.
    struct ekb_event events[CAPACITY];
};

enum ekb_err ekb_event_queue_create(struct ekb_event_queue **out_queue)
{
    struct ekb_event_queue *queue =
        mmap(NULL, sizeof *queue, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (queue == MAP_FAILED) {
        return EKB_NOMEM;
    }
    *out_queue = queue; // All zero, which is the empty queue.
    return EKB_OK;
}

void ekb_event_queue_destroy(struct ekb_event_queue *queue)
{
    if (queue != NULL) {
        (void)munmap(queue, sizeof *queue);
    }
}

void ekb_event_push(struct ekb_event_queue *queue, const struct ekb_event *event)
{
    const uint64_t pushed = atomic_load_explicit(&queue->num_pushed, memory_order_relaxed);
    const uint64_t popped = atomic_load_explicit(&queue->num_popped, memory_order_acquire);
    const uint64_t room = event->kind == EKB_EVENT_REFUSED ? CAPACITY - RESERVED : CAPACITY;
    if (pushed - popped >= room) {
        atomic_fetch_add_explicit(&queue->num_lost, 1, memory_order_relaxed);
        return;
    }
    queue->events[pushed % CAPACITY] = *event;
    atomic_store_explicit(&queue->num_pushed, pushed + 1, memory_order_release);
}

bool ekb_event_pop(struct ekb_event *out_event, struct ekb_event_queue *queue)
{
    const uint64_t popped = atomic_load_explicit(&queue->num_popped, memory_order_relaxed);
    if (atomic_load_explicit(&queue->num_pushed, memory_order_acquire) == popped) {
        return false;
    }
    *out_event = queue->events[popped % CAPACITY];
    atomic_store_explicit(&queue->num_popped, popped + 1, memory_order_release);
    return true;
}

uint64_t ekb_event_num_lost(const struct ekb_event_queue *queue)
{
    return atomic_load_explicit(&queue->num_lost, memory_order_relaxed);
}

uint64_t ekb_event_now_ns(void)
{
    struct timespec now;
    EKB_CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * EKB_NS_PER_S + (uint64_t)now.tv_nsec;
}

// Text.

// plain_address returns the IPv4 address that an IPv6 address stands for (RFC 4291 section 2.5.5.2:
// how a listener on [::] sees it), or the address as it is.
static struct ekb_address plain_address(const struct ekb_address *address)
{
    struct sockaddr_in6 mapped;
    if (address->storage.ss_family != AF_INET6) {
        return *address;
    }
    memcpy(&mapped, &address->storage, sizeof mapped);
    if (!IN6_IS_ADDR_V4MAPPED(&mapped.sin6_addr)) {
        return *address;
    }
    struct sockaddr_in plain = {.sin_family = AF_INET, .sin_port = mapped.sin6_port};
    struct ekb_address got = {.len = sizeof plain};
    memcpy(&plain.sin_addr, &mapped.sin6_addr.s6_addr[12], sizeof plain.sin_addr);
    memcpy(&got.storage, &plain, sizeof plain);
    return got;
}

// split_address writes host and port apart.
static void split_address(char out_host[EKB_ADDRESS_TEXT_LEN], char out_port[8],
                          const struct ekb_address *address)
{
    const struct ekb_address plain = plain_address(address);
    (void)ekb_address_format(out_host, &plain);
    char *colon = strrchr(out_host, ':');
    (void)snprintf(out_port, 8, "%s", colon != NULL ? colon + 1 : "");
    if (colon != NULL) {
        *colon = '\0';
    }
    const size_t len = strlen(out_host);
    if (len >= 2 && out_host[0] == '[') { // The brackets belong to the port.
        memmove(out_host, out_host + 1, len - 2);
        out_host[len - 2] = '\0';
    }
}

// format_head writes "2026-03-29T12:24:39.839+05:30 tvcs:".
static int format_head(char *out_text, size_t text_len, uint64_t at_ns)
{
    const time_t seconds = (time_t)(at_ns / EKB_NS_PER_S);
    struct tm local;
    char date[32];
    char offset[8];
    (void)localtime_r(&seconds, &local);
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &local);
    (void)strftime(offset, sizeof offset, "%z", &local); // "+0530"
    return snprintf(out_text, text_len, "%s.%03u%.3s:%s tvcs:", date,
                    (unsigned)(at_ns % EKB_NS_PER_S / EKB_NS_PER_MS), offset,
                    strlen(offset) >= 3 ? offset + 3 : "00");
}

static void format_utc(char out_text[48], uint64_t at_ns)
{
    const time_t seconds = (time_t)(at_ns / EKB_NS_PER_S);
    struct tm utc;
    char date[32];
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &utc);
    (void)snprintf(out_text, 48, "%s.%03u", date, (unsigned)(at_ns % EKB_NS_PER_S / EKB_NS_PER_MS));
}

// make_value makes `text` fit between quotes: what would end or break the line becomes a blank.
static void make_value(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '"' || (unsigned char)*c < ' ' || *c == 0x7f) {
            *c = ' ';
        }
    }
}

const char *ekb_event_format(char out_text[EKB_EVENT_TEXT_LEN], const struct ekb_event *event)
{
    char source[EKB_ADDRESS_TEXT_LEN];
    char source_port[8];
    char target[EKB_ADDRESS_TEXT_LEN];
    char target_port[8];
    char detail[768];
    char spent[EKB_UNITS_TEXT_LEN];
    char utc[48];
    const size_t head_len = (size_t)format_head(out_text, EKB_EVENT_TEXT_LEN, event->at_ns);
    char *rest = out_text + head_len;
    const size_t rest_len = EKB_EVENT_TEXT_LEN - head_len;
    format_utc(utc, event->at_ns);

    switch (event->kind) {
    case EKB_EVENT_REFUSED:
        split_address(source, source_port, &event->peer);
        split_address(target, target_port, &event->local);
        (void)snprintf(rest, rest_len,
                       " Event=\"Inbound TLS Negotiation Error\" Service=\"SIP\" Src-ip=\"%s\" "
                       "Src-port=\"%s\" Dst-ip=\"%s\" Dst-port=\"%s\" Detail=\"%s\" "
                       "Protocol=\"TLS\" Level=\"1\" UTCTime=\"%s\"",
                       source, source_port, target, target_port, ekb_err_sentence(event->fail.err),
                       utc);
        return out_text;
    case EKB_EVENT_RELOADED:
        (void)snprintf(detail, sizeof detail,
                       event->spent_ns != 0 ? "store and policies read anew in %s"
                                            : "store and policies read anew",
                       ekb_units_format_ns(spent, (double)event->spent_ns));
        break;
    case EKB_EVENT_RELOAD_FAILED:
        ekb_fail_text(detail, sizeof detail, &event->fail);
        make_value(detail);
        break;
    case EKB_EVENT_ACCEPTED: // No line of the log.
        *rest = '\0';
        return out_text;
    }
    (void)snprintf(rest, rest_len,
                   " Event=\"%s\" Service=\"SIP\" Detail=\"%s\" Level=\"1\" UTCTime=\"%s\"",
                   event->kind == EKB_EVENT_RELOADED ? "Reloaded" : "Reload Failed", detail, utc);
    return out_text;
}

const char *ekb_event_format_lost(char out_text[EKB_EVENT_TEXT_LEN], uint64_t at_ns,
                                  uint64_t num_lost)
{
    char utc[48];
    const size_t head_len = (size_t)format_head(out_text, EKB_EVENT_TEXT_LEN, at_ns);
    format_utc(utc, at_ns);
    (void)snprintf(out_text + head_len, EKB_EVENT_TEXT_LEN - head_len,
                   " Event=\"Events Left Out\" Service=\"SIP\" Detail=\"%llu lines\" Level=\"1\" "
                   "UTCTime=\"%s\"",
                   (unsigned long long)num_lost, utc);
    return out_text;
}
