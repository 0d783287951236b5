#include "ekubench/lab/audit.h"

#include "ekubench/base/units.h"
#include "support/fixtures.h"
#include "support/forge.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/evp.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define SERVER ((unsigned)EKB_EKU_SERVER_AUTH)
#define CLIENT ((unsigned)EKB_EKU_CLIENT_AUTH)
#define BOTH (SERVER | CLIENT)
#define AS_SERVER ((unsigned)EKB_AUDIT_SERVER)
#define AS_CLIENT ((unsigned)EKB_AUDIT_CLIENT)
#define AS_BOTH (AS_SERVER | AS_CLIENT)
#define OF(kind) (1U << (kind))

TestSuite(audit, .timeout = 30);

static int64_t day(const char *text)
{
    int64_t at = 0;
    cr_assert_eq(ekb_units_parse_time(&at, text), EKB_OK, "%s", text);
    return at;
}

// options_of returns the options of an audit of X15.5 with the mode on, in 2026.
static struct ekb_audit_options options_of(void)
{
    return (struct ekb_audit_options){
        .release = EKB_RELEASE_X15_5, .mode = EKB_EKU_ON, .at = day("2026-01-15")};
}

// judge judges certificate 0 of `chain`, found in a file and used as `roles` say.
static struct ekb_audit_item judge(const struct ekb_chain *chain, unsigned roles,
                                   const struct ekb_audit_options *options)
{
    struct ekb_audit_item item = {.source = "x", .place = EKB_AUDIT_FILE, .roles = roles};
    cr_assert_eq(ekb_audit_judge(&item, options, chain, 0), EKB_OK);
    return item;
}

static struct fixture_pki pki_of(unsigned eku, unsigned ca_eku, size_t depth)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = depth, .eku = eku, .ca_eku = ca_eku};
    struct fixture_pki pki = {.depth = 0};
    fixture_pki_init(&pki, &spec);
    return pki;
}

// Links.

// What the tables of docs/domain.md sections 8 and 10 say, by hand: what is verified of the
// initiator and of the responder, under X14.1, X14.2, X15.4, X15.5 with the mode on, and off. "S"
// and "C": usages; "+": chain and validity alone; "-": nothing.
#define NUM_COLUMNS 5
static const struct {
    const char *link;
    const char *initiator[NUM_COLUMNS];
    const char *responder[NUM_COLUMNS];
} said[] = {
    {"uc-zone", {"C", "C", "C", "C", "S"}, {"S", "S", "S", "S", "S"}},
    {"ssh-tunnel", {"C", "C", "C", "C", "C"}, {"-", "-", "-", "-", "-"}},
    {"neighbor", {"C", "C", "C", "C", "S"}, {"S", "S", "S", "S", "S"}},
    {"b2b", {"C", "C", "C", "C", "C"}, {"S", "S", "S", "S", "S"}},
    {"traffic-server", {"-", "-", "-", "-", "-"}, {"-", "S", "S", "S", "S"}},
    {"cluster", {"C", "C", "+", "+", "+"}, {"C", "C", "+", "+", "+"}},
    {"sip-service", {"SC", "SC", "S", "S", "S"}, {"-", "-", "-", "-", "-"}},
    {"browser", {"-", "-", "-", "-", "-"}, {"S", "S", "S", "S", "S"}},
};

static const struct {
    enum ekb_release release;
    int mode;
    bool one_store;
} columns[NUM_COLUMNS] = {
    {EKB_RELEASE_X14_1, 0, true},  {EKB_RELEASE_X14_2, 0, true},  {EKB_RELEASE_X15_4, 0, true},
    {EKB_RELEASE_X15_5, 0, false}, {EKB_RELEASE_X15_5, 1, false},
};

// verdict says what comes of that demand.
static enum ekb_audit_link verdict(const char *demand, bool server, bool client)
{
    if (strcmp(demand, "-") == 0) {
        return EKB_AUDIT_NO_PART;
    }
    const bool good =
        (strchr(demand, 'S') == NULL || server) && (strchr(demand, 'C') == NULL || client);
    return good ? EKB_AUDIT_WORKS : EKB_AUDIT_BREAKS;
}

// expected_link is the oracle: what the certificate is good for on `said[row]` in column `column`.
static enum ekb_audit_link expected_link(size_t row, size_t column, unsigned roles, bool server,
                                         bool client)
{
    // Of C's check of E's signature the server's certificate is looked at.
    const bool is_signature = strcmp(said[row].link, "sip-service") == 0;
    const bool one_store = columns[column].one_store;
    const bool as_server = (roles & AS_SERVER) != 0;
    const bool as_client = (roles & AS_CLIENT) != 0 || (one_store && as_server);
    enum ekb_audit_link found = EKB_AUDIT_NO_PART;
    if (is_signature ? as_server : as_client) {
        found = verdict(said[row].initiator[column], server, client);
    }
    if (as_server && !is_signature) {
        const enum ekb_audit_link other = verdict(said[row].responder[column], server, client);
        found = other > found ? other : found;
    }
    return one_store && !as_server && found != EKB_AUDIT_NO_PART ? EKB_AUDIT_UNUSED : found;
}

// expect_cells compares all cells of one certificate in one role.
static void expect_cells(const char *name, const struct ekb_audit_item *item, unsigned roles,
                         bool server, bool client)
{
    for (size_t row = 0; row < COUNT(said); row++) {
        enum ekb_link link = EKB_LINK_NUM;
        cr_assert_eq(ekb_link_parse(&link, said[row].link), EKB_OK);
        for (size_t column = 0; column < NUM_COLUMNS; column++) {
            const enum ekb_audit_link wanted = expected_link(row, column, roles, server, client);
            const enum ekb_audit_link got =
                item->links[columns[column].release][columns[column].mode][link];
            cr_expect_eq(got, wanted, "%s as %u, %s, column %zu: %s, not %s", name, roles,
                         said[row].link, column, ekb_audit_link_name(got),
                         ekb_audit_link_name(wanted));
        }
    }
}

static const struct leaf {
    const char *name;
    unsigned eku;
    bool server; // Good for that,
    bool client;
} leafs[] = {
    {"server", SERVER, true, false},
    {"client", CLIENT, false, true},
    {"both", BOTH, true, true},
    {"absent", EKB_EKU_ABSENT, true, true},
    {"none of these", EKB_EKU_CODE_SIGNING, false, false},
    {"any alone", EKB_EKU_ANY, false, false},
    {"any and client", EKB_EKU_ANY | CLIENT, false, true},
};

