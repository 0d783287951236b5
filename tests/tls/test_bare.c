#include "ekubench/tls/config.h"

#include "support/fixtures.h"
#include "support/tls_link.h"

#include <criterion/criterion.h>

#include <malloc.h>
#include <stdbool.h>
#include <string.h>

// As a handshake: the client's second flight, with its certificates, is longer than its first.
static const struct ekb_flights usual = {.len = {220, 1100, 900, 30}, .num = 4};

static struct ekb_tls_config *bare(enum ekb_role role, const struct ekb_flights *flights)
{
    struct ekb_tls_config *config = NULL;
    cr_assert_eq(ekb_tls_config_create_bare(&config, role, flights), EKB_OK);
    return config;
}

// Two bare ends and all that they sent. The link's own bytes are freed when they were delivered.
struct bare_pair {
    struct ekb_tls_config *client;
    struct ekb_tls_config *server;
    struct tls_link link;
};

static void pair_init(struct bare_pair *out_pair, const struct ekb_flights *flights)
{
    *out_pair = (struct bare_pair){.client = bare(EKB_ROLE_CLIENT, flights),
                                   .server = bare(EKB_ROLE_SERVER, flights)};
    tls_link_init(&out_pair->link, out_pair->client, out_pair->server);
}

static void pair_deinit(struct bare_pair *pair)
{
    tls_link_deinit(&pair->link);
    ekb_tls_config_destroy(pair->client);
    ekb_tls_config_destroy(pair->server);
}

static size_t pending_len(const struct ekb_endpoint *endpoint)
{
    size_t len = 0;
    (void)ekb_endpoint_pending(endpoint, &len);
    return len;
}

// Sum of the flights of one side, but for the last, which is a confirmation.
static size_t sum_of(const struct ekb_flights *flights, enum ekb_role role)
{
    size_t sum = 0;
    for (uint32_t i = role == EKB_ROLE_CLIENT ? 0 : 1; i < flights->num - 1; i += 2) {
        sum += flights->len[i];
    }
    return sum;
}

static void confirm(struct bare_pair *pair)
{
    static const uint8_t confirmation[] = {'K'};
    cr_assert_eq(ekb_endpoint_write(pair->link.server, confirmation, 1), EKB_OK);
}

// Ends.

Test(bare, sends_the_flights_in_turn_when_nothing_is_cut)
{
    struct bare_pair pair;
    pair_init(&pair, &usual);
    const struct tls_cut whole = {0};
    struct tls_link *link = &pair.link;

    cr_expect_eq(pending_len(link->client), 220u);
    cr_expect_eq(pending_len(link->server), 0u);
    cr_expect_eq(ekb_endpoint_state(link->client), EKB_ENDPOINT_HANDSHAKING);
    (void)tls_flush(link->client, &link->to_server, &whole);
    cr_expect(tls_deliver(link->server, &link->to_server, &link->to_client, &whole));
    cr_expect_eq(tls_bytes_len(&link->to_client), 1100u);
    cr_expect_eq(ekb_endpoint_state(link->server), EKB_ENDPOINT_HANDSHAKING);
    cr_expect(tls_deliver(link->client, &link->to_client, &link->to_server, &whole));
    cr_expect_eq(tls_bytes_len(&link->to_server), 900u);
    cr_expect(tls_deliver(link->server, &link->to_server, &link->to_client, &whole));
    cr_expect_eq(tls_bytes_len(&link->to_client), 0u);
    cr_expect_eq(ekb_endpoint_state(link->server), EKB_ENDPOINT_READY);
    cr_expect_eq(ekb_endpoint_state(link->client), EKB_ENDPOINT_HANDSHAKING);
    cr_expect_eq(ekb_endpoint_app_len(link->client), 0u);
    confirm(&pair);
    cr_expect_eq(pending_len(link->server), 30u);
    (void)tls_flush(link->server, &link->to_client, &whole);
    cr_expect(tls_deliver(link->client, &link->to_client, &link->to_server, &whole));
    cr_expect_eq(ekb_endpoint_state(link->client), EKB_ENDPOINT_READY);
    cr_expect_eq(ekb_endpoint_app_len(link->client), 1u);
    cr_expect_eq(pending_len(link->client), 0u);

    pair_deinit(&pair);
}

