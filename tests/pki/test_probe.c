#include "ekubench/pki/probe.h"

#include "support/fixtures.h"
#include "support/tls_link.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

#define BOTH (EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
// Of one reading of the clock.
#define TICK_NS 10
// More than are looked at.
#define MAX_CHECKED 10

// A clock that ticks when it is read, and only then.
struct ticking {
    uint64_t now_ns;
    unsigned num_read;
};

static uint64_t read_ticking(void *context)
{
    struct ticking *ticking = context;
    ticking->num_read++;
    return ticking->now_ns += TICK_NS;
}

// The time that this process has spent, whatever else the machine does.
static uint64_t read_cpu(void *context)
{
    struct timespec now;
    (void)context;
    cr_assert_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (uint64_t)now.tv_sec * EKB_NS_PER_S + (uint64_t)now.tv_nsec;
}

// An observer that takes samples, as a server does.
#define MAX_SAMPLES 8
struct sampler {
    struct ekb_clock clock;
    uint32_t repeats[MAX_SAMPLES]; // One sample for each.
    size_t num_samples;            // Of one chain.
    struct ekb_probe_sample samples[MAX_SAMPLES];
    int num_begun;
    int num_ended;
    int num_verified;
    int num_verified_early; // Before the end of the verification.
};

static void note_begin(void *context)
{
    struct sampler *sampler = context;
    sampler->num_begun++;
}

static void note_end(void *context)
{
    struct sampler *sampler = context;
    sampler->num_ended++;
}

static void note_verified(void *context, void *chain)
{
    struct sampler *sampler = context;
    sampler->num_verified++;
    sampler->num_verified_early += sampler->num_ended < sampler->num_verified ? 1 : 0;
    for (size_t i = 0; i < sampler->num_samples; i++) {
        ekb_probe_measure(&sampler->samples[i], chain, &sampler->clock, sampler->repeats[i]);
    }
}

// A connection whose server, or client, is observed. Zeroes mean the usual.
struct connection {
    enum ekb_tls_version version;
    enum ekb_role observed;
    enum ekb_verify_level verify;
    enum ekb_eku_mode eku;
    unsigned client_eku; // 0: both.
    size_t depth;        // Of both sides; 0: 2.
    size_t num_extra;    // Certificates that the client sends without need.
    bool without_probe;
    bool without_verified;
};

// connect_ends makes the connection and returns the server's error.
static enum ekb_err connect_ends(struct sampler *sampler, const struct connection *connection)
{
    struct fixture_pki pki;
    struct tls_link link;
    const struct ekb_tls_observer observer = {
        .verify_begin = note_begin,
        .verify_end = note_end,
        .verified = connection->without_verified ? NULL : note_verified,
        .context = sampler};
    fixture_pki_init(&pki, &(struct fixture_pki_spec){
                               .key_type = EKB_KEY_P256,
                               .depth = connection->depth != 0 ? connection->depth : 2,
                               .eku = connection->client_eku != 0 ? connection->client_eku : BOTH});
    for (size_t i = 0; i < connection->num_extra; i++) {
        cr_assert_eq(ekb_chain_append(pki.chain, fixture_pki_root(&pki), 0), EKB_OK);
    }
    const struct ekb_identity identity = {.chain = pki.chain, .key = pki.key};
    struct ekb_tls_options for_server = {.role = EKB_ROLE_SERVER,
                                         .version = connection->version,
                                         .identity = &identity,
                                         .trust = fixture_pki_root(&pki),
                                         .policy = ekb_policy_default()};
    struct ekb_tls_options for_client = for_server;
    for_client.role = EKB_ROLE_CLIENT;
    for_server.policy.eku = connection->eku;
    struct ekb_tls_options *const observed =
        connection->observed == EKB_ROLE_SERVER ? &for_server : &for_client;
    observed->policy.verify = connection->verify;
    observed->observer = &observer;
    observed->probe = !connection->without_probe;
    struct ekb_tls_config *client = tls_config(&for_client);
    struct ekb_tls_config *server = tls_config(&for_server);