Test(audit, judges_links_by_release_mode_and_role)
{
    const struct ekb_audit_options options = options_of();
    for (size_t i = 0; i < COUNT(leafs); i++) {
        struct fixture_pki pki = pki_of(leafs[i].eku, EKB_EKU_ABSENT, 1);
        for (unsigned roles = 1; roles <= AS_BOTH; roles++) {
            const struct ekb_audit_item item = judge(pki.chain, roles, &options);

            expect_cells(leafs[i].name, &item, roles, leafs[i].server, leafs[i].client);
        }
        fixture_pki_deinit(&pki);
    }
}

// Without a role it is judged by what it is good for, and breaks nothing.
Test(audit, judges_by_usages_when_nobody_knows_the_role)
{
    const struct ekb_audit_options options = options_of();
    for (size_t i = 0; i < COUNT(leafs); i++) {
        struct fixture_pki pki = pki_of(leafs[i].eku, EKB_EKU_ABSENT, 1);
        const unsigned roles =
            (leafs[i].server ? AS_SERVER : 0U) | (leafs[i].client ? AS_CLIENT : 0U);

        const struct ekb_audit_item item = judge(pki.chain, 0, &options);

        expect_cells(leafs[i].name, &item, roles, leafs[i].server, leafs[i].client);
        cr_expect_not(item.breaks, "%s", leafs[i].name);
        fixture_pki_deinit(&pki);
    }
}

// expect_all_breaks expects that the certificate is good for nothing in which it has a part.
static void expect_all_breaks(const char *name, const struct ekb_audit_item *item)
{
    size_t num = 0;
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        const enum ekb_audit_link found = item->links[EKB_RELEASE_X15_5][0][link];
        cr_expect_neq(found, EKB_AUDIT_WORKS, "%s: %s", name,
                      ekb_link_row((enum ekb_link)link)->name);
        num += found == EKB_AUDIT_BREAKS ? 1 : 0;
    }
    cr_expect_eq(num, (size_t)EKB_LINK_NUM, "%s: %zu links break", name, num);
    cr_expect(item->breaks, "%s", name);
}

Test(audit, breaks_every_link_when_it_is_not_valid_or_may_not_sign)
{
    struct ekb_audit_options options = options_of();
    struct fixture_pki pki = pki_of(BOTH, EKB_EKU_ABSENT, 1);
    static const struct forgery forgery = {.subject = "mute",
                                           .issuer = "mute",
                                           .key_usage = "keyEncipherment",
                                           .eku = "serverAuth,clientAuth"};
    EVP_PKEY *key = forge_key();
    struct ekb_chain *mute = forge(&forgery, key, key);
    struct ekb_audit_item item = judge(mute, AS_BOTH, &options);
    expect_all_breaks("no digitalSignature", &item);

    options.at = FIXTURE_NOT_AFTER + 1;
    item = judge(pki.chain, AS_BOTH, &options);
    expect_all_breaks("over", &item);
    cr_expect_eq(item.days_left, -1);

    options.at = FIXTURE_NOT_BEFORE - 1;
    item = judge(pki.chain, AS_BOTH, &options);
    expect_all_breaks("not valid yet", &item);

    ekb_chain_destroy(mute);
    EVP_PKEY_free(key);
    fixture_pki_deinit(&pki);
}

Test(audit, leaves_out_links_in_which_the_node_has_no_part)
{
    static const struct {
        enum ekb_node_kind kind;
        unsigned roles;
        const char *links;
    } cases[] = {
        {EKB_NODE_CORE, AS_CLIENT, "uc-zone ssh-tunnel neighbor cluster "},
        {EKB_NODE_CORE, AS_SERVER, "neighbor cluster browser "},
        {EKB_NODE_EDGE, AS_CLIENT, "neighbor b2b cluster "},
        {EKB_NODE_EDGE, AS_SERVER, "uc-zone neighbor cluster sip-service browser "},
        {EKB_NODE_FAR, AS_SERVER, "neighbor b2b traffic-server browser "},
    };
    struct fixture_pki pki = pki_of(BOTH, EKB_EKU_ABSENT, 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_audit_options options = options_of();
        char links[256] = "";
        options.nodes = OF(cases[i].kind);

        const struct ekb_audit_item item = judge(pki.chain, cases[i].roles, &options);

        for (int link = 0; link < EKB_LINK_NUM; link++) {
            if (item.links[EKB_RELEASE_X15_5][0][link] != EKB_AUDIT_NO_PART) {
                const size_t len = strlen(links);
                (void)snprintf(links + len, sizeof links - len, "%s ",
                               ekb_link_row((enum ekb_link)link)->name);
            }
        }
        cr_expect_str_eq(links, cases[i].links, "%s as %u", ekb_node_kind_name(cases[i].kind),
                         cases[i].roles);
    }
    fixture_pki_deinit(&pki);
}

// A store is a node's, and a far end's certificate is none; of a server nobody knows.
Test(audit, takes_a_server_for_a_node_only_when_told)
{
    struct ekb_audit_options options = options_of();
    struct fixture_pki pki = pki_of(SERVER, EKB_EKU_ABSENT, 1);
    struct ekb_audit_item item = {.source = "x", .place = EKB_AUDIT_LIVE, .roles = AS_SERVER};
    options.release = EKB_RELEASE_X15_4;

    cr_assert_eq(ekb_audit_judge(&item, &options, pki.chain, 0), EKB_OK);
    cr_expect_not(item.breaks);
    cr_expect_eq(item.mtls, EKB_MTLS_PERHAPS);
    cr_expect_not(item.gates[EKB_STORE_SERVER].asked);

    options.nodes = OF(EKB_NODE_CORE);
    cr_assert_eq(ekb_audit_judge(&item, &options, pki.chain, 0), EKB_OK);
    cr_expect(item.breaks);
    cr_expect_eq(item.mtls, EKB_MTLS_YES);
    cr_expect(item.gates[EKB_STORE_SERVER].asked);

    options.nodes = OF(EKB_NODE_FAR);
    item.place = EKB_AUDIT_FILE;
    cr_assert_eq(ekb_audit_judge(&item, &options, pki.chain, 0), EKB_OK);
    cr_expect_not(item.breaks);
    cr_expect_eq(item.mtls, EKB_MTLS_NO);
    cr_expect_not(item.gates[EKB_STORE_SERVER].asked);

    options.nodes = 0;
    item.place = EKB_AUDIT_STORE;
    cr_assert_eq(ekb_audit_judge(&item, &options, pki.chain, 0), EKB_OK);
    cr_expect(item.breaks);
    cr_expect_eq(item.links[EKB_RELEASE_X15_5][0][EKB_LINK_TRAFFIC], EKB_AUDIT_NO_PART);
    fixture_pki_deinit(&pki);
}

// Intermediates.