// run_to_ready carries all until the server waits for its confirmation, and checks what was sent.
static void run_to_ready(struct bare_pair *pair, const struct ekb_flights *flights,
                         const char *name)
{
    struct tls_link *link = &pair->link;

    tls_link_run(link);

    cr_expect_eq(link->to_server.end, sum_of(flights, EKB_ROLE_CLIENT), "%s: %zu", name,
                 link->to_server.end);
    cr_expect_eq(link->to_client.end, sum_of(flights, EKB_ROLE_SERVER), "%s: %zu", name,
                 link->to_client.end);
    cr_expect_eq(ekb_endpoint_state(link->server), EKB_ENDPOINT_READY, "%s", name);
    cr_expect_eq(ekb_endpoint_state(link->client), EKB_ENDPOINT_HANDSHAKING, "%s", name);
    cr_expect_eq(ekb_endpoint_app_len(link->client), 0u, "%s", name);
}

// run_to_end confirms, and checks that the client knows.
static void run_to_end(struct bare_pair *pair, const struct ekb_flights *flights, const char *name)
{
    struct tls_link *link = &pair->link;
    const size_t sent_before = link->to_client.end;

    confirm(pair);
    tls_link_run(link);

    cr_expect_eq(link->to_client.end - sent_before, flights->len[flights->num - 1], "%s: %zu", name,
                 link->to_client.end - sent_before);
    cr_expect_eq(ekb_endpoint_state(link->client), EKB_ENDPOINT_READY, "%s", name);
    cr_expect_eq(ekb_endpoint_app_len(link->client), 1u, "%s", name);
    cr_expect_eq(ekb_endpoint_error(link->client), EKB_OK, "%s", name);
    cr_expect_eq(ekb_endpoint_error(link->server), EKB_OK, "%s", name);
}

static const struct {
    const char *name;
    struct ekb_flights flights;
} shapes[] = {
    {"as a handshake", {{220, 1100, 900, 30}, 4}},
    {"two flights", {{1, 1}, 2}},
    {"the least", {{1, 1, 1, 1}, 4}},
    {"as many as there can be", {{10, 20, 30, 40, 50, 60, 70, 80}, EKB_FLIGHTS_MAX}},
    {"each as long as it can be",
     {{EKB_ENDPOINT_TX_LEN, EKB_ENDPOINT_TX_LEN, EKB_ENDPOINT_TX_LEN, EKB_ENDPOINT_TX_LEN}, 4}},
    {"growing", {{1, 2, 4000, 8000}, 4}},
};

Test(bare, exchanges_the_flights_when_they_are_cut_anywhere)
{
    static const size_t max_lens[] = {0, 1, 7, 219, 220, 221, 1460};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (size_t j = 0; j < sizeof max_lens / sizeof max_lens[0]; j++) {
            struct bare_pair pair;
            pair_init(&pair, &shapes[i].flights);
            pair.link.cut.max_len = max_lens[j];

            run_to_ready(&pair, &shapes[i].flights, shapes[i].name);
            run_to_end(&pair, &shapes[i].flights, shapes[i].name);

            pair_deinit(&pair);
        }
    }
}

Test(bare, exchanges_the_flights_when_they_are_cut_at_random)
{
    struct ekb_rng rng;
    ekb_rng_init(&rng, 4);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int repeat = 0; repeat < 20; repeat++) {
            struct bare_pair pair;
            pair_init(&pair, &shapes[i].flights);
            pair.link.cut.rng = &rng;

            run_to_ready(&pair, &shapes[i].flights, shapes[i].name);
            run_to_end(&pair, &shapes[i].flights, shapes[i].name);

            pair_deinit(&pair);
        }
    }
}