    tls_link_init(&link, client, server);
    tls_link_run(&link);

    const enum ekb_err err = ekb_endpoint_error(link.server);
    tls_link_deinit(&link);
    ekb_tls_config_destroy(client);
    ekb_tls_config_destroy(server);
    fixture_pki_deinit(&pki);
    return err;
}

// sample_of returns one sample of an accepted chain, taken with a clock that ticks.
static struct ekb_probe_sample sample_of(const struct connection *connection, uint32_t repeats,
                                         unsigned *out_num_read)
{
    struct ticking ticking = {0};
    struct sampler sampler = {.clock = {.now_ns = read_ticking, .context = &ticking},
                              .repeats = {repeats},
                              .num_samples = 1};
    const enum ekb_err err = connect_ends(&sampler, connection);
    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(sampler.num_verified, 1, "%d", sampler.num_verified);
    *out_num_read = ticking.num_read;
    return sampler.samples[0];
}

// Who is told.

static const struct {
    const char *name;
    struct connection connection;
    int num_begun;
    int num_verified;
    enum ekb_err server_err;
} cases[] = {
    {"accepted", {.version = EKB_TLS_1_3}, 1, 1, EKB_OK},
    {"accepted, TLS 1.2", {.version = EKB_TLS_1_2}, 1, 1, EKB_OK},
    {"accepted in spite of its purpose",
     {.version = EKB_TLS_1_3, .eku = EKB_EKU_NONE, .client_eku = EKB_EKU_SERVER_AUTH},
     1,
     1,
     EKB_OK},
    {"rejected for its purpose",
     {.version = EKB_TLS_1_3, .client_eku = EKB_EKU_SERVER_AUTH},
     1,
     0,
     EKB_VERIFY_PURPOSE},
    {"rejected, TLS 1.2",
     {.version = EKB_TLS_1_2, .client_eku = EKB_EKU_SERVER_AUTH},
     1,
     0,
     EKB_VERIFY_PURPOSE},
    {"not asked for", {.version = EKB_TLS_1_3, .without_probe = true}, 1, 0, EKB_OK},
    {"neither asked for nor there",
     {.version = EKB_TLS_1_3, .without_probe = true, .without_verified = true},
     1,
     0,
     EKB_OK},
    {"not verified", {.version = EKB_TLS_1_3, .verify = EKB_VERIFY_PARSE}, 0, 0, EKB_OK},
    {"not parsed", {.version = EKB_TLS_1_3, .verify = EKB_VERIFY_RAW}, 0, 0, EKB_OK},
    {"not there", {.version = EKB_TLS_1_3, .verify = EKB_VERIFY_ONE_WAY}, 0, 0, EKB_OK},
    {"the server's", {.version = EKB_TLS_1_3, .observed = EKB_ROLE_CLIENT}, 1, 1, EKB_OK},
};

Test(probe, is_given_a_chain_when_it_was_accepted_and_asked_for)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ticking ticking = {0};
        struct sampler sampler = {.clock = {.now_ns = read_ticking, .context = &ticking},
                                  .num_samples = 1};

        const enum ekb_err err = connect_ends(&sampler, &cases[i].connection);

        cr_expect_eq(err, cases[i].server_err, "%s: %s", cases[i].name, ekb_err_name(err));
        cr_expect_eq(sampler.num_begun, cases[i].num_begun, "%s: %d", cases[i].name,
                     sampler.num_begun);
        cr_expect_eq(sampler.num_ended, cases[i].num_begun, "%s: %d", cases[i].name,
                     sampler.num_ended);
        cr_expect_eq(sampler.num_verified, cases[i].num_verified, "%s: %d", cases[i].name,
                     sampler.num_verified);
        cr_expect_eq(sampler.num_verified_early, 0, "%s", cases[i].name);
    }
}

// What is in a sample.

