// Which listeners share a TLS configuration. One configuration judges in one way and opens its own
// tickets and no others' (tests/tls/test_resumption.c); hence listeners that share one though they
// ask for different things would let in whom one of them rejects.

#include "peer/contexts.h"
#include "support/stores.h"

#include <criterion/criterion.h>

#include <stdbool.h>
#include <stdio.h>

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
        {"eku=off", other_eku},  {"eku=none", no_eku},   {"eku-absent", other_absent},
        {"verify", other_level}, {"depth", other_depth}, {"crl", other_crl},
        {"name", other_name},    {"tls", other_version}, {"resume", other_resumption},
        {"store", other_store},  {"probe", other_probe}, {"flights", other_flights},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ekb_listener a = listener_with_tickets();
        struct ekb_listener b = listener_with_tickets();
        cases[i].edit(&b);

        cr_expect_not(share(&a, &b), "%s", cases[i].name);
        cr_expect_not(share(&b, &a), "%s, the other way", cases[i].name);
    }
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
