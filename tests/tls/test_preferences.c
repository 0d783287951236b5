#include "ekubench/tls/preferences.h"

#include "support/fixtures.h"
#include "support/tls_link.h"

#include <criterion/criterion.h>
#include <openssl/err.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALERT_HANDSHAKE_FAILURE 40

// Of plain text records and messages.
#define RECORD_HEADER_LEN 5
#define RECORD_HANDSHAKE 22
#define MESSAGE_CLIENT_HELLO 1
// A key share of the hybrid alone is longer.
#define LONG_HELLO_LEN 1200

static struct fixture_pki pki;
static struct ekb_identity identity;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .eku = EKB_EKU_SERVER_AUTH};
    fixture_pki_init(&pki, &spec);
    identity = (struct ekb_identity){.chain = pki.chain, .key = pki.key};
}

static void tear_down(void)
{
    fixture_pki_deinit(&pki);
}

TestSuite(preferences);
TestSuite(negotiation, .init = set_up, .fini = tear_down);

// Lists.

struct list_kind {
    const char *name;
    // What a sentence about a bad one says is known.
    const char *known;
    struct ekb_tls_preferences (*prefer)(const char *list);
};

static struct ekb_tls_preferences prefer_groups(const char *list)
{
    return (struct ekb_tls_preferences){.groups = list};
}

static struct ekb_tls_preferences prefer_ciphers(const char *list)
{
    return (struct ekb_tls_preferences){.ciphers = list};
}

static struct ekb_tls_preferences prefer_signatures(const char *list)
{
    return (struct ekb_tls_preferences){.signatures = list};
}

static const struct list_kind groups = {"groups", "X25519, P-256, P-384, P-521 and", prefer_groups};
static const struct list_kind ciphers = {"ciphers", "suites of TLS 1.2 by OpenSSL's names",
                                         prefer_ciphers};
static const struct list_kind signatures = {"signatures", "ecdsa_secp256r1_sha256",
                                            prefer_signatures};

static void expect_known(const struct list_kind *kind, const char *const *lists, size_t num_lists)
{
    for (size_t i = 0; i < num_lists; i++) {
        const struct ekb_tls_preferences preferences = kind->prefer(lists[i]);
        struct ekb_fail fail = {0};

        const enum ekb_err err = ekb_tls_preferences_check(&preferences, &fail);

        cr_expect_eq(err, EKB_OK, "%s \"%s\": %s", kind->name, lists[i], fail.detail);
    }
}

static void expect_refused(const struct list_kind *kind, const char *const *lists, size_t num_lists)
{
    for (size_t i = 0; i < num_lists; i++) {
        char quoted[64];
        const struct ekb_tls_preferences preferences = kind->prefer(lists[i]);
        struct ekb_fail fail = {0};
        (void)snprintf(quoted, sizeof quoted, "%s \"%.30s", kind->name, lists[i]);

        const enum ekb_err err = ekb_tls_preferences_check(&preferences, &fail);
        const enum ekb_err silent = ekb_tls_preferences_check(&preferences, NULL);

        cr_expect_eq(err, EKB_USAGE, "%s \"%s\": %s", kind->name, lists[i], ekb_err_name(err));
        cr_expect_eq(silent, EKB_USAGE, "%s \"%s\": %s", kind->name, lists[i],
                     ekb_err_name(silent));
        cr_expect(strstr(fail.detail, quoted) != NULL, "%s: %s", quoted, fail.detail);
        cr_expect(strstr(fail.detail, kind->known) != NULL || strlen(lists[i]) > 100, "%s: %s",
                  quoted, fail.detail);
        cr_expect_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
    }
}

#define EXPECT_KNOWN(kind, lists) expect_known(&(kind), lists, sizeof(lists) / sizeof(lists)[0])
#define EXPECT_REFUSED(kind, lists) expect_refused(&(kind), lists, sizeof(lists) / sizeof(lists)[0])

// repeat returns `text` so often, joined by colons, to be freed.
static char *repeat(const char *text, size_t times)
{
    const size_t len = strlen(text);
    char *all = malloc(times * (len + 1));
    cr_assert_not_null(all);
    for (size_t i = 0; i < times; i++) {
        memcpy(all + i * (len + 1), text, len);
        all[i * (len + 1) + len] = i + 1 < times ? ':' : '\0';
    }
    return all;
}