Test(bare, waits_when_a_byte_is_missing)
{
    static const uint8_t zeroes[1100] = {0};
    struct bare_pair pair;
    pair_init(&pair, &usual);

    cr_expect_eq(ekb_endpoint_feed(pair.link.server, zeroes, 219), EKB_OK);
    cr_expect_eq(pending_len(pair.link.server), 0u);
    cr_expect_eq(ekb_endpoint_feed(pair.link.server, zeroes, 1), EKB_OK);
    cr_expect_eq(pending_len(pair.link.server), 1100u);

    pair_deinit(&pair);
}

// What is sent is as long as the confirmation of a handshake, whatever is confirmed.
Test(bare, sends_its_last_flight_when_it_confirms_anything)
{
    static const uint8_t data[1024] = {1};
    struct bare_pair pair;
    pair_init(&pair, &usual);
    run_to_ready(&pair, &usual, "long confirmation");

    cr_assert_eq(ekb_endpoint_write(pair.link.server, data, sizeof data), EKB_OK);

    cr_expect_eq(pending_len(pair.link.server), 30u);
    pair_deinit(&pair);
}

// There is nothing to be asked of a connection that has no TLS.
Test(bare, has_nothing_of_tls_when_it_has_ended)
{
    struct bare_pair pair;
    pair_init(&pair, &usual);

    run_to_ready(&pair, &usual, "names");
    run_to_end(&pair, &usual, "names");

    const struct ekb_endpoint *const ends[] = {pair.link.client, pair.link.server};
    for (size_t i = 0; i < 2; i++) {
        cr_expect_str_eq(ekb_endpoint_version_name(ends[i]), "");
        cr_expect_str_eq(ekb_endpoint_cipher_name(ends[i]), "");
        cr_expect_str_eq(ekb_endpoint_library_reason(ends[i]), "");
        cr_expect_eq(ekb_endpoint_num_peer_certs(ends[i]), 0u);
        cr_expect_eq(ekb_endpoint_alert_received(ends[i]), -1);
        cr_expect_eq(ekb_endpoint_alert_sent(ends[i]), -1);
        cr_expect_eq(ekb_endpoint_verify_result(ends[i]), 0);
    }
    pair_deinit(&pair);
}

Test(bare, exchanges_the_flights_again_when_stopped_and_restarted)
{
    static const struct ekb_flights others = {.len = {5, 6}, .num = 2};
    struct bare_pair pair;
    pair_init(&pair, &usual);
    struct ekb_tls_config *client = bare(EKB_ROLE_CLIENT, &others);
    struct ekb_tls_config *server = bare(EKB_ROLE_SERVER, &others);

    for (int i = 0; i < 3; i++) {
        run_to_ready(&pair, &usual, "again");
        run_to_end(&pair, &usual, "again");
        tls_link_restart(&pair.link, client, server);
        run_to_ready(&pair, &others, "others");
        run_to_end(&pair, &others, "others");
        tls_link_restart(&pair.link, pair.client, pair.server);
    }
    // In the middle of a flight.
    (void)tls_flush(pair.link.client, &pair.link.to_server, &(struct tls_cut){0});
    cr_expect_eq(ekb_endpoint_feed(pair.link.server, pair.link.to_server.data, 100), EKB_OK);
    ekb_endpoint_stop(pair.link.server);
    cr_expect_eq(ekb_endpoint_state(pair.link.server), EKB_ENDPOINT_IDLE);
    cr_expect_eq(pending_len(pair.link.server), 0u);
    tls_link_restart(&pair.link, pair.client, pair.server);
    run_to_ready(&pair, &usual, "after an unfinished one");
    run_to_end(&pair, &usual, "after an unfinished one");

    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    pair_deinit(&pair);
}

