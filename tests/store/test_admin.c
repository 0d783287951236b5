#include "ekubench/store/admin.h"

#include "ekubench/pki/describe.h"
#include "support/fixtures.h"
#include "support/forge.h"
#include "support/tree.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define DAY INT64_C(86400)

// 2026-06-15.
#define NOON INT64_C(1781524800)

#define NUM_ADDED 10

static struct fixture_dir dir;
static char path[512]; // The store.
static struct fixture_pki server;
static struct fixture_pki client;
static struct fixture_pki both;

static void pki_init(struct fixture_pki *pki, unsigned eku)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2, .eku = eku};
    fixture_pki_init(pki, &spec);
}

static void expect_names(const struct ekb_chain *chain, const char *wanted)
{
    struct ekb_texts texts = {0};
    cr_assert_eq(ekb_chain_names(&texts, chain, 0), EKB_OK);
    char *names = ekb_texts_join(&texts, ", ");
    cr_expect_str_eq(names, wanted, "%s", names);
    free(names);
    ekb_texts_deinit(&texts);
}

static const struct ekb_admin_host host = {.name = "host.example"};

// make_empty makes a new directory with a store in which nobody is trusted, and nothing else is.
static void make_empty(void)
{
    struct ekb_chain *nobody = ekb_chain_create();
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "store");
    cr_assert_eq(ekb_store_write_trust(path, nobody, NULL), EKB_OK);
    ekb_chain_destroy(nobody);
}

static void set_up(void)
{
    (void)umask(022);
    make_empty();
    pki_init(&server, EKB_EKU_SERVER_AUTH);
    pki_init(&client, EKB_EKU_CLIENT_AUTH);
    pki_init(&both, EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH);
}

static void tear_down(void)
{
    fixture_pki_deinit(&both);
    fixture_pki_deinit(&client);
    fixture_pki_deinit(&server);
    fixture_dir_deinit(&dir);
}

TestSuite(admin, .init = set_up, .fini = tear_down);

// Looking.

static void expect_unchanged(const char *name, const struct tree *before)
{
    const struct tree after = tree_of(path, TREE_RAW);
    cr_expect_str_eq(after.text, before->text, "%s: was\n%sis\n%s", name, before->text, after.text);
}

static bool same_chains(const struct ekb_chain *one, const struct ekb_chain *other)
{
    if (one == NULL || other == NULL || ekb_chain_len(one) != ekb_chain_len(other)) {
        return false;
    }
    for (size_t i = 0; i < ekb_chain_len(one); i++) {
        if (!ekb_chain_same(one, i, other, i)) {
            return false;
        }
    }
    return true;
}

static struct ekb_store *loaded(unsigned need)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_store_load(&store, path, need, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return store;
}

// expect_side: the store has this pair; NULL: none.
static void expect_side(const char *name, enum ekb_store_side side, const struct fixture_pki *pki)
{
    struct ekb_store *store = loaded(0);
    const struct ekb_identity *identity = ekb_store_identity(store, side);
    if (pki == NULL) {
        cr_expect_null(identity->chain, "%s", name);
    } else {
        cr_expect(same_chains(identity->chain, pki->chain), "%s: another chain", name);
        cr_expect(identity->key != NULL && ekb_chain_matches_key(pki->chain, identity->key),
                  "%s: another key", name);
    }
    ekb_store_destroy(store);
}

static bool has_request(enum ekb_store_side side)
{
    char *pem = NULL;
    const bool has = ekb_admin_csr_read(&pem, path, side, NULL) == EKB_OK;
    free(pem);
    return has;
}

// Doing.

static enum ekb_err upload(enum ekb_store_side side, const struct ekb_chain *chain,
                           const struct ekb_key *key, enum ekb_upload_key which,
                           enum ekb_upload_copy copy, struct ekb_fail *fail)
{
    struct ekb_upload_outcome outcome = {.root = ""};
    const struct ekb_bundle bundle = {.chain = (struct ekb_chain *)(uintptr_t)chain,
                                      .key = (struct ekb_key *)(uintptr_t)key};
    const struct ekb_upload wish = {
        .side = side, .bundle = &bundle, .key = which, .copy = copy, .now = NOON};
    return ekb_admin_upload(path, &wish, &outcome, fail);
}