static void expect_long_refused(const struct list_kind *kind, const char *word)
{
    for (size_t times = 2; times < 200; times++) {
        char *list = repeat(word, times);
        const char *lists[] = {list};
        expect_refused(kind, lists, 1);
        free(list);
    }
    char *word_alone = malloc(2000);
    cr_assert_not_null(word_alone);
    for (size_t len = 500; len < 2000; len += 499) {
        memset(word_alone, 'x', len);
        memcpy(word_alone, word, strlen(word));
        word_alone[len] = '\0';
        const char *lists[] = {word_alone};
        expect_refused(kind, lists, 1);
    }
    free(word_alone);
}

Test(preferences, may_be_none)
{
    const struct ekb_tls_preferences none = {0};

    cr_expect_eq(ekb_tls_preferences_check(&none, NULL), EKB_OK);
}

Test(preferences, know_groups)
{
    static const char *const lists[] = {
        EKB_TLS_GROUPS, "X25519",       "P-256",         "P-384",
        "P-521",        EKB_TLS_HYBRID, "hybrid:X25519", "P-521:hybrid:P-256:X25519:P-384"};
    EXPECT_KNOWN(groups, lists);
}

Test(preferences, know_the_hybrid_by_the_librarys_name)
{
    const char *const name = ekb_tls_hybrid_group();
    cr_assert_not_null(name);
    const char *const lists[] = {name};

    EXPECT_KNOWN(groups, lists);
    cr_expect(strcmp(name, "X25519MLKEM768") == 0 || strcmp(name, "X25519KYBER") == 0, "%s", name);
    cr_expect_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
}

Test(preferences, refuse_what_is_no_list_of_groups)
{
    static const char *const lists[] = {
        "",        ":",       "X25519:",     ":X25519",       "X25519::P-256",     "X25519,P-256",
        "X25519 ", " X25519", "x 25519",     "P-257",         "hybrids",           "Hybrid",
        "X2551",   "X255190", "P-256:P-257", "X25519:X25519", "P-256:X25519:P-256"};
    EXPECT_REFUSED(groups, lists);
}

Test(preferences, refuse_the_hybrid_when_it_is_there_twice)
{
    char by_name[128];
    cr_assert_not_null(ekb_tls_hybrid_group());
    (void)snprintf(by_name, sizeof by_name, "hybrid:%s", ekb_tls_hybrid_group());
    const char *const lists[] = {"hybrid:hybrid", by_name};

    EXPECT_REFUSED(groups, lists);
}

Test(preferences, say_what_the_hybrid_is)
{
    const struct ekb_tls_preferences preferences = {.groups = "nonsense"};
    struct ekb_fail fail = {0};
    cr_assert_not_null(ekb_tls_hybrid_group());

    cr_expect_eq(ekb_tls_preferences_check(&preferences, &fail), EKB_USAGE);

    cr_expect(strstr(fail.detail, "hybrid = ") != NULL &&
                  strstr(fail.detail, ekb_tls_hybrid_group()) != NULL,
              "%s", fail.detail);
}

Test(preferences, know_ciphers)
{
    static const char *const lists[] = {
        EKB_TLS_CIPHERS,
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
    };
    EXPECT_KNOWN(ciphers, lists);
}

Test(preferences, refuse_what_is_no_list_of_ciphers)
{
    static const char *const lists[] = {
        "",
        ":",
        "ECDHE-RSA-AES128-GCM-SHA256:",
        ":ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256::ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256:nonsense",
        "ECDHE-RSA-AES128-GCM-SHA257",
        "ecdhe-rsa-aes128-gcm-sha256",
        "TLS_AES_128_GCM_SHA256", // Of TLS 1.3.
        "ALL",
        "HIGH",
        "ECDHE-RSA-AES128-GCM-SHA256:!ECDHE-ECDSA-AES128-GCM-SHA256",
        "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-ECDSA-AES128-GCM-SHA256]",
    };
    EXPECT_REFUSED(ciphers, lists);
}