Test(bare, speaks_tls_again_when_restarted_with_it)
{
    struct fixture_pki pki;
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
    fixture_pki_init(&pki, &spec);
    const struct ekb_identity identity = {.chain = pki.chain, .key = pki.key};
    struct ekb_tls_options options = {.role = EKB_ROLE_SERVER,
                                      .version = EKB_TLS_1_3,
                                      .identity = &identity,
                                      .trust = fixture_pki_root(&pki),
                                      .policy = ekb_policy_default()};
    struct ekb_tls_config *server = tls_config(&options);
    options.role = EKB_ROLE_CLIENT;
    struct ekb_tls_config *client = tls_config(&options);
    struct bare_pair pair;
    pair_init(&pair, &usual);

    for (int i = 0; i < 2; i++) {
        run_to_ready(&pair, &usual, "before TLS");
        run_to_end(&pair, &usual, "before TLS");
        tls_link_restart(&pair.link, client, server);
        tls_link_run(&pair.link);
        cr_expect_eq(ekb_endpoint_state(pair.link.client), EKB_ENDPOINT_READY);
        cr_expect_eq(ekb_endpoint_state(pair.link.server), EKB_ENDPOINT_READY);
        cr_expect_str_eq(ekb_endpoint_version_name(pair.link.server), "TLSv1.3");
        tls_link_restart(&pair.link, pair.client, pair.server);
    }

    pair_deinit(&pair);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    fixture_pki_deinit(&pki);
}

// What is sent.

static size_t num_not_zero(const struct tls_bytes *bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes->end; i++) {
        count += bytes->data[i] != 0;
    }
    return count;
}

// An endpoint's buffer holds what it sent before, and at first whatever was in the memory.
Test(bare, sends_nothing_but_zeroes_when_its_buffer_was_used_before)
{
    // New memory is filled with this, so that it is not zero by chance; AddressSanitizer has its
    // own way to do so.
    (void)mallopt(M_PERTURB, 0x5a);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct fixture_pki pki;
        const struct fixture_pki_spec spec = {
            .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH};
        fixture_pki_init(&pki, &spec);
        const struct ekb_identity identity = {.chain = pki.chain, .key = pki.key};
        struct ekb_tls_options options = {.role = EKB_ROLE_SERVER,
                                          .version = EKB_TLS_1_2,
                                          .identity = &identity,
                                          .trust = fixture_pki_root(&pki),
                                          .policy = ekb_policy_default()};
        struct ekb_tls_config *server = tls_config(&options);
        options.role = EKB_ROLE_CLIENT;
        struct ekb_tls_config *client = tls_config(&options);
        struct bare_pair pair = {.client = bare(EKB_ROLE_CLIENT, &shapes[i].flights),
                                 .server = bare(EKB_ROLE_SERVER, &shapes[i].flights)};

        tls_link_init(&pair.link, client, server);
        tls_link_run(&pair.link);
        tls_link_restart(&pair.link, pair.client, pair.server);
        run_to_ready(&pair, &shapes[i].flights, shapes[i].name);
        run_to_end(&pair, &shapes[i].flights, shapes[i].name);

        cr_expect_eq(num_not_zero(&pair.link.to_server), 0u, "%s: %zu bytes of the client",
                     shapes[i].name, num_not_zero(&pair.link.to_server));
        cr_expect_eq(num_not_zero(&pair.link.to_client), 0u, "%s: %zu bytes of the server",
                     shapes[i].name, num_not_zero(&pair.link.to_client));
        pair_deinit(&pair);
        ekb_tls_config_destroy(client);
        ekb_tls_config_destroy(server);
        fixture_pki_deinit(&pki);
    }
}

