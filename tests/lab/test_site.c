#include "ekubench/lab/site.h"

#include "ekubench/pki/crl.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/admin.h"
#include "ekubench/store/change.h"
#include "support/fixtures.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(site, .timeout = 30);

static struct ekb_deployment deployment;
static struct fixture_dir dir;
static struct ekb_site *site;

static void tear_down(void)
{
    ekb_site_destroy(site);
    site = NULL;
    fixture_dir_deinit(&dir);
}

#define NODES(core, edge)                                                                          \
    "[deployment]\nca = CA1, CA2\n[node C]\nkind = core\n" core "[node E]\nkind = edge\n" edge     \
    "[link uc-zone]\ninitiator = C\nresponder = E\n"

static void make(const char *text, enum ekb_release release)
{
    struct ekb_fail fail = {.err = EKB_OK};
    const struct ekb_site_terms terms = {.release = release};
    ekb_site_destroy(site);
    site = NULL;
    cr_assert_eq(ekb_deployment_parse(&deployment, text, "mine.ini", &fail), EKB_OK, "%s",
                 fail.detail);
    cr_assert_eq(ekb_site_create(&site, &deployment, &terms, &fail), EKB_OK, "%s", fail.detail);
}

// What is in a store. A serial number of "": nothing is.
struct held {
    struct ekb_description leaf[EKB_STORE_NUM_SIDES];
    size_t num_trusted;
    bool has_crls;
};

static struct held held_by(const char *path)
{
    struct held held = {.num_trusted = 0};
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {.err = EKB_OK};
    cr_assert_eq(ekb_store_load(&store, path, EKB_STORE_NEED_TRUST, &fail), EKB_OK, "%s",
                 fail.detail);
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        const struct ekb_chain *chain = ekb_store_identity(store, (enum ekb_store_side)side)->chain;
        if (chain != NULL) {
            ekb_chain_describe(&held.leaf[side], chain, 0);
        }
    }
    held.num_trusted = ekb_chain_len(ekb_store_trust(store));
    held.has_crls = ekb_store_crls(store) != NULL;
    ekb_store_destroy(store);
    return held;
}

static bool is_of(const struct ekb_description *leaf, const char *ca)
{
    return strstr(leaf->issuer, ca) != NULL;
}

static enum ekb_err refusal(size_t node, enum ekb_store_side side)
{
    return ekb_site_refusal(site, node, side)->err;
}

Test(site, has_two_certificates_where_there_are_two_stores, .fini = tear_down)
{
    make(NODES("server = CA2 server\nclient = CA1 both\ntrust = CA1\n",
               "server = CA2 server\nclient = none\n"),
         EKB_RELEASE_X15_5);

    const struct held core = held_by(ekb_site_store(site, 0));
    const struct held edge = held_by(ekb_site_store(site, 1));

    cr_expect(is_of(&core.leaf[EKB_STORE_SERVER], "CA2"), "%s", core.leaf[0].issuer);
    cr_expect(is_of(&core.leaf[EKB_STORE_CLIENT], "CA1"), "%s", core.leaf[1].issuer);
    cr_expect_str_neq(core.leaf[EKB_STORE_SERVER].serial, core.leaf[EKB_STORE_CLIENT].serial);
    cr_expect_eq(core.num_trusted, 1);
    cr_expect(is_of(&edge.leaf[EKB_STORE_SERVER], "CA2"));
    cr_expect_str_empty(edge.leaf[EKB_STORE_CLIENT].serial);
    cr_expect_eq(edge.num_trusted, 2);
    cr_expect_eq(refusal(0, EKB_STORE_SERVER), EKB_OK);
    cr_expect_eq(refusal(0, EKB_STORE_CLIENT), EKB_OK);
}

// Nothing is put where there is no such store, whatever the deployment says of a client.
Test(site, has_one_certificate_where_there_is_one_store, .fini = tear_down)
{
    static const enum ekb_release releases[] = {EKB_RELEASE_X14_1, EKB_RELEASE_X14_2,
                                                EKB_RELEASE_X15_4};
    static const char *const clients[] = {"client = CA1 both\n", "client = copy\n",
                                          "client = upgrade\n"};
    for (size_t i = 0; i < 9; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, NODES("server = CA2 both\n%s", "server = CA2 both\n"),
                       clients[i % 3]);
        make(text, releases[i / 3]);

        const struct held core = held_by(ekb_site_store(site, 0));

        cr_expect(is_of(&core.leaf[EKB_STORE_SERVER], "CA2"), "%zu", i);
        cr_expect_str_empty(core.leaf[EKB_STORE_CLIENT].serial, "%zu: %s", i, clients[i % 3]);
        cr_expect_eq(refusal(0, EKB_STORE_SERVER), EKB_OK);
        cr_expect_eq(refusal(0, EKB_STORE_CLIENT), EKB_OK);
    }
}

