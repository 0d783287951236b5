// Which listeners share a TLS configuration. One configuration judges in one way and opens its own
// tickets and no others' (tests/tls/test_resumption.c); hence listeners that share one though they
// ask for different things would let in whom one of them rejects.

#include "peer/contexts.h"
#include "support/stores.h"

#include <criterion/criterion.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct store_fixture stores;

static void set_up(void)
{
    store_fixture_init(&stores);
}

static void tear_down(void)
{
    store_fixture_deinit(&stores);
}

TestSuite(contexts, .init = set_up, .fini = tear_down);

static struct ekb_listener listener_with_tickets(void)
{
    return (struct ekb_listener){
        .policy = ekb_policy_default(), .version = EKB_TLS_ANY, .resumption = EKB_TLS_RESUME_ON};
}

// share is true if the two listeners of a server have one configuration.
static bool share(const struct ekb_listener *a, const struct ekb_listener *b)
{
    struct ekb_listener listeners[] = {*a, *b};
    const struct ekb_server_options options = {
        .store_path = stores.server, .listeners = listeners, .num_listeners = 2};
    struct ekb_contexts *contexts = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_contexts_create(&contexts, &options, NULL, &fail), EKB_OK, "%s", fail.detail);
    const bool shared = ekb_contexts_get(contexts, 0) == ekb_contexts_get(contexts, 1);
    ekb_contexts_destroy(contexts);
    return shared;
}

static void other_eku(struct ekb_listener *listener)
{
    listener->policy.eku = EKB_EKU_OFF;
}

static void no_eku(struct ekb_listener *listener)
{
    listener->policy.eku = EKB_EKU_NONE;
}

static void other_absent(struct ekb_listener *listener)
{
    listener->policy.eku_absent = EKB_EKU_ABSENT_REJECT;
}

static void other_level(struct ekb_listener *listener)
{
    listener->policy.verify = EKB_VERIFY_PARSE;
}

static void other_depth(struct ekb_listener *listener)
{
    listener->policy.max_depth = 1;
}

static void other_crl(struct ekb_listener *listener)
{
    listener->policy.crl = EKB_CRL_OFF;
}

static void other_name(struct ekb_listener *listener)
{
    cr_assert_eq(ekb_name_parse(&listener->policy.name, "a.example"), EKB_OK);
}

static void other_version(struct ekb_listener *listener)
{
    listener->version = EKB_TLS_1_3;
}

static void other_resumption(struct ekb_listener *listener)
{
    listener->resumption = EKB_TLS_RESUME_OFF;
}

static void other_store(struct ekb_listener *listener)
{
    listener->store_path = stores.server; // Not the server's, though it has the same name.
}

static void other_groups(struct ekb_listener *listener)
{
    (void)snprintf(listener->groups, sizeof listener->groups, "P-256:X25519");
}

static void other_ciphers(struct ekb_listener *listener)
{
    (void)snprintf(listener->ciphers, sizeof listener->ciphers, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

static void second_certificate(struct ekb_listener *listener)
{
    (void)snprintf(listener->second_store, sizeof listener->second_store, "%s", stores.server);
}

static void other_probe(struct ekb_listener *listener)
{
    listener->probe = true;
}

static void other_flights(struct ekb_listener *listener)
{
    static const struct ekb_flights flights = {.len = {100, 200}, .num = 2};
    listener->flights = &flights;
}

static void other_socket(struct ekb_listener *listener)
{
    listener->address.len = 1;
    listener->arm = 1;
    listener->fd = 77;
}

Test(contexts, shares_a_configuration_when_listeners_ask_for_the_same)
{
    const struct ekb_listener a = listener_with_tickets();
    struct ekb_listener b = listener_with_tickets();
    other_socket(&b);

    cr_expect(share(&a, &b));
}

Test(contexts, keeps_listeners_apart_when_one_term_is_another)
{
    static const struct {
        const char *name;
        void (*edit)(struct ekb_listener *listener);
    } cases[] = {
        {"eku=off", other_eku},   {"eku=none", no_eku},       {"eku-absent", other_absent},
        {"verify", other_level},  {"depth", other_depth},     {"crl", other_crl},
        {"name", other_name},     {"tls", other_version},     {"resume", other_resumption},
        {"store", other_store},   {"probe", other_probe},     {"flights", other_flights},
        {"groups", other_groups}, {"ciphers", other_ciphers}, {"second", second_certificate},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ekb_listener a = listener_with_tickets();
        struct ekb_listener b = listener_with_tickets();
        cases[i].edit(&b);

        cr_expect_not(share(&a, &b), "%s", cases[i].name);
        cr_expect_not(share(&b, &a), "%s, the other way", cases[i].name);
    }
}

// Named again, as often as one likes.
Test(contexts, shares_a_configuration_when_preferences_and_second_certificate_are_the_same)
{
    struct ekb_listener a = listener_with_tickets();
    struct ekb_listener b = listener_with_tickets();
    other_groups(&a);
    other_groups(&b);
    other_ciphers(&a);
    other_ciphers(&b);
    second_certificate(&a);
    second_certificate(&b);
    // What is behind the end of a text is nothing.
    b.groups[sizeof b.groups - 1] = 'x';

    cr_expect(share(&a, &b));
}

// expect_refused expects that no configuration can be made, and why.
static void expect_refused(struct ekb_listener *listener, enum ekb_err wanted,
                           const char *in_detail)
{
    const struct ekb_server_options options = {
        .store_path = stores.server, .listeners = listener, .num_listeners = 1};
    struct ekb_contexts *contexts = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_contexts_create(&contexts, &options, NULL, &fail);

    cr_expect_eq(err, wanted, "%s: %s", in_detail, ekb_err_name(err));
    cr_expect_null(contexts);
    cr_expect(strstr(fail.detail, in_detail) != NULL, "%s", fail.detail);
}

Test(contexts, are_refused_when_the_second_certificate_is_missing)
{
    struct ekb_listener missing = listener_with_tickets();
    struct ekb_listener client_only = listener_with_tickets();
    (void)snprintf(missing.second_store, sizeof missing.second_store, "/nonexistent/store");
    // Has a client's identity, and no server's.
    (void)snprintf(client_only.second_store, sizeof client_only.second_store, "%s", stores.client);

    expect_refused(&missing, EKB_NOT_FOUND, "/nonexistent/store");
    expect_refused(&client_only, EKB_NOT_FOUND, stores.client);
}

Test(contexts, are_refused_when_preferences_are_unknown)
{
    struct ekb_listener groups = listener_with_tickets();
    struct ekb_listener ciphers = listener_with_tickets();
    (void)snprintf(groups.groups, sizeof groups.groups, "P-257");
    (void)snprintf(ciphers.ciphers, sizeof ciphers.ciphers, "NULL-MD5");

    expect_refused(&groups, EKB_USAGE, "P-257");
    expect_refused(&ciphers, EKB_USAGE, "NULL-MD5");
}

// One directory under two names: what is there may become another.
Test(contexts, keeps_listeners_apart_when_their_stores_have_other_names)
{
    char path[600];
    struct ekb_listener a = listener_with_tickets();
    struct ekb_listener b = listener_with_tickets();
    (void)snprintf(path, sizeof path, "%s/.", stores.server);
    a.store_path = stores.server;
    b.store_path = path;

    cr_expect_not(share(&a, &b));
}