Test(audit, takes_the_usages_of_intermediates_into_account)
{
    static const struct {
        const char *name;
        unsigned eku;
        unsigned ca_eku;
        unsigned good_for;
    } cases[] = {
        {"both under absent", BOTH, EKB_EKU_ABSENT, BOTH},
        {"both under both", BOTH, BOTH, BOTH},
        {"both under server", BOTH, SERVER, SERVER},
        {"both under client", BOTH, CLIENT, CLIENT},
        {"absent under server", EKB_EKU_ABSENT, SERVER, SERVER},
        {"server under client", SERVER, CLIENT, 0},
        {"both under any alone", BOTH, EKB_EKU_ANY, 0},
        {"both under others", BOTH, EKB_EKU_CODE_SIGNING, 0},
    };
    const struct ekb_audit_options options = options_of();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_pki pki = pki_of(cases[i].eku, cases[i].ca_eku, 3);

        const struct ekb_audit_item item = judge(pki.chain, AS_BOTH, &options);

        cr_expect_eq(item.good_for, cases[i].good_for, "%s: %u", cases[i].name, item.good_for);
        expect_cells(cases[i].name, &item, AS_BOTH, (cases[i].good_for & SERVER) != 0,
                     (cases[i].good_for & CLIENT) != 0);
        fixture_pki_deinit(&pki);
    }
}

