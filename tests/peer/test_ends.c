#include "ekubench/peer/ends.h"

#include "support/stores.h"

#include "ekubench/peer/memory.h"

#include <criterion/criterion.h>

#include <inttypes.h>

// An ECDSA signature of P-256 is 68 to 72 bytes long, hardly ever less; each side makes one in a
// handshake.
#define JITTER 8

static struct store_fixture stores;

static void set_up(void)
{
    store_fixture_init(&stores);
}

static void tear_down(void)
{
    store_fixture_deinit(&stores);
}

TestSuite(ends, .init = set_up, .fini = tear_down, .timeout = 60);

static struct ekb_ends_spec spec_of(enum ekb_tls_version version)
{
    return (struct ekb_ends_spec){.server_store = stores.server,
                                  .client_store = stores.client,
                                  .version = version,
                                  .policy = ekb_policy_default()};
}

static struct ekb_memory_outcome handshake(const struct ekb_ends_spec *spec)
{
    struct ekb_fail fail = {0};
    struct ekb_tls_config *client = NULL;
    struct ekb_tls_config *server = NULL;
    struct ekb_memory_pair *pair = NULL;
    struct ekb_memory_outcome outcome;
    const struct ekb_clock clock = ekb_clock_monotonic();
    cr_assert_eq(ekb_ends_make_client(&client, spec, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_ends_make_server(&server, spec, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(ekb_memory_pair_create(&pair), EKB_OK);
    ekb_memory_handshake(pair, &outcome, client, server, &clock);
    ekb_memory_pair_destroy(pair);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    return outcome;
}

// Sum of every second flight, from the first or from the second on.
static uint64_t sum_of(const struct ekb_flights *flights, enum ekb_role role)
{
    uint64_t sum = 0;
    for (uint32_t i = role == EKB_ROLE_CLIENT ? 0 : 1; i < flights->num; i += 2) {
        sum += flights->len[i];
    }
    return sum;
}

static void expect_sum(const struct ekb_flights *flights, enum ekb_role role, uint64_t sent_bytes,
                       const char *name)
{
    const uint64_t sum = sum_of(flights, role);
    cr_expect(sum + JITTER >= sent_bytes && sum <= sent_bytes + JITTER,
              "TLS %s, role %d: flights of %" PRIu64 ", %" PRIu64 " sent", name, (int)role, sum,
              sent_bytes);
}

Test(ends, have_the_role_they_are_made_for)
{
    const struct ekb_ends_spec spec = spec_of(EKB_TLS_1_3);
    struct ekb_tls_config *client = NULL;
    struct ekb_tls_config *server = NULL;

    cr_assert_eq(ekb_ends_make_client(&client, &spec, NULL), EKB_OK);
    cr_assert_eq(ekb_ends_make_server(&server, &spec, NULL), EKB_OK);

    cr_expect_eq(ekb_tls_config_role(client), EKB_ROLE_CLIENT);
    cr_expect_eq(ekb_tls_config_role(server), EKB_ROLE_SERVER);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
}

Test(ends, record_the_flights_when_the_handshake_succeeds)
{
    static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};
    for (size_t i = 0; i < 2; i++) {
        const char *name = ekb_tls_version_name(versions[i]);
        const struct ekb_ends_spec spec = spec_of(versions[i]);
        const struct ekb_memory_outcome outcome = handshake(&spec);
        struct ekb_flights flights = {0};
        struct ekb_fail fail = {0};

        const enum ekb_err err = ekb_flights_record(&flights, &spec, &fail);

        cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
        cr_assert_eq(flights.num, 4u, "TLS %s: %" PRIu32 " flights", name, flights.num);
        for (uint32_t j = 0; j < flights.num; j++) {
            cr_expect_gt(flights.len[j], 0u, "TLS %s: flight %" PRIu32, name, j);
        }
        expect_sum(&flights, EKB_ROLE_CLIENT, outcome.client_sent_bytes, name);
        expect_sum(&flights, EKB_ROLE_SERVER, outcome.server_sent_bytes, name);
        // The certificates go in the middle.
        cr_expect_lt(flights.len[0], flights.len[2], "TLS %s", name);
        cr_expect_lt(flights.len[3], flights.len[1], "TLS %s", name);
    }
}

// What is recorded is what a configuration without TLS is made of.
Test(ends, record_flights_that_can_be_exchanged)
{
    const struct ekb_ends_spec spec = spec_of(EKB_TLS_1_2);
    struct ekb_flights flights;
    struct ekb_tls_config *bare = NULL;
    cr_assert_eq(ekb_flights_record(&flights, &spec, NULL), EKB_OK);

    cr_expect_eq(ekb_tls_config_create_bare(&bare, EKB_ROLE_SERVER, &flights), EKB_OK);

    ekb_tls_config_destroy(bare);
}

Test(ends, know_the_flights_of_a_connection_to_the_byte_when_it_was_theirs)
{
    static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};
    for (size_t i = 0; i < 2; i++) {
        const struct ekb_ends_spec spec = spec_of(versions[i]);

        const struct ekb_memory_outcome outcome = handshake(&spec);

        cr_expect_eq(outcome.flights.num, 4u);
        cr_expect_eq(sum_of(&outcome.flights, EKB_ROLE_CLIENT), outcome.client_sent_bytes);
        cr_expect_eq(sum_of(&outcome.flights, EKB_ROLE_SERVER), outcome.server_sent_bytes);
    }
}

// Who verifies what.

static const struct {
    const char *name;
    const char *client_store;
    enum ekb_eku_mode eku;
    bool cheap_client;
    bool succeeds;
} cases[] = {
    {"as it should be", stores.client, EKB_EKU_ON, false, true},
    {"a cheap client", stores.client, EKB_EKU_ON, true, true},
    {"wrong purpose", stores.wrong_eku, EKB_EKU_ON, false, false},
    {"wrong purpose, of a cheap client", stores.wrong_eku, EKB_EKU_ON, true, false},
    {"wrong purpose, not looked at", stores.wrong_eku, EKB_EKU_NONE, false, true},
    {"of another CA", stores.stranger, EKB_EKU_ON, true, false},
    {"a client that trusts another CA", stores.doubter, EKB_EKU_ON, false, false},
    {"a cheap one that trusts another CA", stores.doubter, EKB_EKU_ON, true, true},
};

Test(ends, verify_one_another_as_the_specification_says)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned version = 0; version < 2; version++) {
            struct ekb_ends_spec spec = spec_of((enum ekb_tls_version)version);
            spec.client_store = cases[i].client_store;
            spec.policy.eku = cases[i].eku;
            spec.cheap_client = cases[i].cheap_client;

            const struct ekb_memory_outcome outcome = handshake(&spec);

            const bool succeeded = outcome.client_err == EKB_OK && outcome.server_err == EKB_OK;
            cr_expect_eq(succeeded, cases[i].succeeds, "%s, TLS %s: %s, %s", cases[i].name,
                         ekb_tls_version_name((enum ekb_tls_version)version),
                         ekb_err_name(outcome.client_err), ekb_err_name(outcome.server_err));
        }
    }
}

