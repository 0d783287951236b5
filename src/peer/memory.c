// IMPLEMENTATION NOTES
//
// All that one side does goes through one function of its own, ekb_memory_run_client or
// ekb_memory_run_server, so that an instrument that counts between entry and return of a function
// (callgrind's --toggle-collect) counts that side and nothing else. They are kept from being merged
// or inlined.

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

// What a side may do.
enum op {
    OP_START,
    OP_TAKE, // Take what is pending out of the endpoint, into `wire`.
    OP_FEED,
    OP_CONFIRM,
    OP_STOP,
};

struct step {
    enum op op;
    const struct ekb_tls_config *config; // Of OP_START.
    const struct side *from;             // Of OP_FEED.
};

// The results of the calls below are read at the end: an endpoint keeps its first error.
static void run(struct side *side, const struct step *step)
{
    static const uint8_t confirmation = 'K';
    switch (step->op) {
    case OP_START:
        ekb_endpoint_start(side->endpoint, step->config);
        break;
    case OP_TAKE: {
        const uint8_t *pending = ekb_endpoint_pending(side->endpoint, &side->last_len);
        if (side->last_len > 0) {
            memcpy(side->wire, pending, side->last_len);
            side->sent_bytes += side->last_len;
            ekb_endpoint_sent(side->endpoint, side->last_len);
        }
        break;
    }
    case OP_FEED:
        ekb_endpoint_feed(side->endpoint, step->from->wire, step->from->last_len);
        break;
    case OP_CONFIRM:
        ekb_endpoint_write(side->endpoint, &confirmation, 1);
        break;
    case OP_STOP:
        ekb_endpoint_stop(side->endpoint);
        break;
    }
}

#define SIDE_FUNCTION __attribute__((noinline, noclone))

// Declared here, because nobody else calls them.
SIDE_FUNCTION void ekb_memory_run_client(struct ekb_memory_pair *pair, const struct step *step);
SIDE_FUNCTION void ekb_memory_run_server(struct ekb_memory_pair *pair, const struct step *step);

void ekb_memory_run_client(struct ekb_memory_pair *pair, const struct step *step)
{
    run(&pair->client, step);
}

void ekb_memory_run_server(struct ekb_memory_pair *pair, const struct step *step)
{
    run(&pair->server, step);
}

// A handshake in progress.
struct handshake {
    struct ekb_memory_pair *pair;
    const struct ekb_clock *clock;
};

static void do_step(const struct handshake *handshake, struct side *side, const struct step *step)
{
    const uint64_t begin_ns = ekb_clock_now(handshake->clock);
    if (side == &handshake->pair->client) {
        ekb_memory_run_client(handshake->pair, step);
    } else {
        ekb_memory_run_server(handshake->pair, step);
    }
    side->spent_ns += ekb_clock_now(handshake->clock) - begin_ns;
}

static void note_flight(struct ekb_flights *flights, size_t len)
{
    if (flights->num < EKB_FLIGHTS_MAX) {
        flights->len[flights->num] = (uint32_t)len;
    }
    flights->num++;
}

// carry moves what `from` has pending to `to`. False if there was nothing, or `to` must send first.
static bool carry(const struct handshake *handshake, struct side *from, struct side *to)
{
    const struct step take = {.op = OP_TAKE};
    const struct step feed = {.op = OP_FEED, .from = from};
    size_t wire_len;
    (void)ekb_endpoint_pending(to->endpoint, &wire_len);
    if (wire_len > 0) {
        return false;
    }
    do_step(handshake, from, &take);
    if (from->last_len == 0) {
        return false;
    }
    note_flight(&handshake->pair->flights, from->last_len);
    do_step(handshake, to, &feed);
    return true;
}

static void start(const struct handshake *handshake, struct side *side,
                  const struct ekb_tls_config *config)
{
    const struct step begin = {.op = OP_START, .config = config};
    side->spent_ns = 0;
    side->sent_bytes = 0;
    do_step(handshake, side, &begin);
}

static void converse(const struct handshake *handshake)
{
    static const struct step confirm = {.op = OP_CONFIRM};
    struct side *client = &handshake->pair->client;
    struct side *server = &handshake->pair->server;
    bool confirmed = false;
    bool moved = true;
    while (moved) {
        moved = carry(handshake, client, server);
        if (!confirmed && ekb_endpoint_state(server->endpoint) == EKB_ENDPOINT_READY) {
            confirmed = true;
            do_step(handshake, server, &confirm);
        }
        moved = carry(handshake, server, client) || moved;
    }
}

void ekb_memory_handshake(struct ekb_memory_pair *pair, struct ekb_memory_outcome *out_outcome,
                          const struct ekb_tls_config *client, const struct ekb_tls_config *server,
                          const struct ekb_clock *clock)
{
    static const struct step stop = {.op = OP_STOP};
    const struct handshake handshake = {.pair = pair, .clock = clock};
    const struct ekb_endpoint *client_end = pair->client.endpoint;
    const struct ekb_endpoint *server_end = pair->server.endpoint;

    pair->flights.num = 0;
    start(&handshake, &pair->client, client);
    start(&handshake, &pair->server, server);
    converse(&handshake);

    *out_outcome = (struct ekb_memory_outcome){
        .client_err = ekb_endpoint_error(client_end),
        .server_err = ekb_endpoint_error(server_end),
        .client_alert = ekb_endpoint_alert_received(client_end),
        .server_alert = ekb_endpoint_alert_sent(server_end),
        .server_verify_result = ekb_endpoint_verify_result(server_end),
        .flights = pair->flights,
    };
    if (out_outcome->client_err == EKB_OK && ekb_endpoint_app_len(client_end) == 0) {
        out_outcome->client_err = EKB_PEER_CLOSED;
    }
    do_step(&handshake, &pair->client, &stop);
    do_step(&handshake, &pair->server, &stop);
    out_outcome->client_ns = pair->client.spent_ns;
    out_outcome->server_ns = pair->server.spent_ns;
    out_outcome->client_sent_bytes = pair->client.sent_bytes;
    out_outcome->server_sent_bytes = pair->server.sent_bytes;
}