// The port is open to whoever finds it: what comes after the end changes nothing, as often as it
// comes.
Test(bare, ignores_what_comes_when_all_flights_have_been_exchanged)
{
    static const uint8_t more[4096] = {0};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct bare_pair pair;
        pair_init(&pair, &shapes[i].flights);
        run_to_ready(&pair, &shapes[i].flights, shapes[i].name);

        // The server has all of the client's, and has not confirmed.
        for (int j = 0; j < 20; j++) {
            cr_expect_eq(ekb_endpoint_feed(pair.link.server, more, sizeof more), EKB_OK);
        }
        cr_expect_eq(ekb_endpoint_state(pair.link.server), EKB_ENDPOINT_READY);
        cr_expect_eq(pending_len(pair.link.server), 0u, "%s", shapes[i].name);
        run_to_end(&pair, &shapes[i].flights, shapes[i].name);
        struct ekb_endpoint *const ends[] = {pair.link.client, pair.link.server};
        for (size_t end = 0; end < 2; end++) {
            for (int j = 0; j < 20; j++) {
                cr_expect_eq(ekb_endpoint_feed(ends[end], more, sizeof more), EKB_OK);
            }
            cr_expect_eq(ekb_endpoint_state(ends[end]), EKB_ENDPOINT_READY);
            cr_expect_eq(pending_len(ends[end]), 0u, "%s, %zu: %zu", shapes[i].name, end,
                         pending_len(ends[end]));
        }
        cr_expect_eq(ekb_endpoint_app_len(pair.link.client), 1u);
        cr_expect_eq(ekb_endpoint_app_len(pair.link.server), 0u);
        pair_deinit(&pair);
    }
}

// Configurations.

Test(bare, has_its_role_when_created)
{
    struct ekb_tls_config *client = bare(EKB_ROLE_CLIENT, &usual);
    struct ekb_tls_config *server = bare(EKB_ROLE_SERVER, &usual);

    cr_expect_eq(ekb_tls_config_role(client), EKB_ROLE_CLIENT);
    cr_expect_eq(ekb_tls_config_role(server), EKB_ROLE_SERVER);

    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
}

Test(bare, keeps_its_own_copy_of_the_flights_when_created)
{
    struct ekb_flights flights = usual;
    struct ekb_tls_config *config = bare(EKB_ROLE_CLIENT, &flights);
    struct ekb_endpoint *endpoint = NULL;
    cr_assert_eq(ekb_endpoint_create(&endpoint), EKB_OK);

    memset(&flights, 0xff, sizeof flights);
    (void)ekb_endpoint_start(endpoint, config);

    cr_expect_eq(pending_len(endpoint), 220u);
    ekb_endpoint_destroy(endpoint);
    ekb_tls_config_destroy(config);
}

Test(bare, cannot_be_created_when_its_flights_are_none)
{
    static const struct {
        const char *name;
        struct ekb_flights flights;
    } cases[] = {
        {"none", {{0}, 0}},
        {"one", {{100}, 1}},
        {"an odd number", {{100, 100, 100}, 3}},
        {"one more than there can be", {{1, 1, 1, 1, 1, 1, 1, 1}, EKB_FLIGHTS_MAX + 1}},
        {"two more than there can be", {{1, 1, 1, 1, 1, 1, 1, 1}, EKB_FLIGHTS_MAX + 2}},
        {"very many", {{1, 1, 1, 1, 1, 1, 1, 1}, UINT32_MAX - 1}},
        {"an empty one first", {{0, 100, 100, 100}, 4}},
        {"an empty one last", {{100, 100, 100, 0}, 4}},
        {"one byte too many first", {{EKB_ENDPOINT_TX_LEN + 1, 100}, 2}},
        {"one byte too many last", {{100, EKB_ENDPOINT_TX_LEN + 1}, 2}},
        {"far too many", {{100, UINT32_MAX}, 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_tls_config *config = NULL;

        const enum ekb_err err =
            ekb_tls_config_create_bare(&config, EKB_ROLE_SERVER, &cases[i].flights);

        cr_expect_eq(err, EKB_USAGE, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_null(config, "%s: the output was changed", cases[i].name);
        ekb_tls_config_destroy(config);
    }
}