static void has_uploaded(enum ekb_store_side side, const struct fixture_pki *pki)
{
    struct ekb_fail fail = {0};
    const enum ekb_err err =
        upload(side, pki->chain, pki->key, EKB_UPLOAD_KEY_GIVEN, EKB_UPLOAD_ONE_STORE, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

static void has_trust(const struct ekb_chain *chain)
{
    struct ekb_gate_warning warning = {""};
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_admin_trust_add(path, chain, NOON, &warning, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

static void has_new_request(enum ekb_store_side side, const char *common_name)
{
    const struct ekb_csr_spec spec = {.common_name = common_name, .eku = EKB_EKU_SERVER_AUTH};
    struct ekb_fail fail = {0};
    const enum ekb_err err =
        ekb_admin_csr_new(path, side, EKB_KEY_P256, &spec, EKB_CSR_REPLACE, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

// put_request makes the key of `pki` that of the pending request.
static void put_request(enum ekb_store_side side, const struct fixture_pki *pki)
{
    char file[1024];
    has_new_request(side, "pending");
    (void)snprintf(file, sizeof file, "%s/generated_csr/%s.key", path,
                   side == EKB_STORE_SERVER ? "server" : "client");
    cr_assert_eq(ekb_key_write_pem(pki->key, file, NULL), EKB_OK);
}

// Uploading.

Test(admin, uploads_with_the_key_that_is_given_into_a_store_that_is_missing)
{
    has_uploaded(EKB_STORE_CLIENT, &client);

    expect_side("client", EKB_STORE_CLIENT, &client);
    expect_side("server", EKB_STORE_SERVER, NULL);
}

Test(admin, uploads_with_each_source_of_the_key)
{
    // Which keys are there that fit: G given, R request's, C current.
    static const struct {
        const char *name;
        enum ekb_upload_key which;
        bool given, request, current;
        enum ekb_err err;
        bool request_left;
    } cases[] = {
        {"given", EKB_UPLOAD_KEY_GIVEN, true, false, false, EKB_OK, true},
        {"given, does not fit", EKB_UPLOAD_KEY_GIVEN, false, true, true, EKB_KEY_MISMATCH, true},
        {"request", EKB_UPLOAD_KEY_REQUEST, false, true, false, EKB_OK, false},
        {"request, does not fit", EKB_UPLOAD_KEY_REQUEST, true, false, true, EKB_KEY_MISMATCH,
         true},
        {"current", EKB_UPLOAD_KEY_CURRENT, false, false, true, EKB_OK, true},
        {"current, does not fit", EKB_UPLOAD_KEY_CURRENT, true, true, false, EKB_KEY_MISMATCH,
         true},
        {"any, given fits", EKB_UPLOAD_KEY_ANY, true, false, false, EKB_OK, true},
        {"any, request fits", EKB_UPLOAD_KEY_ANY, false, true, false, EKB_OK, false},
        {"any, current fits", EKB_UPLOAD_KEY_ANY, false, false, true, EKB_OK, true},
        {"any, given and current fit", EKB_UPLOAD_KEY_ANY, true, false, true, EKB_OK, true},
        {"any, request and current fit", EKB_UPLOAD_KEY_ANY, false, true, true, EKB_OK, false},
        {"any, none fits", EKB_UPLOAD_KEY_ANY, false, false, false, EKB_KEY_MISMATCH, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_fail fail = {0};
        // The store's side holds `server` or `both`; what is uploaded is `server`.
        has_uploaded(EKB_STORE_SERVER, cases[i].current ? &server : &both);
        put_request(EKB_STORE_SERVER, cases[i].request ? &server : &both);
        const struct tree before = tree_of(path, TREE_RAW);

        const enum ekb_err err =
            upload(EKB_STORE_SERVER, server.chain, cases[i].given ? server.key : both.key,
                   cases[i].which, EKB_UPLOAD_ONE_STORE, &fail);

        cr_expect_eq(err, cases[i].err, "%s: %s: %s", cases[i].name, ekb_err_name(err),
                     fail.detail);
        if (cases[i].err == EKB_OK) {
            expect_side(cases[i].name, EKB_STORE_SERVER, &server);
        } else {
            expect_unchanged(cases[i].name, &before);
        }
        cr_expect_eq(has_request(EKB_STORE_SERVER), cases[i].request_left, "%s: the request is %s",
                     cases[i].name, cases[i].request_left ? "gone" : "left");
        fixture_dir_deinit(&dir);
        make_empty();
    }
}

Test(admin, keeps_the_request_of_the_other_side_when_one_is_used)
{
    put_request(EKB_STORE_SERVER, &server);
    has_new_request(EKB_STORE_CLIENT, "other");

    const enum ekb_err err = upload(EKB_STORE_SERVER, server.chain, NULL, EKB_UPLOAD_KEY_REQUEST,
                                    EKB_UPLOAD_ONE_STORE, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect(!has_request(EKB_STORE_SERVER));
    cr_expect(has_request(EKB_STORE_CLIENT));
}

Test(admin, uploads_to_both_stores_past_the_gate_of_the_client)
{
    struct ekb_fail fail = {0};
    has_uploaded(EKB_STORE_CLIENT, &client);

    const enum ekb_err err = upload(EKB_STORE_SERVER, server.chain, server.key, EKB_UPLOAD_KEY_ANY,
                                    EKB_UPLOAD_ALSO_AS_CLIENT, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    expect_side("server", EKB_STORE_SERVER, &server);
    expect_side("client", EKB_STORE_CLIENT, &server);
}

Test(admin, sorts_what_is_uploaded)
{
    struct ekb_chain *reversed = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(reversed, server.chain, 1), EKB_OK);
    cr_assert_eq(ekb_chain_append(reversed, server.chain, 0), EKB_OK);

    const enum ekb_err err = upload(EKB_STORE_SERVER, reversed, server.key, EKB_UPLOAD_KEY_ANY,
                                    EKB_UPLOAD_ONE_STORE, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    expect_side("server", EKB_STORE_SERVER, &server);
    ekb_chain_destroy(reversed);
}

// leaf_of_times returns an identity that `server`'s CA has issued.
static struct fixture_pki leaf_of_times(int64_t not_before, int64_t not_after)
{
    const struct ekb_mint_leaf spec = {.common_name = "timed",
                                       .key_type = EKB_KEY_P256,
                                       .eku = EKB_EKU_SERVER_AUTH,
                                       .not_before = not_before,
                                       .not_after = not_after};
    struct fixture_pki pki = {0};
    cr_assert_eq(ekb_ca_issue(&pki.chain, &pki.key, server.cas[1], &spec, NULL), EKB_OK);
    return pki;
}

Test(admin, warns_when_what_is_uploaded_is_not_valid_yet)
{
    struct fixture_pki pki = leaf_of_times(NOON + DAY, NOON + 2 * DAY);
    struct ekb_upload_outcome outcome = {.root = ""};
    const struct ekb_bundle bundle = {.chain = pki.chain, .key = pki.key};
    const struct ekb_upload wish = {.side = EKB_STORE_SERVER, .bundle = &bundle, .now = NOON};

    const enum ekb_err err = ekb_admin_upload(path, &wish, &outcome, NULL);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_str_eq(outcome.warning.text, "the certificate CN=timed is not valid yet", "\"%s\"",
                     outcome.warning.text);
    fixture_pki_deinit(&pki);
}

// make_store fills the store, over whatever form it has.
static void make_store(bool linked)
{
    has_uploaded(EKB_STORE_SERVER, &server);
    has_uploaded(EKB_STORE_CLIENT, &client);
    has_trust(fixture_pki_root(&server));
    has_new_request(EKB_STORE_SERVER, "pending");
    if (!linked) {
        char command[8192];
        (void)snprintf(command, sizeof command,
                       "cp -rpL '%s' '%s.plain' && rm -rf '%s' '%s.plain'/.data* '%s.plain'/.lock "
                       "&& mv '%s.plain' '%s'",
                       path, path, path, path, path, path, path);
        cr_assert_eq(system(command), 0); // NOLINT(cert-env33-c)
    }
}

struct refusal {
    const char *name;
    enum ekb_store_side side;
    const struct ekb_chain *chain;
    const struct ekb_key *key;
    enum ekb_upload_key which;
    enum ekb_upload_copy copy;
    enum ekb_err err;
};

static void leaves_the_tree(void)
{
    struct fixture_pki expired = leaf_of_times(NOON - 2 * DAY, NOON - DAY);
    struct ekb_chain *leaves = ekb_chain_create();
    struct ekb_chain *many = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(leaves, server.chain, 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(leaves, both.chain, 0), EKB_OK);
    for (size_t i = 0; i < EKB_GATE_MAX_CHAIN + 1; i++) {
        cr_assert_eq(ekb_chain_append(many, server.chain, i % 2), EKB_OK);
    }
    const struct refusal refusals[] = {
        {"client usage to server", EKB_STORE_SERVER, client.chain, client.key, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ONE_STORE, EKB_REFUSED_USAGE},
        {"server usage to client", EKB_STORE_CLIENT, server.chain, server.key, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ONE_STORE, EKB_REFUSED_USAGE},
        {"client usage to both", EKB_STORE_SERVER, client.chain, client.key, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ALSO_AS_CLIENT, EKB_REFUSED_USAGE},
        {"client side also as client", EKB_STORE_CLIENT, both.chain, both.key, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ALSO_AS_CLIENT, EKB_USAGE},
        {"expired", EKB_STORE_SERVER, expired.chain, expired.key, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ONE_STORE, EKB_REFUSED_EXPIRED},
        {"two leaves", EKB_STORE_SERVER, leaves, server.key, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ONE_STORE, EKB_REFUSED_CHAIN},
        {"17 certificates", EKB_STORE_SERVER, many, server.key, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ONE_STORE, EKB_REFUSED_CHAIN},
        {"no key fits", EKB_STORE_SERVER, both.chain, NULL, EKB_UPLOAD_KEY_ANY,
         EKB_UPLOAD_ONE_STORE, EKB_KEY_MISMATCH},
        {"another key", EKB_STORE_SERVER, both.chain, client.key, EKB_UPLOAD_KEY_GIVEN,
         EKB_UPLOAD_ONE_STORE, EKB_KEY_MISMATCH},
        {"no key given", EKB_STORE_SERVER, both.chain, NULL, EKB_UPLOAD_KEY_GIVEN,
         EKB_UPLOAD_ONE_STORE, EKB_NOT_FOUND},
        {"no request", EKB_STORE_CLIENT, both.chain, NULL, EKB_UPLOAD_KEY_REQUEST,
         EKB_UPLOAD_ONE_STORE, EKB_NOT_FOUND},
        {"another current key", EKB_STORE_SERVER, both.chain, NULL, EKB_UPLOAD_KEY_CURRENT,
         EKB_UPLOAD_ONE_STORE, EKB_KEY_MISMATCH},
    };
    const struct tree before = tree_of(path, TREE_RAW);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct ekb_fail fail = {0};

        const enum ekb_err err = upload(r->side, r->chain, r->key, r->which, r->copy, &fail);

        cr_expect_eq(err, r->err, "%s: %s: %s", r->name, ekb_err_name(err), fail.detail);
        expect_unchanged(r->name, &before);
    }
    ekb_chain_destroy(many);
    ekb_chain_destroy(leaves);
    fixture_pki_deinit(&expired);
}

Test(admin, leaves_a_linked_store_to_the_byte_when_it_refuses_an_upload)
{
    make_store(true);

    leaves_the_tree();
}

Test(admin, leaves_a_plain_store_to_the_byte_when_it_refuses_an_upload)
{
    make_store(false);

    leaves_the_tree();
}

Test(admin, leaves_the_store_to_the_byte_when_other_things_are_refused)
{
    static const char *const bad_name[] = {"a b"};
    const struct ekb_admin_host bad_host = {.name = "a b"};
    const struct ekb_csr_spec no_name = {.common_name = ""};
    const struct ekb_csr_spec bad_address = {
        .common_name = "x", .ip_addresses = bad_name, .num_ip_addresses = 1};
    struct ekb_gate_warning warning = {""};
    struct ekb_chain *removed = NULL;
    make_store(false);
    const struct tree before = tree_of(path, TREE_RAW);

    enum ekb_err err = ekb_admin_trust_add(path, server.chain, NOON, &warning, NULL);
    cr_expect_eq(err, EKB_REFUSED_CA, "a leaf: %s", ekb_err_name(err));
    expect_unchanged("a leaf", &before);
    err = ekb_admin_trust_add(path, fixture_pki_root(&server), NOON, &warning, NULL);
    cr_expect_eq(err, EKB_REFUSED_DUPLICATE, "a duplicate: %s", ekb_err_name(err));
    expect_unchanged("a duplicate", &before);
    err = ekb_admin_trust_remove(&removed, path, "00", NULL, NULL);
    cr_expect_eq(err, EKB_NOT_FOUND, "no such serial: %s", ekb_err_name(err));
    expect_unchanged("no such serial", &before);
    err = ekb_admin_csr_new(path, EKB_STORE_SERVER, EKB_KEY_P256, &no_name, EKB_CSR_REPLACE, NULL);
    cr_expect_eq(err, EKB_USAGE, "no name: %s", ekb_err_name(err));
    expect_unchanged("no name", &before);
    err = ekb_admin_csr_new(path, EKB_STORE_SERVER, EKB_KEY_P256, &bad_address, EKB_CSR_REPLACE,
                            NULL);
    cr_expect_eq(err, EKB_USAGE, "a bad address: %s", ekb_err_name(err));
    expect_unchanged("a bad address", &before);
    err = ekb_admin_csr_discard(path, EKB_STORE_CLIENT, NULL);
    cr_expect_eq(err, EKB_NOT_FOUND, "no request: %s", ekb_err_name(err));
    expect_unchanged("no request", &before);
    err = ekb_admin_reset(path, &bad_host, NOON, NULL);
    cr_expect_eq(err, EKB_USAGE, "no host name: %s", ekb_err_name(err));
    expect_unchanged("no host name", &before);
}

// Trust.

static struct ekb_chain *two_roots(const struct fixture_pki *one, const struct fixture_pki *other)
{
    struct ekb_chain *chain = ekb_chain_create();
    cr_assert_eq(ekb_chain_append(chain, fixture_pki_root(one), 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(chain, fixture_pki_root(other), 0), EKB_OK);
    return chain;
}

static enum ekb_err trust_removed(const char *serial, const char *issuer, size_t num_wanted,
                                  struct ekb_fail *fail)
{
    struct ekb_chain *removed = NULL;
    const enum ekb_err err = ekb_admin_trust_remove(&removed, path, serial, issuer, fail);
    const size_t num_removed = removed != NULL ? ekb_chain_len(removed) : 0;
    cr_expect_eq(num_removed, err == EKB_OK ? num_wanted : 0u, "%zu removed", num_removed);
    ekb_chain_destroy(removed);
    return err;
}

static void expect_trust(const char *name, const struct ekb_chain *wanted)
{
    struct ekb_store *store = loaded(0);
    cr_expect(same_chains(ekb_store_trust(store), wanted), "%s: another list", name);
    ekb_store_destroy(store);
}

Test(admin, adds_to_the_trusted_list_at_its_end)
{
    struct ekb_chain *wanted = two_roots(&server, &client);

    has_trust(fixture_pki_root(&server));
    has_trust(fixture_pki_root(&client));

    expect_trust("added", wanted);
    ekb_chain_destroy(wanted);
}

Test(admin, adds_all_or_none_to_the_trusted_list)
{
    struct ekb_chain *uploaded = two_roots(&client, &server);
    struct ekb_gate_warning warning = {""};
    has_trust(fixture_pki_root(&server));
    const struct tree before = tree_of(path, TREE_RAW);

    const enum ekb_err err = ekb_admin_trust_add(path, uploaded, NOON, &warning, NULL);

    cr_expect_eq(err, EKB_REFUSED_DUPLICATE, "%s", ekb_err_name(err));
    expect_unchanged("the second is there already", &before);
    ekb_chain_destroy(uploaded);
}

Test(admin, adds_nothing_when_one_is_given_twice)
{
    struct ekb_chain *uploaded = two_roots(&client, &client);
    struct ekb_gate_warning warning = {""};
    const struct tree before = tree_of(path, TREE_RAW);

    const enum ekb_err err = ekb_admin_trust_add(path, uploaded, NOON, &warning, NULL);

    cr_expect_eq(err, EKB_REFUSED_DUPLICATE, "%s", ekb_err_name(err));
    expect_unchanged("twice", &before);
    ekb_chain_destroy(uploaded);
}

Test(admin, warns_of_each_ca_that_is_not_valid_yet_wherever_it_stands)
{
    struct ekb_ca *early = NULL;
    const struct ekb_mint_ca spec = {.common_name = "early",
                                     .key_type = EKB_KEY_P256,
                                     .not_before = NOON + DAY,
                                     .not_after = NOON + 2 * DAY};
    struct ekb_gate_warning warning = {""};
    struct ekb_chain *uploaded = ekb_chain_create();
    cr_assert_eq(ekb_ca_create_root(&early, &spec, NULL), EKB_OK);
    cr_assert_eq(ekb_chain_append(uploaded, ekb_ca_certificate(early), 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(uploaded, fixture_pki_root(&server), 0), EKB_OK);

    const enum ekb_err err = ekb_admin_trust_add(path, uploaded, NOON, &warning, NULL);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(warning.text, "CN=early"), "\"%s\"", warning.text);
    ekb_chain_destroy(uploaded);
    ekb_ca_destroy(early);
}

Test(admin, removes_from_the_trusted_list_by_serial_number_and_issuer)
{
    static const struct {
        const char *name;
        const char *before;
        bool upper;
        bool colons;
        const char *issuer;
        enum ekb_err err;
    } cases[] = {
        {"as it is written", "", false, false, NULL, EKB_OK},
        {"in capital letters", "", true, false, NULL, EKB_OK},
        {"with 0x", "0x", false, false, NULL, EKB_OK},
        {"with leading zeros", "0x000", true, false, NULL, EKB_OK},
        {"with colons", "00:", false, true, NULL, EKB_OK},
        {"with its issuer", "", false, false, "CN=test root,O=ekubench", EKB_OK},
        {"with another issuer", "", false, false, "CN=another", EKB_NOT_FOUND},
        {"another", "1", false, false, NULL, EKB_NOT_FOUND},
    };
    struct ekb_chain *roots = two_roots(&server, &client);
    struct ekb_description description;
    ekb_chain_describe(&description, fixture_pki_root(&server), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ekb_fail fail = {0};
        char serial[256];
        size_t len = (size_t)snprintf(serial, sizeof serial, "%s", cases[i].before);
        for (size_t j = 0; description.serial[j] != '\0'; j++) {
            const char c = description.serial[j];
            const bool colon = cases[i].colons && j > 0 && j % 2 == 0;
            len += (size_t)snprintf(serial + len, sizeof serial - len, "%s%c", colon ? ":" : "",
                                    cases[i].upper ? toupper((unsigned char)c) : c);
        }
        has_trust(roots);

        const enum ekb_err err = trust_removed(serial, cases[i].issuer, 1, &fail);

        cr_expect_eq(err, cases[i].err, "%s: %s: %s", cases[i].name, ekb_err_name(err),
                     fail.detail);
        expect_trust(cases[i].name, err == EKB_OK ? fixture_pki_root(&client) : roots);
        fixture_dir_deinit(&dir);
        make_empty();
    }
    ekb_chain_destroy(roots);
}

Test(admin, asks_for_the_issuer_when_several_have_the_serial_number)
{
    static const struct forgery forgeries[] = {
        {.subject = "one", .issuer = "one", .serial = 7, .basic_constraints = "critical,CA:TRUE"},
        {.subject = "two", .issuer = "two", .serial = 7, .basic_constraints = "critical,CA:TRUE"}};
    struct ekb_chain *cas[COUNT(forgeries)];
    struct ekb_description description;
    struct ekb_fail fail = {0};
    EVP_PKEY *key = forge_key();
    for (size_t i = 0; i < COUNT(forgeries); i++) {
        cas[i] = forge(&forgeries[i], key, key);
        has_trust(cas[i]);
    }
    ekb_chain_describe(&description, cas[0], 0);
    const struct tree before = tree_of(path, TREE_RAW);

    enum ekb_err err = trust_removed(description.serial, NULL, 0, &fail);
    cr_expect_eq(err, EKB_USAGE, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(fail.detail, "--issuer"), "%s", fail.detail);
    expect_unchanged("ambiguous", &before);
    err = trust_removed(description.serial, "CN=one", 1, NULL);
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    expect_trust("the other", cas[1]);
    err = trust_removed(description.serial, NULL, 1, NULL);
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    for (size_t i = 0; i < COUNT(forgeries); i++) {
        ekb_chain_destroy(cas[i]);
    }
    EVP_PKEY_free(key);
}

Test(admin, trusts_nobody_when_the_last_trusted_ca_is_removed)
{
    struct ekb_description description;
    has_uploaded(EKB_STORE_SERVER, &server);
    has_trust(fixture_pki_root(&server));
    ekb_chain_describe(&description, fixture_pki_root(&server), 0);

    const enum ekb_err err = trust_removed(description.serial, NULL, 1, NULL);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    expect_side("server", EKB_STORE_SERVER, &server);
    struct ekb_store *store = loaded(EKB_STORE_NEED_TRUST);
    cr_expect_eq(ekb_chain_len(ekb_store_trust(store)), 0u);
    ekb_store_destroy(store);
    has_trust(fixture_pki_root(&client));
    expect_trust("one again", fixture_pki_root(&client));
}

static void add_many(unsigned writer)
{
    for (int i = 0; i < NUM_ADDED; i++) {
        char common_name[64];
        struct ekb_ca *ca = NULL;
        struct ekb_gate_warning warning = {""};
        const struct ekb_mint_ca spec = {.common_name = common_name,
                                         .key_type = EKB_KEY_P256,
                                         .not_before = FIXTURE_NOT_BEFORE,
                                         .not_after = FIXTURE_NOT_AFTER};
        (void)snprintf(common_name, sizeof common_name, "CA %d of writer %u", i, writer);
        if (ekb_ca_create_root(&ca, &spec, NULL) != EKB_OK ||
            ekb_admin_trust_add(path, ekb_ca_certificate(ca), NOON, &warning, NULL) != EKB_OK) {
            _exit(1);
        }
        ekb_ca_destroy(ca);
    }
    _exit(0);
}

Test(admin, loses_none_when_two_add_to_the_trusted_list_at_once)
{
    pid_t writers[2];
    for (unsigned i = 0; i < COUNT(writers); i++) {
        writers[i] = fork();
        if (writers[i] == 0) {
            add_many(i);
        }
    }

    for (size_t i = 0; i < COUNT(writers); i++) {
        int status = 0;
        cr_assert_eq(waitpid(writers[i], &status, 0), writers[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "writer %zu: %d", i, status);
    }

    struct ekb_store *store = loaded(EKB_STORE_NEED_TRUST);
    const size_t len = ekb_chain_len(ekb_store_trust(store));
    cr_expect_eq(len, COUNT(writers) * NUM_ADDED, "%zu CAs", len);
    ekb_store_destroy(store);
}

// Signing requests.

Test(admin, reads_the_request_that_was_made)
{
    char *pem = NULL;
    struct ekb_csr_description description;
    has_new_request(EKB_STORE_CLIENT, "host.example");

    const enum ekb_err err = ekb_admin_csr_read(&pem, path, EKB_STORE_CLIENT, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(ekb_csr_describe(&description, pem, NULL), EKB_OK, "%s", pem);
    cr_expect_str_eq(description.subject, "CN=host.example", "%s", description.subject);
    ekb_csr_description_deinit(&description);
    cr_expect(!has_request(EKB_STORE_SERVER));
    free(pem);
}

Test(admin, keeps_a_pending_request_unless_told_otherwise)
{
    static const struct ekb_csr_spec spec = {.common_name = "new.example"};
    char file[1024];
    has_new_request(EKB_STORE_SERVER, "old.example");
    const struct tree whole = tree_of(path, TREE_RAW);

    enum ekb_err err =
        ekb_admin_csr_new(path, EKB_STORE_SERVER, EKB_KEY_P256, &spec, EKB_CSR_KEEP, NULL);
    cr_expect_eq(err, EKB_REFUSED_PENDING, "%s", ekb_err_name(err));
    expect_unchanged("a whole one", &whole);

    // The key alone is as good: a certificate needs nothing else.
    (void)snprintf(file, sizeof file, "%s/generated_csr/server.csr", path);
    cr_assert_eq(unlink(file), 0);
    err = ekb_admin_csr_new(path, EKB_STORE_SERVER, EKB_KEY_P256, &spec, EKB_CSR_KEEP, NULL);
    cr_expect_eq(err, EKB_REFUSED_PENDING, "%s", ekb_err_name(err));
    err = ekb_admin_csr_discard(path, EKB_STORE_SERVER, NULL);
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    err = ekb_admin_csr_new(path, EKB_STORE_SERVER, EKB_KEY_P256, &spec, EKB_CSR_KEEP, NULL);
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
}

Test(admin, replaces_the_request_when_another_is_made)
{
    char *pem = NULL;
    struct ekb_csr_description description;
    has_new_request(EKB_STORE_SERVER, "old.example");
    has_new_request(EKB_STORE_SERVER, "new.example");

    const enum ekb_err err = ekb_admin_csr_read(&pem, path, EKB_STORE_SERVER, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(ekb_csr_describe(&description, pem, NULL), EKB_OK, "%s", pem);
    cr_expect_str_eq(description.subject, "CN=new.example", "%s", description.subject);
    ekb_csr_description_deinit(&description);
    free(pem);
}

Test(admin, keeps_the_request_and_its_key_for_the_owner)
{
    char file[1024];
    has_new_request(EKB_STORE_SERVER, "x");

    (void)snprintf(file, sizeof file, "%s/generated_csr", path);
    cr_expect_eq(fixture_mode(file), 0700u, "%04o", fixture_mode(file));
    (void)snprintf(file, sizeof file, "%s/generated_csr/server.key", path);
    cr_expect_eq(fixture_mode(file), 0600u, "%04o", fixture_mode(file));
}

Test(admin, discards_the_request_and_its_key)
{
    char file[1024];
    struct stat status;
    has_new_request(EKB_STORE_SERVER, "x");

    const enum ekb_err err = ekb_admin_csr_discard(path, EKB_STORE_SERVER, NULL);

    const enum ekb_err again = ekb_admin_csr_discard(path, EKB_STORE_SERVER, NULL);
    (void)snprintf(file, sizeof file, "%s/generated_csr", path);
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_eq(again, EKB_NOT_FOUND, "%s", ekb_err_name(again));
    cr_expect_neq(lstat(file, &status), 0, "generated_csr is left");
}

// Reset.

Test(admin, resets_to_a_self_signed_certificate_that_verifies)
{
    struct ekb_fail fail = {0};
    struct ekb_description description;
    size_t der_len = 0;
    make_store(false);

    const enum ekb_err err = ekb_admin_reset(path, &host, NOON, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    struct ekb_store *store = loaded(EKB_STORE_NEED_SERVER);
    const struct ekb_chain *chain = ekb_store_identity(store, EKB_STORE_SERVER)->chain;
    ekb_chain_describe(&description, chain, 0);
    cr_expect_eq(ekb_chain_len(chain), 1u);
    cr_expect(description.is_self_signed);
    cr_expect_str_eq(description.subject, "CN=host.example", "%s", description.subject);
    expect_names(chain, "DNS:host.example");
    cr_expect_eq(description.eku, (unsigned)EKB_EKU_SERVER_AUTH, "%x", description.eku);
    cr_expect(description.not_before <= NOON && description.not_after >= NOON + 364 * DAY &&
                  description.not_after <= NOON + 366 * DAY,
              "%lld to %lld", (long long)description.not_before, (long long)description.not_after);
    expect_side("client", EKB_STORE_CLIENT, &client);
    expect_trust("trust", fixture_pki_root(&server));
    cr_expect(has_request(EKB_STORE_SERVER), "the request is gone");
    const uint8_t *der = ekb_chain_der(chain, 0, &der_len);
    X509 *x509 = d2i_X509(NULL, &der, (long)der_len);
    EVP_PKEY *key = X509_get_pubkey(x509);
    cr_expect_eq(X509_verify(x509, key), 1, "its signature is bad");
    cr_expect_eq(X509_check_host(x509, "host.example", strlen("host.example"), 0, NULL), 1,
                 "another host");
    EVP_PKEY_free(key);
    X509_free(x509);
    ekb_store_destroy(store);
}

Test(admin, makes_a_store_once)
{
    static const char *const names[] = {"a.example", "b.example"};
    static const char *const addresses[] = {"192.0.2.1"};
    const struct ekb_admin_host wish = {.name = "host.example",
                                        .key_type = EKB_KEY_P384,
                                        .dns_names = names,
                                        .num_dns_names = 2,
                                        .ip_addresses = addresses,
                                        .num_ip_addresses = 1};
    struct ekb_description description;
    (void)fixture_dir_file(path, &dir, "new");

    const enum ekb_err err = ekb_admin_init(path, &wish, NOON, NULL);
    const struct tree before = tree_of(path, TREE_RAW);
    const enum ekb_err again = ekb_admin_init(path, &host, NOON, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_eq(again, EKB_EXISTS, "%s", ekb_err_name(again));
    expect_unchanged("again", &before);
    struct ekb_store *store = loaded(EKB_STORE_NEED_SERVER);
    ekb_chain_describe(&description, ekb_store_identity(store, EKB_STORE_SERVER)->chain, 0);
    expect_names(ekb_store_identity(store, EKB_STORE_SERVER)->chain,
                 "DNS:a.example, DNS:b.example, IP:192.0.2.1");
    cr_expect_eq(description.key_kind, EKB_KEY_KIND_P384);
    ekb_store_destroy(store);
}

Test(admin, makes_no_store_unless_told_to)
{
    struct ekb_gate_warning warning = {""};
    enum ekb_upgrade done = EKB_UPGRADE_KEPT;
    char *pem = NULL;
    struct ekb_chain *removed = NULL;
    const struct ekb_csr_spec spec = {.common_name = "x"};
    (void)fixture_dir_file(path, &dir, "mistyped");

    const enum ekb_err errs[] = {
        upload(EKB_STORE_SERVER, server.chain, server.key, EKB_UPLOAD_KEY_GIVEN,
               EKB_UPLOAD_ONE_STORE, NULL),
        ekb_admin_trust_add(path, fixture_pki_root(&server), NOON, &warning, NULL),
        ekb_admin_trust_remove(&removed, path, "00", NULL, NULL),
        ekb_admin_csr_new(path, EKB_STORE_SERVER, EKB_KEY_P256, &spec, EKB_CSR_KEEP, NULL),
        ekb_admin_csr_read(&pem, path, EKB_STORE_SERVER, NULL),
        ekb_admin_csr_discard(path, EKB_STORE_SERVER, NULL),
        ekb_admin_reset(path, &host, NOON, NULL),
        ekb_admin_upgrade(&done, path, EKB_UPGRADE_KEEP, NULL)};

    for (size_t i = 0; i < COUNT(errs); i++) {
        cr_expect_eq(errs[i], EKB_NOT_FOUND, "%zu: %s", i, ekb_err_name(errs[i]));
    }
    cr_expect_neq(access(path, F_OK), 0, "a directory was made");
}

// Upgrade.

static enum ekb_upgrade upgraded(enum ekb_upgrade_mode mode)
{
    enum ekb_upgrade done = EKB_UPGRADE_KEPT;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_admin_upgrade(&done, path, mode, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return done;
}

Test(admin, copies_the_server_pair_when_upgraded)
{
    has_uploaded(EKB_STORE_SERVER, &server);

    const enum ekb_upgrade done = upgraded(EKB_UPGRADE_KEEP);

    cr_expect_eq(done, EKB_UPGRADE_COPIED);
    expect_side("server", EKB_STORE_SERVER, &server);
    expect_side("client", EKB_STORE_CLIENT, &server);
}

Test(admin, changes_nothing_when_upgraded_again)
{
    has_uploaded(EKB_STORE_SERVER, &server);
    (void)upgraded(EKB_UPGRADE_KEEP);
    const struct tree before = tree_of(path, TREE_RAW);

    const enum ekb_upgrade done = upgraded(EKB_UPGRADE_KEEP);

    cr_expect_eq(done, EKB_UPGRADE_KEPT);
    expect_unchanged("again", &before);
}

Test(admin, keeps_a_client_store_unless_forced)
{
    make_store(false);

    const enum ekb_upgrade kept = upgraded(EKB_UPGRADE_KEEP);
    expect_side("kept", EKB_STORE_CLIENT, &client);
    const enum ekb_upgrade forced = upgraded(EKB_UPGRADE_FORCE);

    cr_expect_eq(kept, EKB_UPGRADE_KEPT);
    cr_expect_eq(forced, EKB_UPGRADE_COPIED);
    expect_side("forced", EKB_STORE_CLIENT, &server);
}

Test(admin, upgrades_nothing_without_a_server_certificate)
{
    enum ekb_upgrade done = EKB_UPGRADE_KEPT;
    has_uploaded(EKB_STORE_CLIENT, &client);
    const struct tree before = tree_of(path, TREE_RAW);

    const enum ekb_err err = ekb_admin_upgrade(&done, path, EKB_UPGRADE_FORCE, NULL);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    expect_unchanged("a client store alone", &before);
}