Test(ends, record_nothing_when_the_handshake_fails)
{
    struct ekb_ends_spec spec = spec_of(EKB_TLS_1_3);
    struct ekb_flights flights = {.num = 77};
    struct ekb_fail fail = {0};
    spec.client_store = stores.wrong_eku;

    const enum ekb_err err = ekb_flights_record(&flights, &spec, &fail);

    cr_expect_eq(err, EKB_TLS_ALERT, "%s", ekb_err_name(err));
    cr_expect_eq(fail.err, err, "%s", ekb_err_name(fail.err));
    cr_expect_eq(flights.num, 77u, "written in spite of the error");
}

Test(ends, cannot_be_made_when_a_store_lacks_what_they_need)
{
    struct ekb_ends_spec spec = spec_of(EKB_TLS_1_3);
    struct ekb_tls_config *config = NULL;
    struct ekb_flights flights = {.num = 77};
    struct ekb_fail fail = {0};
    char missing[512];
    const char *const without_client[] = {stores.anonymous, stores.server,
                                          fixture_dir_file(missing, &stores.dir, "missing")};
    const char *const without_server[] = {stores.anonymous, stores.client, missing};

    for (size_t i = 0; i < 3; i++) {
        spec.client_store = without_client[i];
        cr_expect_neq(ekb_ends_make_client(&config, &spec, &fail), EKB_OK, "%s", without_client[i]);
        cr_expect_neq(ekb_flights_record(&flights, &spec, &fail), EKB_OK, "%s", without_client[i]);
        spec.client_store = stores.client;
        spec.server_store = without_server[i];
        cr_expect_neq(ekb_ends_make_server(&config, &spec, &fail), EKB_OK, "%s", without_server[i]);
        cr_expect_neq(ekb_flights_record(&flights, &spec, &fail), EKB_OK, "%s", without_server[i]);
        spec.server_store = stores.server;
    }

    cr_expect_null(config, "the output was changed");
    cr_expect_eq(flights.num, 77u, "written in spite of the error");
    cr_expect_neq(fail.detail[0], '\0');
}
