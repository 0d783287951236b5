#include "ekubench/peer/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct side {
    struct ekb_endpoint *endpoint;
    uint64_t spent_ns;
    uint64_t sent_bytes;
    size_t last_len;
    uint8_t wire[EKB_ENDPOINT_TX_LEN]; // What it sent last, as the receiver's buffer.
};

struct ekb_memory_pair {
    struct side client;
    struct side server;
    struct ekb_flights flights;
};

enum ekb_err ekb_memory_pair_create(struct ekb_memory_pair **out_pair)
{
    struct ekb_memory_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) {
        return EKB_NOMEM;
    }
    if (ekb_endpoint_create(&pair->client.endpoint) != EKB_OK ||
        ekb_endpoint_create(&pair->server.endpoint) != EKB_OK) {
        ekb_memory_pair_destroy(pair);
        return EKB_NOMEM;
    }
    *out_pair = pair;
    return EKB_OK;
}

void ekb_memory_pair_destroy(struct ekb_memory_pair *pair)
{
    if (pair != NULL) {
        ekb_endpoint_destroy(pair->client.endpoint);
        ekb_endpoint_destroy(pair->server.endpoint);
        free(pair);
    }
}

// carry moves what `from` has pending to `to`. False if there was nothing, or `to` must send first.
static bool carry(struct side *from, struct side *to, const struct ekb_clock *clock)
{
    size_t wire_len;
    (void)ekb_endpoint_pending(to->endpoint, &wire_len);
    if (wire_len > 0) {
        return false;
    }
    const uint64_t begin_ns = ekb_clock_now(clock);
    const uint8_t *pending = ekb_endpoint_pending(from->endpoint, &wire_len);
    if (wire_len == 0) {
        return false;
    }
    memcpy(from->wire, pending, wire_len);
    from->sent_bytes += wire_len;
    from->last_len = wire_len;
    ekb_endpoint_sent(from->endpoint, wire_len);
    const uint64_t sent_ns = ekb_clock_now(clock);
    ekb_endpoint_feed(to->endpoint, from->wire, wire_len);
    from->spent_ns += sent_ns - begin_ns;
    to->spent_ns += ekb_clock_now(clock) - sent_ns;
    return true;
}

static void note_flight(struct ekb_memory_pair *pair, bool moved, size_t len)
{
    if (moved && pair->flights.num < EKB_FLIGHTS_MAX) {
        pair->flights.len[pair->flights.num] = (uint32_t)len;
    }
    pair->flights.num += moved ? 1 : 0;
}

// The results of the calls below are read at the end: an endpoint keeps its first error.
static void start(struct side *side, const struct ekb_tls_config *config,
                  const struct ekb_clock *clock)
{
    const uint64_t begin_ns = ekb_clock_now(clock);
    ekb_endpoint_start(side->endpoint, config);
    side->spent_ns = ekb_clock_now(clock) - begin_ns;
    side->sent_bytes = 0;
}

static void stop(struct side *side, const struct ekb_clock *clock)
{
    const uint64_t begin_ns = ekb_clock_now(clock);
    ekb_endpoint_stop(side->endpoint);
    side->spent_ns += ekb_clock_now(clock) - begin_ns;
}

static void confirm(struct side *server, const struct ekb_clock *clock)
{
    static const uint8_t confirmation = 'K';
    const uint64_t begin_ns = ekb_clock_now(clock);
    ekb_endpoint_write(server->endpoint, &confirmation, 1);
    server->spent_ns += ekb_clock_now(clock) - begin_ns;
}

void ekb_memory_handshake(struct ekb_memory_pair *pair, struct ekb_memory_outcome *out_outcome,
                          const struct ekb_tls_config *client, const struct ekb_tls_config *server,
                          const struct ekb_clock *clock)
{
    struct ekb_endpoint *client_end = pair->client.endpoint;
    struct ekb_endpoint *server_end = pair->server.endpoint;
    bool confirmed = false;
    bool moved = true;

    start(&pair->client, client, clock);
    start(&pair->server, server, clock);
    pair->flights.num = 0;
    while (moved) {
        moved = carry(&pair->client, &pair->server, clock);
        note_flight(pair, moved, pair->client.last_len);
        if (!confirmed && ekb_endpoint_state(server_end) == EKB_ENDPOINT_READY) {
            confirmed = true;
            confirm(&pair->server, clock);
        }
        const bool answered = carry(&pair->server, &pair->client, clock);
        note_flight(pair, answered, pair->server.last_len);
        moved = moved || answered;
    }

    *out_outcome = (struct ekb_memory_outcome){
        .client_err = ekb_endpoint_error(client_end),
        .server_err = ekb_endpoint_error(server_end),
        .client_alert = ekb_endpoint_alert_received(client_end),
        .server_alert = ekb_endpoint_alert_sent(server_end),
        .server_verify_result = ekb_endpoint_verify_result(server_end),
    };
    if (out_outcome->client_err == EKB_OK && ekb_endpoint_app_len(client_end) == 0) {
        out_outcome->client_err = EKB_PEER_CLOSED;
    }
    stop(&pair->client, clock);
    stop(&pair->server, clock);
    out_outcome->client_ns = pair->client.spent_ns;
    out_outcome->server_ns = pair->server.spent_ns;
    out_outcome->client_sent_bytes = pair->client.sent_bytes;
    out_outcome->server_sent_bytes = pair->server.sent_bytes;
    out_outcome->flights = pair->flights;
}