Test(site, has_one_certificate_twice_where_it_was_copied_or_upgraded, .fini = tear_down)
{
    make(NODES("server = CA2 server\nclient = copy\n", "server = CA2 both\nclient = upgrade\n"),
         EKB_RELEASE_X15_5);

    for (size_t node = 0; node < 2; node++) {
        const struct held held = held_by(ekb_site_store(site, node));

        cr_expect(is_of(&held.leaf[EKB_STORE_SERVER], "CA2"));
        cr_expect_str_eq(held.leaf[EKB_STORE_CLIENT].serial, held.leaf[EKB_STORE_SERVER].serial);
    }
}

// What the gate refuses is not in the store; in that of the server is its self-signed default.
Test(site, goes_on_without_what_the_gate_refuses, .fini = tear_down)
{
    static const struct {
        const char *text;
        enum ekb_release release;
        enum ekb_err server;
        enum ekb_err client;
    } cases[] = {
        {NODES("server = CA2 client\nclient = CA1 server\n", ""), EKB_RELEASE_X15_5,
         EKB_REFUSED_USAGE, EKB_REFUSED_USAGE},
        {NODES("server = CA2 server\nclient = CA1 both\n", ""), EKB_RELEASE_X15_4,
         EKB_REFUSED_USAGE, EKB_OK},
        {NODES("server = CA2 server\nclient = upgrade\n", ""), EKB_RELEASE_X15_5, EKB_REFUSED_USAGE,
         EKB_OK},
        {NODES("server = CA2 none\nclient = none\n", ""), EKB_RELEASE_X15_5, EKB_REFUSED_USAGE,
         EKB_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make(cases[i].text, cases[i].release);

        const struct held core = held_by(ekb_site_store(site, 0));

        cr_expect_eq(refusal(0, EKB_STORE_SERVER), cases[i].server, "%zu", i);
        cr_expect_eq(refusal(0, EKB_STORE_CLIENT), cases[i].client, "%zu", i);
        cr_expect(is_of(&core.leaf[EKB_STORE_SERVER], "c.example"), "%zu: %s", i,
                  core.leaf[0].issuer);
        cr_expect_str_empty(core.leaf[EKB_STORE_CLIENT].serial, "%zu", i);
    }
}

// The switch of X15.4 is E's.
Test(site, takes_serverauth_alone_where_the_switch_is_on, .fini = tear_down)
{
    make(NODES("server = CA2 server\n", "server = CA2 server\nserver-eku-upload = yes\n"),
         EKB_RELEASE_X15_4);

    cr_expect_eq(refusal(0, EKB_STORE_SERVER), EKB_REFUSED_USAGE);
    cr_expect_eq(refusal(1, EKB_STORE_SERVER), EKB_OK);
    const struct held edge = held_by(ekb_site_store(site, 1));
    cr_expect(is_of(&edge.leaf[EKB_STORE_SERVER], "CA2"));
}

Test(site, trusts_nobody_where_that_is_said, .fini = tear_down)
{
    make(NODES("server = CA1 both\ntrust = none\n", ""), EKB_RELEASE_X15_5);

    cr_expect_eq(held_by(ekb_site_store(site, 0)).num_trusted, 0);
    cr_expect_eq(held_by(ekb_site_store(site, 1)).num_trusted, 2);
}

#define FAR(second)                                                                                \
    "[deployment]\nca = CA1\n[node far]\nserver = CA1 server rsa2048\nsecond = " second            \
    "\n[link neighbor]\ninitiator = far\nresponder = far\n"

Test(site, has_a_second_server_certificate, .fini = tear_down)
{
    make(FAR("self-signed server p256"), EKB_RELEASE_X15_5);

    cr_assert_not_null(ekb_site_second(site, 0));
    const struct held first = held_by(ekb_site_store(site, 0));
    const struct held second = held_by(ekb_site_second(site, 0));
    cr_expect(is_of(&first.leaf[EKB_STORE_SERVER], "CA1"));
    cr_expect(is_of(&second.leaf[EKB_STORE_SERVER], "far.example"));
}

// What a far end takes in is not for us to say.
Test(site, gives_a_far_end_whatever_it_is_said_to_have, .fini = tear_down)
{
    for (int i = 0; i < EKB_RELEASE_NUM; i++) {
        make("[deployment]\nca = CA1\n[node far]\nserver = CA1 client rsa2048\n"
             "client = CA1 server\nsecond = CA1 none p256\n[node other]\nserver = CA1 none\n"
             "client = copy\n[link neighbor]\ninitiator = far\nresponder = other\n",
             (enum ekb_release)i);

        const struct held far = held_by(ekb_site_store(site, 0));
        const struct held other = held_by(ekb_site_store(site, 1));

        cr_assert_not_null(ekb_site_second(site, 0));
        const struct held second = held_by(ekb_site_second(site, 0));
        cr_expect(is_of(&far.leaf[EKB_STORE_SERVER], "CA1"));
        cr_expect(is_of(&far.leaf[EKB_STORE_CLIENT], "CA1"));
        cr_expect(is_of(&second.leaf[EKB_STORE_SERVER], "CA1"));
        cr_expect_str_neq(other.leaf[EKB_STORE_CLIENT].serial, "");
        cr_expect_str_eq(other.leaf[EKB_STORE_CLIENT].serial, other.leaf[EKB_STORE_SERVER].serial);
        for (size_t node = 0; node < 2; node++) {
            cr_expect_eq(refusal(node, EKB_STORE_SERVER), EKB_OK);
            cr_expect_eq(refusal(node, EKB_STORE_CLIENT), EKB_OK);
        }
    }
}

Test(site, is_not_made_under_another_release_than_a_node_says, .fini = tear_down)
{
    struct ekb_fail fail = {.err = EKB_OK};
    const struct ekb_site_terms terms = {.release = EKB_RELEASE_X15_4};
    cr_assert_eq(ekb_deployment_parse(&deployment, NODES("release = X15.5\n", ""), "x", NULL),
                 EKB_OK);

    cr_expect_eq(ekb_site_create(&site, &deployment, &terms, &fail), EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "must run the same release"), "%s", fail.detail);
    cr_expect_null(site);
}