Test(preferences, know_signatures)
{
    static const char *const lists[] = {
        "ecdsa_secp256r1_sha256",
        "ecdsa_secp384r1_sha384",
        "ecdsa_secp521r1_sha512",
        "ed25519",
        "rsa_pss_rsae_sha256",
        "rsa_pss_rsae_sha384",
        "rsa_pss_rsae_sha512",
        "rsa_pkcs1_sha256",
        "rsa_pkcs1_sha384",
        "rsa_pkcs1_sha512",
        "rsa_pkcs1_sha512:rsa_pkcs1_sha384:rsa_pkcs1_sha256:rsa_pss_rsae_sha512:"
        "rsa_pss_rsae_sha384:rsa_pss_rsae_sha256:ed25519:ecdsa_secp521r1_sha512:"
        "ecdsa_secp384r1_sha384:ecdsa_secp256r1_sha256",
    };
    EXPECT_KNOWN(signatures, lists);
}

Test(preferences, refuse_what_is_no_list_of_signatures)
{
    static const char *const lists[] = {
        "",
        ":",
        "ed25519:",
        ":ed25519",
        "ed25519::rsa_pss_rsae_sha256",
        "ed25519:ed25519",
        "rsa_pss_rsae_sha256:ed25519:rsa_pss_rsae_sha256",
        "Ed25519",
        "ed25519 ",
        "ed25519,rsa_pss_rsae_sha256",
        "rsa_pkcs1_sha1",
        "ecdsa_secp256r1_sha384",
        "rsa_pss_rsae",
        "P-256",
    };
    EXPECT_REFUSED(signatures, lists);
}

// Of different words, none of which is known: longer than what they are copied to.
Test(preferences, refuse_what_is_long_and_has_nothing_twice)
{
    char list[3000];
    size_t len = 0;
    for (int i = 0; i < 400; i++) {
        len += (size_t)snprintf(list + len, sizeof list - len, "%sw%03d", i > 0 ? ":" : "", i);
        const char *lists[] = {list};

        EXPECT_REFUSED(groups, lists);
        EXPECT_REFUSED(ciphers, lists);
        EXPECT_REFUSED(signatures, lists);
    }
}

Test(preferences, refuse_what_is_too_long)
{
    expect_long_refused(&groups, "P-256");
    expect_long_refused(&groups, EKB_TLS_HYBRID);
    expect_long_refused(&ciphers, "ECDHE-RSA-AES128-GCM-SHA256");
    expect_long_refused(&signatures, "rsa_pss_rsae_sha256");
    expect_long_refused(&signatures, "ed25519");
}