// Certificates taken from a list of trusted ones are not checked for usage, and what stands above
// them is not looked at.
Test(audit, does_not_look_at_the_usages_of_trusted_certificates)
{
    struct ekb_audit_options options = options_of();
    struct fixture_pki pki = pki_of(BOTH, SERVER, 2);
    struct ekb_chain *whole = ekb_chain_create();
    options.private_roots = fixture_pki_root(&pki);
    cr_expect_eq(judge(pki.chain, AS_BOTH, &options).good_for, SERVER);

    options.private_roots = ekb_ca_certificate(pki.cas[1]);
    cr_expect_eq(judge(pki.chain, AS_BOTH, &options).good_for, BOTH);
    cr_expect_eq(judge(pki.chain, AS_BOTH, &options).pki, EKB_AUDIT_PRIVATE);

    // A root that is in the file is none that is checked, either.
    options.private_roots = NULL;
    cr_assert_eq(ekb_chain_append(whole, pki.chain, 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(whole, fixture_pki_root(&pki), 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(whole, pki.chain, 1), EKB_OK);
    cr_expect_eq(judge(whole, AS_BOTH, &options).good_for, SERVER);
    cr_expect_eq(judge(whole, AS_BOTH, &options).pki, EKB_AUDIT_PRIVATE);
    ekb_chain_destroy(whole);
    fixture_pki_deinit(&pki);
}

Test(audit, is_not_valid_under_an_intermediate_that_is_over)
{
    const struct ekb_audit_options options = options_of();
    const struct ekb_mint_ca root_spec = {.common_name = "root",
                                          .key_type = EKB_KEY_P256,
                                          .not_before = FIXTURE_NOT_BEFORE,
                                          .not_after = FIXTURE_NOT_AFTER};
    struct ekb_mint_ca middle_spec = root_spec;
    const struct ekb_mint_leaf leaf_spec = {.common_name = "leaf",
                                            .key_type = EKB_KEY_P256,
                                            .eku = BOTH,
                                            .not_before = FIXTURE_NOT_BEFORE,
                                            .not_after = FIXTURE_NOT_AFTER};
    struct ekb_ca *root = NULL;
    struct ekb_ca *middle = NULL;
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    middle_spec.common_name = "middle";
    middle_spec.not_after = options.at - 1;
    cr_assert_eq(ekb_ca_create_root(&root, &root_spec, NULL), EKB_OK);
    cr_assert_eq(ekb_ca_create_intermediate(&middle, root, &middle_spec, NULL), EKB_OK);
    cr_assert_eq(ekb_ca_issue(&chain, &key, middle, &leaf_spec, NULL), EKB_OK);

    const struct ekb_audit_item item = judge(chain, AS_BOTH, &options);

    cr_expect_not(item.is_valid);
    cr_expect_gt(item.days_left, 0);
    expect_all_breaks("under one that is over", &item);
    cr_expect_eq(item.faults, (unsigned)(EKB_FAULT_INTERMEDIATE | EKB_FAULT_GATE));
    cr_expect_eq(item.gates[EKB_STORE_SERVER].refusal.err, EKB_REFUSED_EXPIRED);
    ekb_key_destroy(key);
    ekb_chain_destroy(chain);
    ekb_ca_destroy(middle);
    ekb_ca_destroy(root);
}

// Whose it is.

Test(audit, says_who_has_issued_it)
{
    struct fixture_pki pki = pki_of(BOTH, EKB_EKU_ABSENT, 2);
    static const struct forgery own_leaf = {.subject = "own", .issuer = "own", .eku = "serverAuth"};
    static const struct forgery own_ca = {
        .subject = "own", .issuer = "own", .basic_constraints = "critical,CA:TRUE"};
    EVP_PKEY *key = forge_key();
    struct ekb_chain *leaf = forge(&own_leaf, key, key);
    struct ekb_chain *ca = forge(&own_ca, key, key);
    struct ekb_audit_options options = options_of();

    cr_expect_eq(judge(pki.chain, 0, &options).pki, EKB_AUDIT_UNKNOWN);
    cr_expect_str_empty(judge(pki.chain, 0, &options).root);
    options.private_roots = fixture_pki_root(&pki);
    cr_expect_eq(judge(pki.chain, 0, &options).pki, EKB_AUDIT_PRIVATE);
    cr_expect_str_not_empty(judge(pki.chain, 0, &options).root);
    options.public_roots = options.private_roots;
    cr_expect_eq(judge(pki.chain, 0, &options).pki, EKB_AUDIT_PUBLIC);
    cr_expect_eq(judge(leaf, 0, &options).pki, EKB_AUDIT_SELF_SIGNED);
    cr_expect_eq(judge(ca, 0, &options).pki, EKB_AUDIT_PRIVATE);
    cr_expect_eq(judge(ca, 0, &options).advice, EKB_ADVICE_CA);
    ekb_chain_destroy(ca);
    ekb_chain_destroy(leaf);
    EVP_PKEY_free(key);
    fixture_pki_deinit(&pki);
}

// Advice.

Test(audit, advises_by_the_decision_tree)
{
    static const struct {
        const char *name;
        unsigned eku;
        unsigned roles;
        bool is_public; // Else private.
        bool is_known;
        enum ekb_release release;
        const char *at;
        enum ekb_audit_advice advice;
    } cases[] = {
        {"private", BOTH, AS_CLIENT, false, true, EKB_RELEASE_X15_5, "2026-01-15",
         EKB_ADVICE_NOT_AFFECTED},
        {"public, a server's", BOTH, AS_SERVER, true, true, EKB_RELEASE_X15_5, "2026-01-15",
         EKB_ADVICE_KEEP},
        {"public, a client's", SERVER, AS_CLIENT, true, true, EKB_RELEASE_X15_5, "2026-01-15",
         EKB_ADVICE_ACT},
        {"public, a server's of one store", BOTH, AS_SERVER, true, true, EKB_RELEASE_X15_4,
         "2026-01-15", EKB_ADVICE_ACT},
        {"public, a client's of one store", BOTH, AS_CLIENT, true, true, EKB_RELEASE_X15_4,
         "2026-01-15", EKB_ADVICE_UNUSED},
        {"public, of no known role, both", BOTH, 0, true, true, EKB_RELEASE_X15_5, "2026-01-15",
         EKB_ADVICE_FIND_ROLE},
        {"public, of no known role, server", SERVER, 0, true, true, EKB_RELEASE_X15_5, "2026-01-15",
         EKB_ADVICE_KEEP},
        {"the same, of one store", SERVER, 0, true, true, EKB_RELEASE_X15_4, "2026-01-15",
         EKB_ADVICE_FIND_ROLE},
        {"unknown", BOTH, AS_CLIENT, false, false, EKB_RELEASE_X15_5, "2026-01-15",
         EKB_ADVICE_FIND_CA},
        {"a client's of one store, of no known role", CLIENT, 0, true, true, EKB_RELEASE_X15_4,
         "2026-01-15", EKB_ADVICE_UNUSED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_pki pki = pki_of(cases[i].eku, EKB_EKU_ABSENT, 1);
        struct ekb_audit_options options = options_of();
        char text[EKB_AUDIT_TEXT_LEN];
        const struct ekb_chain **roots =
            cases[i].is_public ? &options.public_roots : &options.private_roots;
        options.release = cases[i].release;
        options.at = day(cases[i].at);
        *roots = cases[i].is_known ? fixture_pki_root(&pki) : NULL;

        const struct ekb_audit_item item = judge(pki.chain, cases[i].roles, &options);

        cr_expect_eq(item.advice, cases[i].advice, "%s: %s", cases[i].name,
                     ekb_audit_advice_text(text, &item));
        cr_expect_eq(item.steps != 0, cases[i].advice == EKB_ADVICE_ACT, "%s", cases[i].name);
        fixture_pki_deinit(&pki);
    }
}

// A private CA is for the core node: the far ends of the edge do not know it.
Test(audit, offers_a_private_ca_to_a_core_node_only)
{
    static const struct {
        unsigned nodes;
        const char *text;
    } cases[] = {
        {0, "act: another root with both usages (A), renew in time (B), or a private CA for a core "
            "node (C)"},
        {OF(EKB_NODE_CORE), "act: another root with both usages (A), renew in time (B), or a "
                            "private CA for a core node (C)"},
        {OF(EKB_NODE_EDGE), "act: another root with both usages (A), or renew in time (B)"},
    };
    struct fixture_pki pki = pki_of(BOTH, EKB_EKU_ABSENT, 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_audit_options options = options_of();
        char text[EKB_AUDIT_TEXT_LEN];
        options.public_roots = fixture_pki_root(&pki);
        options.nodes = cases[i].nodes;

        const struct ekb_audit_item item = judge(pki.chain, AS_CLIENT, &options);

        cr_expect_str_eq(ekb_audit_advice_text(text, &item), cases[i].text);
        cr_expect_eq((item.steps & EKB_STEP_PRIVATE) != 0, cases[i].nodes != OF(EKB_NODE_EDGE));
    }
    fixture_pki_deinit(&pki);
}

// What is offered is what is left of it at that time, and under that release.
Test(audit, offers_what_still_helps)
{
    static const struct {
        const char *name;
        unsigned eku;
        enum ekb_release release;
        unsigned nodes;
        const char *at;
        const char *text;
    } cases[] = {
        {"both, before the deadline, one store", BOTH, EKB_RELEASE_X14_2, OF(EKB_NODE_EDGE),
         "2026-04-30", "act: another root with both usages (A), renew in time (B), or upgrade (D)"},
        {"both, after it", BOTH, EKB_RELEASE_X15_4, OF(EKB_NODE_EDGE), "2026-05-01",
         "act: another root with both usages (A), stop its automatic renewal (B), or upgrade (D)"},
        {"server, before it", SERVER, EKB_RELEASE_X15_5, OF(EKB_NODE_EDGE), "2026-04-30",
         "replace it: it has not the usages that neighbor, b2b ask for (clientAuth); act: another "
         "root with both usages (A), or renew in time (B); now: a certificate with clientAuth in "
         "the client store, or the server's copied with --also-as-client where the other end does "
         "not ask for clientAuth"},
        {"server, after it", SERVER, EKB_RELEASE_X15_5, OF(EKB_NODE_EDGE), "2026-05-01",
         "replace it: it has not the usages that neighbor, b2b ask for (clientAuth); act: a "
         "certificate with clientAuth in the client store, or the server's copied with "
         "--also-as-client where the other end does not ask for clientAuth"},
        {"server, after it, one store", SERVER, EKB_RELEASE_X15_4, OF(EKB_NODE_EDGE), "2026-05-01",
         "replace it: it has not the usages that neighbor, b2b ask for (clientAuth); act: upgrade "
         "(D)"},
        {"server, after it, somebody else's", SERVER, EKB_RELEASE_X15_5, OF(EKB_NODE_FAR),
         "2026-05-01", "replace it: it has not the usages that neighbor ask for (clientAuth)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_pki pki = pki_of(cases[i].eku, EKB_EKU_ABSENT, 1);
        struct ekb_audit_options options = options_of();
        char text[EKB_AUDIT_TEXT_LEN];
        options.public_roots = fixture_pki_root(&pki);
        options.nodes = cases[i].nodes;
        options.release = cases[i].release;
        options.at = day(cases[i].at);

        const struct ekb_audit_item item = judge(
            pki.chain, cases[i].release == EKB_RELEASE_X15_5 ? AS_CLIENT : AS_SERVER, &options);

        cr_expect_str_eq(ekb_audit_advice_text(text, &item), cases[i].text, "%s: %s", cases[i].name,
                         text);
        fixture_pki_deinit(&pki);
    }
}

// The classic profile of Let's Encrypt has a deadline of its own.
Test(audit, renews_until_the_deadline_of_its_ca)
{
    static const struct {
        const char *issuer;
        const char *at;
        unsigned steps;
    } cases[] = {
        {"Let's Encrypt", "2026-02-10", EKB_STEP_ROOT | EKB_STEP_RENEW},
        {"Let's Encrypt", "2026-02-11", EKB_STEP_ROOT | EKB_STEP_RENEW | EKB_STEP_STOP},
        {"Big CA", "2026-02-11", EKB_STEP_ROOT | EKB_STEP_RENEW},
        {"Big CA", "2026-05-01", EKB_STEP_ROOT | EKB_STEP_RENEW | EKB_STEP_STOP},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_audit_options options = options_of();
        const struct forgery root = {.subject = cases[i].issuer,
                                     .issuer = cases[i].issuer,
                                     .basic_constraints = "critical,CA:TRUE",
                                     .key_usage = "keyCertSign"};
        const struct forgery leaf = {
            .subject = "leaf", .issuer = cases[i].issuer, .eku = "serverAuth,clientAuth"};
        EVP_PKEY *key = forge_key();
        EVP_PKEY *root_key = forge_key();
        struct ekb_chain *roots = forge(&root, root_key, root_key);
        struct ekb_chain *chain = forge(&leaf, key, root_key);
        options.public_roots = roots;
        options.nodes = OF(EKB_NODE_EDGE);
        options.at = day(cases[i].at);

        const struct ekb_audit_item item = judge(chain, AS_CLIENT, &options);

        cr_expect_eq(item.steps, cases[i].steps, "%s at %s: %#x", cases[i].issuer, cases[i].at,
                     item.steps);
        ekb_chain_destroy(chain);
        ekb_chain_destroy(roots);
        EVP_PKEY_free(root_key);
        EVP_PKEY_free(key);
    }
}

// Faults.

Test(audit, says_what_is_wrong_before_it_advises)
{
    static const struct {
        const char *name;
        struct forgery forgery; // Issued by "root", or by itself if that is its subject.
        const char *at;
        unsigned roles;
        unsigned faults;
        const char *reason; // Of the gravest.
        const char *advice; // How it begins.
    } cases[] = {
        {"nothing",
         {.subject = "leaf", .issuer = "root", .eku = "serverAuth"},
         "2026-01-15",
         AS_SERVER,
         0,
         "",
         "not affected"},
        {"over",
         {.subject = "leaf", .issuer = "root", .eku = "serverAuth", .not_after = 1767225600},
         "2026-01-02",
         AS_SERVER,
         EKB_FAULT_EXPIRED | EKB_FAULT_GATE,
         "not valid after 2026-01-01T00:00:00Z",
         "renew: it has expired"},
        {"not yet",
         {.subject = "leaf", .issuer = "root", .eku = "serverAuth", .not_before = 1767225600},
         "2025-12-31",
         AS_SERVER,
         EKB_FAULT_NOT_YET,
         "not valid before 2026-01-01T00:00:00Z",
         "wait, or replace it: it is not valid before 2026-01-01T00:00:00Z"},
        {"not yet, of no known role",
         {.subject = "leaf", .issuer = "root", .eku = "serverAuth", .not_before = 1767225600},
         "2025-12-31",
         0,
         EKB_FAULT_NOT_YET,
         "not valid before 2026-01-01T00:00:00Z",
         "wait, or"},
        {"self-signed",
         {.subject = "own", .issuer = "own", .eku = "serverAuth"},
         "2026-01-15",
         AS_SERVER,
         EKB_FAULT_SELF_SIGNED,
         "self-signed: nobody can trust it",
         "replace it by one that a CA has issued: nobody can trust it"},
        {"a key that may not sign",
         {.subject = "leaf", .issuer = "root", .eku = "serverAuth", .key_usage = "keyEncipherment"},
         "2026-01-15",
         AS_SERVER,
         EKB_FAULT_KEY_USAGE | EKB_FAULT_GATE,
         "its key usage lacks digitalSignature",
         "replace it: its key usage lacks digitalSignature"},
        {"any alone, of no known role",
         {.subject = "leaf", .issuer = "root", .eku = "anyExtendedKeyUsage"},
         "2026-01-15",
         0,
         EKB_FAULT_NO_USAGE,
         "good for neither serverAuth nor clientAuth (anyExtendedKeyUsage alone stands for "
         "neither)",
         "replace it: it is good for neither serverAuth nor clientAuth"},
        {"others, of no known role",
         {.subject = "leaf", .issuer = "root", .eku = "codeSigning"},
         "2026-01-15",
         0,
         EKB_FAULT_NO_USAGE,
         "good for neither serverAuth nor clientAuth",
         "replace it: it is good for neither serverAuth nor clientAuth"},
        {"a server's as a client",
         {.subject = "leaf", .issuer = "root", .eku = "serverAuth"},
         "2026-01-15",
         AS_CLIENT,
         EKB_FAULT_USAGES | EKB_FAULT_GATE,
         "not good for clientAuth",
         "replace it: it has not the usages that uc-zone, ssh-tunnel, neighbor, b2b ask for "
         "(clientAuth)"},
        {"none at all",
         {.subject = "leaf", .issuer = "root"},
         "2026-01-15",
         AS_SERVER,
         EKB_FAULT_GATE,
         "refused by the gate",
         "replace it: the gate of the server store refuses it"},
        {"none at all, of no known role",
         {.subject = "leaf", .issuer = "root"},
         "2026-01-15",
         0,
         EKB_FAULT_GATE,
         "refused by the gate",
         "if a node is to have it, replace it: the gate of the server store refuses it"},
    };
    static const struct forgery root = {.subject = "root",
                                        .issuer = "root",
                                        .basic_constraints = "critical,CA:TRUE",
                                        .key_usage = "keyCertSign"};
    EVP_PKEY *key = forge_key();
    EVP_PKEY *root_key = forge_key();
    struct ekb_chain *roots = forge(&root, root_key, root_key);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct forgery *forgery = &cases[i].forgery;
        const bool is_own = strcmp(forgery->subject, forgery->issuer) == 0;
        struct ekb_chain *chain = forge(forgery, key, is_own ? key : root_key);
        struct ekb_audit_options options = options_of();
        char text[EKB_AUDIT_TEXT_LEN] = "";
        options.private_roots = roots;
        options.at = day(cases[i].at);

        const struct ekb_audit_item item = judge(chain, cases[i].roles, &options);

        cr_expect_eq(item.faults, cases[i].faults, "%s: %#x", cases[i].name, item.faults);
        cr_expect_eq(item.to_act, cases[i].faults != 0, "%s", cases[i].name);
        if (item.faults != 0) {
            (void)ekb_audit_reason_text(text, &item, item.faults & (~item.faults + 1));
        }
        cr_expect_str_eq(text, cases[i].reason, "%s: %s", cases[i].name, text);
        (void)ekb_audit_advice_text(text, &item);
        cr_expect_eq(strncmp(text, cases[i].advice, strlen(cases[i].advice)), 0, "%s: %s",
                     cases[i].name, text);
        ekb_chain_destroy(chain);
    }
    ekb_chain_destroy(roots);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(key);
}

// The upgrade copies a server's certificate that is alone into the client store; it breaks nothing
// before that.
Test(audit, says_what_the_upgrade_does_with_one_that_is_alone)
{
    static const struct {
        const char *name;
        unsigned eku;
        unsigned nodes;
        enum ekb_release release;
        enum ekb_eku_mode mode;
        const char *text;
        const char *advice;
    } cases[] = {
        {"server, edge", SERVER, OF(EKB_NODE_EDGE), EKB_RELEASE_X15_5, EKB_EKU_ON,
         "this one is copied into the client store, and then breaks neighbor, b2b",
         "put another one into the client store: a copy of this one breaks neighbor, b2b; act: "
         "another root with both usages (A), or renew in time (B)"},
        {"server, edge, off", SERVER, OF(EKB_NODE_EDGE), EKB_RELEASE_X15_5, EKB_EKU_OFF,
         "this one is copied into the client store, and then breaks b2b",
         "put another one into the client store: a copy of this one breaks b2b; act: another root "
         "with both usages (A), or renew in time (B)"},
        {"server, core", SERVER, OF(EKB_NODE_CORE), EKB_RELEASE_X15_5, EKB_EKU_ON,
         "this one is copied into the client store, and then breaks uc-zone, ssh-tunnel, neighbor",
         "put another one into the client store: a copy of this one breaks uc-zone, ssh-tunnel, "
         "neighbor; act: another root with both usages (A), renew in time (B), or a private CA for "
         "a core node (C)"},
        {"server, of one store", SERVER, OF(EKB_NODE_EDGE), EKB_RELEASE_X15_4, EKB_EKU_ON,
         "this one is copied into the client store, and then breaks neighbor, b2b",
         "replace it: it has not the usages that neighbor, b2b ask for (clientAuth); act: another "
         "root with both usages (A), renew in time (B), or upgrade (D)"},
        {"both", BOTH, OF(EKB_NODE_EDGE), EKB_RELEASE_X15_5, EKB_EKU_ON,
         "this one is copied into the client store, and then breaks nothing",
         "act: another root with both usages (A), or renew in time (B)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_pki pki = pki_of(cases[i].eku, EKB_EKU_ABSENT, 1);
        struct ekb_audit_item item = {
            .source = "x", .place = EKB_AUDIT_STORE, .roles = AS_SERVER, .is_alone = true};
        struct ekb_audit_options options = options_of();
        char text[EKB_AUDIT_TEXT_LEN];
        options.public_roots = fixture_pki_root(&pki);
        options.nodes = cases[i].nodes;
        options.release = cases[i].release;
        options.mode = cases[i].mode;

        cr_assert_eq(ekb_audit_judge(&item, &options, pki.chain, 0), EKB_OK);

        cr_expect_str_eq(ekb_audit_upgrade_text(text, &item), cases[i].text, "%s: %s",
                         cases[i].name, text);
        cr_expect_str_eq(ekb_audit_advice_text(text, &item), cases[i].advice, "%s: %s",
                         cases[i].name, text);
        cr_expect_eq(item.breaks, cases[i].release == EKB_RELEASE_X15_4, "%s", cases[i].name);
        cr_expect_neq(item.mtls, EKB_MTLS_NO, "%s", cases[i].name);
        fixture_pki_deinit(&pki);
    }
}

// What breaks is to be acted on, whatever else is said of it.
Test(audit, has_something_to_do_where_something_breaks)
{
    for (size_t i = 0; i < COUNT(leafs); i++) {
        struct fixture_pki pki = pki_of(leafs[i].eku, EKB_EKU_ABSENT, 1);
        for (unsigned all = 0; all < COUNT(columns) * AS_BOTH * 2; all++) {
            struct ekb_audit_options options = options_of();
            char text[EKB_AUDIT_TEXT_LEN];
            options.release = columns[all % COUNT(columns)].release;
            options.mode = columns[all % COUNT(columns)].mode == 1 ? EKB_EKU_OFF : EKB_EKU_ON;
            options.private_roots = fixture_pki_root(&pki);
            options.at = all % 2 == 0 ? options.at : day("2026-06-15");
            if (all >= COUNT(columns) * AS_BOTH) {
                options.public_roots = options.private_roots;
            }

            const struct ekb_audit_item item =
                judge(pki.chain, all / COUNT(columns) % AS_BOTH + 1, &options);

            (void)ekb_audit_advice_text(text, &item);
            cr_expect(item.to_act || !item.breaks, "%s, %u: %s", leafs[i].name, all, text);
            cr_expect(!item.to_act ||
                          (strcmp(text, "not affected") != 0 && strncmp(text, "keep", 4) != 0),
                      "%s, %u: %s", leafs[i].name, all, text);
        }
        fixture_pki_deinit(&pki);
    }
}

// No list of trusted CAs lets it in: whoever verifies a chain rejects it, and only they do.
Test(audit, breaks_every_link_that_verifies_a_chain_when_it_is_self_signed)
{
    static const struct forgery own = {
        .subject = "own", .issuer = "own", .eku = "serverAuth,clientAuth"};
    struct ekb_audit_options options = options_of();
    EVP_PKEY *key = forge_key();
    struct ekb_chain *chain = forge(&own, key, key);

    struct ekb_audit_item item = judge(chain, AS_BOTH, &options);
    expect_all_breaks("self-signed", &item);
    cr_expect_eq(item.lacking, 0u);

    item = judge(chain, AS_SERVER, &options);
    cr_expect_eq(item.links[EKB_RELEASE_X15_5][0][EKB_LINK_SSH_TUNNEL], EKB_AUDIT_NO_PART);
    item = judge(chain, 0, &options);
    cr_expect_not(item.breaks);
    cr_expect_eq(item.links[EKB_RELEASE_X15_5][0][EKB_LINK_BROWSER], EKB_AUDIT_BREAKS);

    // Where it is not used there is nothing to do, but under other releases it breaks.
    options.release = EKB_RELEASE_X15_4;
    item = judge(chain, AS_CLIENT, &options);
    cr_expect_eq(item.links[EKB_RELEASE_X15_5][0][EKB_LINK_NEIGHBOR], EKB_AUDIT_BREAKS);
    cr_expect_eq(item.faults, 0u);
    cr_expect_not(item.to_act);
    ekb_chain_destroy(chain);
    EVP_PKEY_free(key);
}

Test(audit, breaks_for_browsers_when_chrome_distrusts_it)
{
    static const struct {
        const char *name;
        int64_t after_s; // After the date.
        unsigned eku;
        unsigned roles;
        bool is_public;
        bool breaks;
    } cases[] = {
        {"the second before", -1, BOTH, AS_SERVER, true, false},
        {"the first second", 0, BOTH, AS_SERVER, true, true},
        {"of no known role", 0, BOTH, 0, true, true},
        {"in both stores", 0, BOTH, AS_BOTH, true, true},
        {"a client's", 0, BOTH, AS_CLIENT, true, false},
        {"serverAuth alone", 0, SERVER, AS_SERVER, true, false},
        {"private", 0, BOTH, AS_SERVER, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_pki pki = pki_of(cases[i].eku, EKB_EKU_ABSENT, 1);
        struct ekb_audit_options options = options_of();
        char text[EKB_AUDIT_TEXT_LEN];
        const struct ekb_chain **roots =
            cases[i].is_public ? &options.public_roots : &options.private_roots;
        *roots = fixture_pki_root(&pki);
        options.at = ekb_audit_date_time(EKB_DATE_CHROME) + cases[i].after_s;

        const struct ekb_audit_item item = judge(pki.chain, cases[i].roles, &options);

        const enum ekb_audit_link *links = item.links[EKB_RELEASE_X15_5][0];
        cr_expect_eq(links[EKB_LINK_BROWSER] == EKB_AUDIT_BREAKS, cases[i].breaks, "%s",
                     cases[i].name);
        cr_expect_neq(links[EKB_LINK_NEIGHBOR], EKB_AUDIT_BREAKS, "%s", cases[i].name);
        cr_expect_eq(item.breaks, cases[i].breaks && cases[i].roles != 0, "%s", cases[i].name);
        cr_expect_eq(item.faults, cases[i].breaks ? (unsigned)EKB_FAULT_CHROME : 0u, "%s: %#x",
                     cases[i].name, item.faults);
        (void)ekb_audit_advice_text(text, &item);
        cr_expect_eq(strncmp(text, "for servers renew it with serverAuth alone: ", 44) == 0,
                     cases[i].breaks, "%s: %s", cases[i].name, text);
        fixture_pki_deinit(&pki);
    }
}

// Dates.

static unsigned dates_of(const char *issuer, const char *eku, const char *not_before,
                         const char *not_after)
{
    struct ekb_audit_options options = options_of();
    const struct forgery root = {.subject = issuer,
                                 .issuer = issuer,
                                 .basic_constraints = "critical,CA:TRUE",
                                 .key_usage = "keyCertSign"};
    const struct forgery leaf = {.subject = "leaf",
                                 .issuer = issuer,
                                 .eku = eku,
                                 .not_before = day(not_before),
                                 .not_after = day(not_after)};
    EVP_PKEY *key = forge_key();
    EVP_PKEY *root_key = forge_key();
    struct ekb_chain *roots = forge(&root, root_key, root_key);
    struct ekb_chain *chain = forge(&leaf, key, root_key);
    options.public_roots = roots;
    const struct ekb_audit_item item = judge(chain, AS_BOTH, &options);
    cr_expect_eq(item.pki, EKB_AUDIT_PUBLIC);
    ekb_chain_destroy(chain);
    ekb_chain_destroy(roots);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(key);
    return item.dates;
}

Test(audit, names_the_dates_that_change_something)
{
    static const struct {
        const char *issuer;
        const char *eku;
        const char *not_before;
        const char *not_after;
        unsigned dates;
    } cases[] = {
        {"Big CA", "serverAuth,clientAuth", "2026-01-01", "2026-06-16",
         OF(EKB_DATE_CLIENT_AUTH) | OF(EKB_DATE_CHROME)},
        {"Big CA", "serverAuth,clientAuth", "2025-11-01", "2026-06-14",
         OF(EKB_DATE_200_DAYS) | OF(EKB_DATE_CLIENT_AUTH)},
        {"Big CA", "serverAuth", "2025-11-01", "2026-12-01", OF(EKB_DATE_200_DAYS)},
        {"Big CA", "serverAuth", "2025-12-01", "2026-06-19", 0},
        {"Big CA", "clientAuth", "2026-01-01", "2026-06-16", OF(EKB_DATE_CLIENT_AUTH)},
        {"Big CA", "serverAuth,clientAuth", "2026-01-01", "2026-04-30", 0},
        {"Big CA", "serverAuth,clientAuth", "2026-01-01", "2026-05-01", OF(EKB_DATE_CLIENT_AUTH)},
        {"Big CA", "serverAuth,clientAuth", "2026-01-01", "2026-06-15",
         OF(EKB_DATE_CLIENT_AUTH) | OF(EKB_DATE_CHROME)},
        {"Let's Encrypt", "serverAuth,clientAuth", "2026-01-01", "2026-03-31",
         OF(EKB_DATE_LETS_ENCRYPT)},
        {"Let's Encrypt", "serverAuth", "2026-01-01", "2026-03-31", 0},
        {"Let's Encrypt", "serverAuth,clientAuth", "2025-11-12", "2026-02-10", 0},
        {"Big CA", "serverAuth,clientAuth", "2025-01-01", "2026-01-14", 0}, // Expired.
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const unsigned dates =
            dates_of(cases[i].issuer, cases[i].eku, cases[i].not_before, cases[i].not_after);

        cr_expect_eq(dates, cases[i].dates, "case %zu: %#x, not %#x", i, dates, cases[i].dates);
    }
}

Test(audit, says_of_a_private_certificate_no_dates)
{
    struct ekb_audit_options options = options_of();
    struct fixture_pki pki = pki_of(BOTH, EKB_EKU_ABSENT, 1);
    cr_expect_eq(judge(pki.chain, AS_BOTH, &options).dates, 0u);
    options.private_roots = fixture_pki_root(&pki);
    cr_expect_eq(judge(pki.chain, AS_BOTH, &options).dates, 0u);
    fixture_pki_deinit(&pki);
}

Test(audit, tells_a_date_that_has_come_from_one_that_will)
{
    static const char *const days[EKB_AUDIT_NUM_DATES] = {
        [EKB_DATE_LETS_ENCRYPT] = "2026-02-11",
        [EKB_DATE_200_DAYS] = "2026-03-15",
        [EKB_DATE_CLIENT_AUTH] = "2026-05-01",
        [EKB_DATE_CHROME] = "2026-06-15",
    };
    for (unsigned i = 0; i < EKB_AUDIT_NUM_DATES; i++) {
        const enum ekb_audit_date date = (enum ekb_audit_date)i;
        const int64_t at = day(days[i]);
        cr_expect_eq(ekb_audit_date_time(date), at, "%s", days[i]);
        cr_expect_eq(strncmp(ekb_audit_date_text(date, at - 1), "from ", 5), 0, "%s", days[i]);
        cr_expect_eq(strncmp(ekb_audit_date_text(date, at), "since ", 6), 0, "%s", days[i]);
        cr_expect_eq(strncmp(ekb_audit_date_text(date, at) + 6, days[i], 7), 0, "%s", days[i]);
    }
}

// The gate.

Test(audit, asks_the_gate_of_the_release)
{
    static const struct {
        const char *name;
        unsigned eku;
        unsigned roles;
        enum ekb_release release;
        unsigned nodes;
        enum ekb_err server; // EKB_ERR_COUNT: not asked.
        enum ekb_err client;
        bool switch_admits;
        bool copy_admits;
    } cases[] = {
        {"two stores", SERVER, AS_SERVER, EKB_RELEASE_X15_5, 0, EKB_OK, EKB_ERR_COUNT, false,
         false},
        {"the client's store", SERVER, AS_CLIENT, EKB_RELEASE_X15_5, 0, EKB_ERR_COUNT,
         EKB_REFUSED_USAGE, false, false},
        {"a copy", SERVER, AS_BOTH, EKB_RELEASE_X15_5, 0, EKB_OK, EKB_REFUSED_USAGE, false, true},
        {"absent is not present", EKB_EKU_ABSENT, AS_BOTH, EKB_RELEASE_X15_5, 0, EKB_REFUSED_USAGE,
         EKB_REFUSED_USAGE, false, false},
        {"one store", SERVER, AS_SERVER, EKB_RELEASE_X15_4, 0, EKB_REFUSED_USAGE, EKB_ERR_COUNT,
         true, false},
        {"one store, core", SERVER, AS_SERVER, EKB_RELEASE_X15_4, OF(EKB_NODE_CORE),
         EKB_REFUSED_USAGE, EKB_ERR_COUNT, false, false},
        {"one store, edge", SERVER, AS_SERVER, EKB_RELEASE_X15_4, OF(EKB_NODE_EDGE),
         EKB_REFUSED_USAGE, EKB_ERR_COUNT, true, false},
        {"no such switch", SERVER, AS_SERVER, EKB_RELEASE_X14_2, OF(EKB_NODE_EDGE),
         EKB_REFUSED_USAGE, EKB_ERR_COUNT, false, false},
        {"one store, both usages", BOTH, AS_SERVER, EKB_RELEASE_X14_1, 0, EKB_OK, EKB_ERR_COUNT,
         false, false},
        {"one store, a client's", CLIENT, AS_CLIENT, EKB_RELEASE_X14_1, 0, EKB_ERR_COUNT,
         EKB_ERR_COUNT, false, false},
        {"by usages", SERVER, 0, EKB_RELEASE_X15_5, 0, EKB_OK, EKB_ERR_COUNT, false, false},
        {"somebody else's", CLIENT, AS_SERVER, EKB_RELEASE_X15_5, OF(EKB_NODE_FAR), EKB_ERR_COUNT,
         EKB_ERR_COUNT, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture_pki pki = pki_of(cases[i].eku, EKB_EKU_ABSENT, 2);
        struct ekb_audit_options options = options_of();
        options.release = cases[i].release;
        options.nodes = cases[i].nodes;

        const struct ekb_audit_item item = judge(pki.chain, cases[i].roles, &options);

        const struct ekb_audit_gate *server = &item.gates[EKB_STORE_SERVER];
        const struct ekb_audit_gate *client = &item.gates[EKB_STORE_CLIENT];
        cr_expect_eq(server->asked ? server->refusal.err : EKB_ERR_COUNT, cases[i].server, "%s: %d",
                     cases[i].name, (int)server->refusal.err);
        cr_expect_eq(client->asked ? client->refusal.err : EKB_ERR_COUNT, cases[i].client, "%s: %d",
                     cases[i].name, (int)client->refusal.err);
        cr_expect_eq(server->switch_admits, cases[i].switch_admits, "%s", cases[i].name);
        cr_expect_eq(client->copy_admits, cases[i].copy_admits, "%s", cases[i].name);
        fixture_pki_deinit(&pki);
    }
}

Test(audit, says_what_the_gate_says)
{
    struct ekb_audit_options options = options_of();
    struct fixture_pki pki = pki_of(SERVER, EKB_EKU_ABSENT, 1);
    char text[EKB_AUDIT_TEXT_LEN];
    options.release = EKB_RELEASE_X15_4;

    const struct ekb_audit_item item = judge(pki.chain, AS_SERVER, &options);

    cr_expect_str_eq(
        ekb_audit_gate_text(text, &item.gates[EKB_STORE_SERVER]),
        "refused: Invalid certificate: The file provided does not have a client usage attribute. "
        "Services requiring mutual TLS may not work. An edge node with EnableServerEkuUpload on "
        "takes it.");
    options.release = EKB_RELEASE_X15_5;
    const struct ekb_audit_item later = judge(pki.chain, AS_SERVER, &options);
    cr_expect_str_eq(ekb_audit_gate_text(text, &later.gates[EKB_STORE_SERVER]), "accepted");
    fixture_pki_deinit(&pki);
}

// Others of the file have nothing to do with it.
Test(audit, judges_each_certificate_of_a_file_for_itself)
{
    const struct ekb_audit_options options = options_of();
    struct fixture_pki one = pki_of(SERVER, EKB_EKU_ABSENT, 2);
    struct fixture_pki two = pki_of(CLIENT, SERVER, 2);
    struct ekb_chain *file = ekb_chain_create();
    struct ekb_audit_item item = {.source = "x", .place = EKB_AUDIT_FILE, .roles = AS_CLIENT};
    cr_assert_eq(ekb_chain_append(file, one.chain, 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(file, two.chain, 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(file, one.chain, 1), EKB_OK);
    cr_assert_eq(ekb_chain_append(file, two.chain, 1), EKB_OK);

    cr_assert_eq(ekb_audit_judge(&item, &options, file, 0), EKB_OK);
    cr_expect_eq(item.good_for, SERVER);
    cr_expect_eq(item.gates[EKB_STORE_CLIENT].refusal.err, EKB_REFUSED_USAGE);

    cr_assert_eq(ekb_audit_judge(&item, &options, file, 1), EKB_OK);
    cr_expect_eq(item.good_for, 0u);
    cr_expect_eq(item.gates[EKB_STORE_CLIENT].refusal.err, EKB_OK);
    ekb_chain_destroy(file);
    fixture_pki_deinit(&two);
    fixture_pki_deinit(&one);
}