// write_crls puts a list of `ca` into the store.
static void write_crls(const char *path, const struct ekb_ca *ca)
{
    const struct ekb_crl_spec spec = {.this_update = FIXTURE_NOT_BEFORE,
                                      .next_update = FIXTURE_NOT_AFTER};
    struct ekb_change *change = NULL;
    struct ekb_crls *crls = ekb_crls_create();
    cr_assert_not_null(crls);
    cr_assert_eq(ekb_crls_issue(crls, ca, &spec, NULL), EKB_OK);
    cr_assert_eq(ekb_change_begin(&change, path, NULL), EKB_OK);
    cr_assert_eq(ekb_change_put_crls(change, crls, NULL), EKB_OK);
    cr_assert_eq(ekb_change_commit(change, NULL), EKB_OK);
    ekb_change_destroy(change);
    ekb_crls_destroy(crls);
}

// write_own makes somebody's own store, without a client certificate, whose server certificate has
// the usages `eku` (EKB_EKU_*).
static void write_own(char path[512], unsigned eku)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .eku = eku};
    struct fixture_pki pki;
    struct ekb_fail fail = {.err = EKB_OK};
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "own");
    fixture_pki_init(&pki, &spec);
    const struct ekb_identity identity = {pki.chain, pki.key};
    cr_assert_eq(ekb_store_write_identity(path, EKB_STORE_SERVER, &identity, &fail), EKB_OK, "%s",
                 fail.detail);
    cr_assert_eq(ekb_store_write_trust(path, fixture_pki_root(&pki), &fail), EKB_OK, "%s",
                 fail.detail);
    write_crls(path, pki.cas[0]);
    fixture_pki_deinit(&pki);
}

// Somebody's own store is used as it is, or missed by its node's name.
Test(site, uses_a_store_that_there_is, .fini = tear_down)
{
    char path[512];
    char text[1024];
    struct ekb_fail fail = {.err = EKB_OK};
    const struct ekb_site_terms terms = {.release = EKB_RELEASE_X15_5};
    const struct ekb_admin_host host = {.name = "own.example", .key_type = EKB_KEY_P256};
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "own");
    (void)snprintf(text, sizeof text, NODES("store = %s\nupgrade = no\n", ""), path);
    cr_assert_eq(ekb_deployment_parse(&deployment, text, "x", NULL), EKB_OK);

    cr_expect_eq(ekb_site_create(&site, &deployment, &terms, &fail), EKB_NOT_FOUND);
    cr_expect_not_null(strstr(fail.detail, "node C: there is no store to use"), "%s", fail.detail);
    cr_assert_eq(ekb_admin_init(path, &host, FIXTURE_NOT_BEFORE, &fail), EKB_OK, "%s", fail.detail);
    cr_expect_eq(ekb_site_create(&site, &deployment, &terms, &fail), EKB_OK, "%s", fail.detail);
    cr_expect_str_eq(ekb_site_store(site, 0), path);
    cr_expect_not(ekb_site_is_upgraded(site, 0));
}