Test(preferences, name_the_list_that_is_wrong_when_others_are_right)
{
    static const struct {
        struct ekb_tls_preferences preferences;
        const char *name;
    } cases[] = {
        {{.groups = "x", .ciphers = EKB_TLS_CIPHERS, .signatures = "ed25519"}, "groups \"x\""},
        {{.groups = EKB_TLS_GROUPS, .ciphers = "x", .signatures = "ed25519"}, "ciphers \"x\""},
        {{.groups = EKB_TLS_GROUPS, .ciphers = EKB_TLS_CIPHERS, .signatures = "x"},
         "signatures \"x\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_fail fail = {0};

        const enum ekb_err err = ekb_tls_preferences_check(&cases[i].preferences, &fail);

        cr_expect_eq(err, EKB_USAGE, "%s", cases[i].name);
        cr_expect(strstr(fail.detail, cases[i].name) == fail.detail, "%s: %s", cases[i].name,
                  fail.detail);
    }
}

Test(preferences, are_equal_when_all_lists_are)
{
    char copy[] = "X25519:P-256"; // Not at the same address.
    const struct ekb_tls_preferences none = {0};
    const struct ekb_tls_preferences a = {"X25519:P-256", "A", "B"};
    const struct ekb_tls_preferences b = {copy, "A", "B"};

    cr_expect(ekb_tls_preferences_equal(&none, &none));
    cr_expect(ekb_tls_preferences_equal(&a, &b));
}

Test(preferences, differ_when_one_list_does)
{
    static const struct ekb_tls_preferences all = {"X25519", "A", "B"};
    static const struct ekb_tls_preferences others[] = {
        {"P-256", "A", "B"},   {"X25519", "C", "B"},  {"X25519", "A", "C"}, {NULL, "A", "B"},
        {"X25519", NULL, "B"}, {"X25519", "A", NULL}, {NULL, NULL, NULL},   {"X25519:", "A", "B"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_expect_not(ekb_tls_preferences_equal(&all, &others[i]), "%zu", i);
        cr_expect_not(ekb_tls_preferences_equal(&others[i], &all), "%zu, the other way", i);
    }
}

// What comes of two sides' preferences. The server shows a P-256 certificate.

struct meeting {
    const struct ekb_tls_preferences client;
    const struct ekb_tls_preferences server;
    enum ekb_tls_version version;
};

// meet makes a connection of the two.
static void meet(struct tls_link *out_link, const struct meeting *meeting)
{
    struct ekb_policy raw = ekb_policy_default();
    struct ekb_policy one_way = ekb_policy_default();
    raw.verify = EKB_VERIFY_RAW;
    one_way.verify = EKB_VERIFY_ONE_WAY;
    const struct ekb_tls_options client = {.role = EKB_ROLE_CLIENT,
                                           .version = meeting->version,
                                           .preferences = meeting->client,
                                           .policy = raw};
    const struct ekb_tls_options server = {.role = EKB_ROLE_SERVER,
                                           .version = meeting->version,
                                           .identity = &identity,
                                           .preferences = meeting->server,
                                           .policy = one_way};
    struct ekb_tls_config *client_config = tls_config(&client);
    struct ekb_tls_config *server_config = tls_config(&server);
    tls_link_init(out_link, client_config, server_config);
    tls_link_run(out_link);
    ekb_tls_config_destroy(server_config);
    ekb_tls_config_destroy(client_config);
}

// count_hellos counts the client's first messages, of which a second one answers a
// HelloRetryRequest (RFC 8446 section 4.1.4), and stores the length of the first.
static size_t count_hellos(const struct tls_link *link, size_t *out_len)
{
    const struct tls_bytes *bytes = &link->to_server;
    size_t count = 0;
    for (size_t i = 0; i + RECORD_HEADER_LEN < bytes->end;) {
        const uint8_t *record = bytes->data + i;
        const size_t len = ((size_t)record[3] << 8) + record[4];
        if (record[0] == RECORD_HANDSHAKE && record[RECORD_HEADER_LEN] == MESSAGE_CLIENT_HELLO) {
            *out_len = count == 0 ? len : *out_len;
            count++;
        }
        i += RECORD_HEADER_LEN + len;
    }
    return count;
}

static void expect_ready(const struct tls_link *link, const char *name)
{
    cr_assert_eq(ekb_endpoint_state(link->client), EKB_ENDPOINT_READY, "%s: client: %s", name,
                 ekb_err_name(ekb_endpoint_error(link->client)));
    cr_assert_eq(ekb_endpoint_state(link->server), EKB_ENDPOINT_READY, "%s: server: %s", name,
                 ekb_err_name(ekb_endpoint_error(link->server)));
}

struct group_case {
    enum ekb_tls_version version;
    const char *client;
    const char *server;
    const char *group; // EKB_TLS_HYBRID: the library's name of it.
    size_t num_hellos;
};

static void expect_group(const struct group_case *c)
{
    char name[128];
    struct tls_link link;
    size_t hello_len = 0;
    const bool is_hybrid = strcmp(c->group, EKB_TLS_HYBRID) == 0;
    const char *const group = is_hybrid ? ekb_tls_hybrid_group() : c->group;
    const struct meeting meeting = {
        .client = {.groups = c->client}, .server = {.groups = c->server}, .version = c->version};
    cr_assert_not_null(group);
    (void)snprintf(name, sizeof name, "TLS %s, %s to %s", ekb_tls_version_name(c->version),
                   c->client != NULL ? c->client : "usual",
                   c->server != NULL ? c->server : "usual");

    meet(&link, &meeting);

    expect_ready(&link, name);
    const char *of_client = ekb_endpoint_group_name(link.client);
    const char *of_server = ekb_endpoint_group_name(link.server);
    cr_expect_str_eq(of_client, group, "%s: client: %s", name, of_client);
    cr_expect_str_eq(of_server, group, "%s: server: %s", name, of_server);
    const size_t num_hellos = count_hellos(&link, &hello_len);
    cr_expect_eq(num_hellos, c->num_hellos, "%s: %zu", name, num_hellos);
    cr_expect(!is_hybrid || num_hellos > 1 || hello_len > LONG_HELLO_LEN, "%s: %zu bytes", name,
              hello_len);
    tls_link_deinit(&link);
}

Test(negotiation, takes_the_clients_first_group)
{
    static const struct group_case cases[] = {
        {EKB_TLS_1_3, NULL, NULL, "X25519", 1},
        {EKB_TLS_1_3, "P-384:P-256", "P-256:P-384", "P-384", 1},
        {EKB_TLS_1_3, "P-256:P-384", "P-384:P-256", "P-256", 1},
        {EKB_TLS_1_3, "P-521", "X25519:P-521", "P-521", 1},
        {EKB_TLS_1_3, "P-256:X25519", NULL, "P-256", 1},
        {EKB_TLS_1_2, NULL, NULL, "X25519", 1},
        {EKB_TLS_1_2, "P-384:P-256", "P-256:P-384", "P-384", 1},
        {EKB_TLS_1_2, "P-256:P-384", "P-384:P-256", "P-256", 1},
        {EKB_TLS_1_2, "P-256:X25519", NULL, "P-256", 1},
        {EKB_TLS_ANY, "P-384:P-256", "P-256:P-384", "P-384", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_group(&cases[i]);
    }
}

Test(negotiation, takes_the_hybrid_when_both_sides_know_it)
{
    static const struct group_case cases[] = {
        {EKB_TLS_1_3, "hybrid", "hybrid", EKB_TLS_HYBRID, 1},
        {EKB_TLS_1_3, "hybrid:X25519", "X25519:hybrid", EKB_TLS_HYBRID, 1},
        {EKB_TLS_ANY, "hybrid:X25519:P-256", "hybrid:X25519", EKB_TLS_HYBRID, 1},
        {EKB_TLS_1_3, "X25519:hybrid", "hybrid:X25519", "X25519", 1},
        {EKB_TLS_1_3, "hybrid:X25519", NULL, "X25519", 1},
        {EKB_TLS_1_3, NULL, "hybrid:X25519", "X25519", 1},
        // The library's client sends a share of each kind.
        {EKB_TLS_1_3, "X25519:hybrid", "hybrid", EKB_TLS_HYBRID, 1},
        // TLS 1.2 knows none.
        {EKB_TLS_1_2, "hybrid:X25519:P-256", "hybrid:X25519:P-256", "X25519", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_group(&cases[i]);
    }
}

Test(negotiation, asks_again_when_the_client_has_sent_no_share_of_the_group)
{
    static const struct group_case cases[] = {
        {EKB_TLS_1_3, "X25519:P-256", "P-256", "P-256", 2},
        {EKB_TLS_1_3, "X25519:P-384:P-256", "P-256:P-384", "P-384", 2},
        {EKB_TLS_1_3, "P-256:X25519:P-521", "P-521", "P-521", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_group(&cases[i]);
    }
}

struct failure_case {
    const char *name;
    struct meeting meeting;
};

static void expect_nothing_in_common(const struct failure_case *c)
{
    struct tls_link link;

    meet(&link, &c->meeting);

    const enum ekb_err of_server = ekb_endpoint_error(link.server);
    const enum ekb_err of_client = ekb_endpoint_error(link.client);
    cr_expect_eq(of_server, EKB_TLS_NO_COMMON, "%s: %s", c->name, ekb_err_name(of_server));
    cr_expect_eq(of_client, EKB_TLS_ALERT, "%s: %s", c->name, ekb_err_name(of_client));
    cr_expect_eq(ekb_endpoint_alert_received(link.client), ALERT_HANDSHAKE_FAILURE, "%s: %d",
                 c->name, ekb_endpoint_alert_received(link.client));
    tls_link_deinit(&link);
}

Test(negotiation, fails_when_there_is_nothing_in_common)
{
    static const struct failure_case cases[] = {
        {"groups", {{.groups = "P-384"}, {.groups = "P-256:X25519"}, EKB_TLS_1_3}},
        {"groups, 1.2", {{.groups = "P-384"}, {.groups = "P-256:X25519"}, EKB_TLS_1_2}},
        {"hybrid", {{.groups = "hybrid"}, {.groups = "X25519"}, EKB_TLS_1_3}},
        {"ciphers",
         {{.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"},
          {.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"},
          EKB_TLS_1_2}},
        {"kind of key", {{.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"}, {NULL}, EKB_TLS_1_2}},
        {"signatures", {{.signatures = "ecdsa_secp384r1_sha384"}, {NULL}, EKB_TLS_1_3}},
        {"signatures, 1.2", {{.signatures = "rsa_pss_rsae_sha256"}, {NULL}, EKB_TLS_1_2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_nothing_in_common(&cases[i]);
    }
}

struct cipher_case {
    const char *client;
    const char *server;
    const char *cipher;
};

Test(negotiation, takes_the_clients_first_cipher_in_tls_1_2)
{
    static const struct cipher_case cases[] = {
        {NULL, NULL, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
        {"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", NULL,
         "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
        {"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
         "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
        {NULL, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
        {"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", NULL,
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
        {"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305",
         "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
        {"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", NULL,
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_link link;
        const struct meeting meeting = {.client = {.ciphers = cases[i].client},
                                        .server = {.ciphers = cases[i].server},
                                        .version = EKB_TLS_1_2};

        meet(&link, &meeting);

        expect_ready(&link, cases[i].cipher);
        const char *of_client = ekb_endpoint_cipher_name(link.client);
        const char *of_server = ekb_endpoint_cipher_name(link.server);
        cr_expect_str_eq(of_client, cases[i].cipher, "%zu: client: %s", i, of_client);
        cr_expect_str_eq(of_server, cases[i].cipher, "%zu: server: %s", i, of_server);
        tls_link_deinit(&link);
    }
}

Test(negotiation, leaves_the_ciphers_of_tls_1_3_to_the_library)
{
    struct tls_link link;
    const struct meeting meeting = {.client = {.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
                                    .server = {.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"},
                                    .version = EKB_TLS_1_3};

    meet(&link, &meeting);

    expect_ready(&link, "TLS 1.3");
    const char *cipher = ekb_endpoint_cipher_name(link.client);
    cr_expect(strncmp(cipher, "TLS_", 4) == 0 && strstr(cipher, "ECDHE") == NULL, "%s", cipher);
    tls_link_deinit(&link);
}

// Which of them it is when there are several the server's library decides.
Test(negotiation, signs_as_the_client_can_verify)
{
    static const enum ekb_tls_version versions[] = {EKB_TLS_1_2, EKB_TLS_1_3};
    for (size_t i = 0; i < 2; i++) {
        struct tls_link link;
        const struct meeting meeting = {
            .client = {.signatures = "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"},
            .version = versions[i]};

        meet(&link, &meeting);

        expect_ready(&link, ekb_tls_version_name(versions[i]));
        const char *name = ekb_endpoint_signature_name(link.client);
        cr_expect_str_eq(name, "ecdsa_secp256r1_sha256", "TLS %s: %s",
                         ekb_tls_version_name(versions[i]), name);
        cr_expect_str_eq(ekb_endpoint_signature_name(link.server), "", "the client has no key");
        tls_link_deinit(&link);
    }
}

Test(negotiation, is_refused_at_creation_when_a_list_is_bad)
{
    static const struct ekb_tls_preferences bad[] = {
        {.groups = "nonsense"}, {.ciphers = "nonsense"}, {.signatures = "nonsense"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ekb_tls_config *config = NULL;
        struct ekb_fail fail = {0};
        struct ekb_policy policy = ekb_policy_default();
        policy.verify = EKB_VERIFY_ONE_WAY;
        const struct ekb_tls_options options = {.role = EKB_ROLE_SERVER,
                                                .version = EKB_TLS_ANY,
                                                .identity = &identity,
                                                .preferences = bad[i],
                                                .policy = policy};

        const enum ekb_err err = ekb_tls_config_create(&config, &options, &fail);

        cr_expect_eq(err, EKB_USAGE, "%zu: %s", i, ekb_err_name(err));
        cr_expect_null(config);
        cr_expect(strstr(fail.detail, "nonsense") != NULL, "%s", fail.detail);
    }
}