Test(probe, looks_at_each_certificate_that_was_sent)
{
    for (size_t depth = 1; depth <= 4; depth++) {
        const struct connection connection = {.version = EKB_TLS_1_3, .depth = depth};
        unsigned num_read = 0;

        const struct ekb_probe_sample sample = sample_of(&connection, 8, &num_read);

        // The leaf and the intermediates: the root, which is not sent, stands for the leaf.
        cr_expect_eq(sample.num_checked, depth, "depth %zu: %" PRIu32, depth, sample.num_checked);
    }
}

Test(probe, looks_at_ten_certificates_when_more_were_sent)
{
    static const size_t num_sent[] = {9, 10, 11, 14};
    for (size_t i = 0; i < sizeof num_sent / sizeof num_sent[0]; i++) {
        const struct connection connection = {.version = EKB_TLS_1_3, .num_extra = num_sent[i] - 2};
        unsigned num_read = 0;

        const struct ekb_probe_sample sample = sample_of(&connection, 0, &num_read);

        const size_t expected = num_sent[i] < MAX_CHECKED ? num_sent[i] : MAX_CHECKED;
        cr_expect_eq(sample.num_checked, expected, "%zu sent: %" PRIu32, num_sent[i],
                     sample.num_checked);
        cr_expect_eq(sample.purpose_ns, expected * TICK_NS, "%zu sent: %" PRIu64, num_sent[i],
                     sample.purpose_ns);
    }
}

// Each timer is two readings of the clock, and nothing that it times reads it: every time is one
// tick for each timer in it.
Test(probe, has_one_timer_for_each_thing_that_it_times)
{
    static const uint32_t repeats[] = {0, 1, 8, 64, 1000};
    for (size_t i = 0; i < sizeof repeats / sizeof repeats[0]; i++) {
        for (size_t depth = 1; depth <= 3; depth++) {
            const struct connection connection = {.version = EKB_TLS_1_2, .depth = depth};
            unsigned num_read = 0;

            const struct ekb_probe_sample sample = sample_of(&connection, repeats[i], &num_read);

            cr_expect_eq(sample.repeats, repeats[i], "%" PRIu32, sample.repeats);
            cr_expect_eq(sample.empty_ns, TICK_NS, "%" PRIu64, sample.empty_ns);
            cr_expect_eq(sample.purpose_ns, depth * TICK_NS, "%" PRIu64, sample.purpose_ns);
            cr_expect_eq(sample.parse_ns, depth * TICK_NS, "%" PRIu64, sample.parse_ns);
            cr_expect_eq(sample.repeats_ns, TICK_NS, "%" PRIu64, sample.repeats_ns);
            cr_expect_eq(sample.first_ns, depth * TICK_NS, "%" PRIu64, sample.first_ns);
            cr_expect_eq(num_read, 2 * (3 + 3 * depth), "%u", num_read);
        }
    }
}

// Time of this process's own: 100,000 checks are milliseconds, no check is microseconds at most.
Test(probe, takes_longer_when_it_repeats_more)
{
    struct sampler sampler = {.clock = {.now_ns = read_cpu},
                              .repeats = {0, 1000, 100000, 0, 1000, 100000},
                              .num_samples = 6};
    const struct connection connection = {.version = EKB_TLS_1_3};

    cr_assert_eq(connect_ends(&sampler, &connection), EKB_OK);

    for (size_t i = 0; i < 6; i += 3) {
        const struct ekb_probe_sample *samples = &sampler.samples[i];
        cr_expect_gt(samples[2].repeats_ns, samples[1].repeats_ns, "%" PRIu64 " and %" PRIu64,
                     samples[2].repeats_ns, samples[1].repeats_ns);
        cr_expect_gt(samples[2].repeats_ns, 10 * samples[0].repeats_ns, "%" PRIu64 " and %" PRIu64,
                     samples[2].repeats_ns, samples[0].repeats_ns);
        cr_expect_gt(samples[2].repeats_ns, 10 * samples[2].empty_ns, "%" PRIu64 " and %" PRIu64,
                     samples[2].repeats_ns, samples[2].empty_ns);
        cr_expect_gt(samples[2].parse_ns, 0u);
    }
}