// The upgrade to two stores copies the server's pair into the client store; of somebody's own store
// it does so in a copy, and where there is one store, or it is not wanted, or it is no node of
// ours, not at all.
Test(site, upgrades_a_copy_of_a_store_without_a_client_certificate, .fini = tear_down)
{
    static const struct {
        const char *kind;
        const char *more;
        enum ekb_release release;
        bool upgraded;
    } cases[] = {
        {"core", "", EKB_RELEASE_X15_5, true},
        {"edge", "upgrade = yes\n", EKB_RELEASE_X15_5, true},
        {"core", "upgrade = no\n", EKB_RELEASE_X15_5, false},
        {"core", "", EKB_RELEASE_X15_4, false},
        {"core", "", EKB_RELEASE_X14_1, false},
        {"far", "", EKB_RELEASE_X15_5, false},
    };
    char path[512];
    write_own(path, EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH);
    const struct held before = held_by(path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text,
                       "[deployment]\nca = CA1\n[node it]\nkind = %s\nstore = %s\n%s[node far]\n"
                       "[link neighbor]\ninitiator = it\nresponder = far\n",
                       cases[i].kind, path, cases[i].more);
        make(text, cases[i].release);

        const struct held used = held_by(ekb_site_store(site, 0));

        cr_expect_eq(ekb_site_is_upgraded(site, 0), cases[i].upgraded, "%zu", i);
        cr_expect_eq(strcmp(ekb_site_store(site, 0), path) != 0, cases[i].upgraded, "%zu", i);
        cr_expect_str_eq(used.leaf[EKB_STORE_SERVER].serial, before.leaf[EKB_STORE_SERVER].serial);
        cr_expect_str_eq(used.leaf[EKB_STORE_CLIENT].serial,
                         cases[i].upgraded ? before.leaf[EKB_STORE_SERVER].serial : "", "%zu", i);
        cr_expect_eq(used.num_trusted, before.num_trusted);
        cr_expect(used.has_crls);
        cr_expect_str_empty(held_by(path).leaf[EKB_STORE_CLIENT].serial, "%zu: it was changed", i);
    }
}

// A store of one's own is used whatever the gate would say, and that is said.
Test(site, tells_what_the_gate_would_say_of_a_store_that_there_is, .fini = tear_down)
{
    static const struct {
        const char *kind;
        enum ekb_release release;
        enum ekb_err wanted;
    } cases[] = {
        {"core", EKB_RELEASE_X15_5, EKB_OK},
        {"core", EKB_RELEASE_X15_4, EKB_REFUSED_USAGE},
        {"edge", EKB_RELEASE_X15_4, EKB_REFUSED_USAGE},
        {"edge\nserver-eku-upload = yes", EKB_RELEASE_X15_4, EKB_OK},
        {"edge\nserver-eku-upload = yes", EKB_RELEASE_X14_2, EKB_REFUSED_USAGE},
        {"far", EKB_RELEASE_X15_4, EKB_OK},
    };
    char path[512];
    write_own(path, EKB_EKU_SERVER_AUTH);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        (void)snprintf(text, sizeof text,
                       "[deployment]\nca = CA1\n[node it]\nkind = %s\nstore = %s\n[node far]\n"
                       "[link neighbor]\ninitiator = it\nresponder = far\n",
                       cases[i].kind, path);
        make(text, cases[i].release);

        const struct held used = held_by(ekb_site_store(site, 0));

        cr_expect_eq(refusal(0, EKB_STORE_SERVER), cases[i].wanted, "%zu: %s", i,
                     ekb_site_refusal(site, 0, EKB_STORE_SERVER)->detail);
        cr_expect_eq(refusal(0, EKB_STORE_CLIENT), EKB_OK, "%zu: a copy, past the client gate", i);
        cr_expect_str_eq(used.leaf[EKB_STORE_SERVER].serial,
                         held_by(path).leaf[EKB_STORE_SERVER].serial);
    }
}

Test(site, stays_where_it_was_told_to_be, .fini = tear_down)
{
    char path[512];
    struct ekb_fail fail = {.err = EKB_OK};
    fixture_dir_init(&dir);
    const struct ekb_site_terms terms = {.release = EKB_RELEASE_X15_5,
                                         .directory = fixture_dir_file(path, &dir, "kept")};
    cr_assert_eq(ekb_deployment_parse(&deployment, NODES("", ""), "x", NULL), EKB_OK);

    cr_assert_eq(ekb_site_create(&site, &deployment, &terms, &fail), EKB_OK, "%s", fail.detail);
    ekb_site_destroy(site);
    site = NULL;

    char store[640];
    (void)snprintf(store, sizeof store, "%s/C", path);
    cr_expect_eq(ekb_store_find(store, &fail), EKB_OK, "%s", fail.detail);
    cr_expect_eq(ekb_site_create(&site, &deployment, &terms, &fail), EKB_EXISTS);
}
