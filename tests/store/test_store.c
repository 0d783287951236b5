#include "ekubench/store/store.h"

#include "ekubench/base/file.h"
#include "support/fixtures.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL (EKB_STORE_NEED_SERVER | EKB_STORE_NEED_CLIENT | EKB_STORE_NEED_TRUST)

static const char *const file_names[] = {"server.pem", "privkey.pem", "client.pem",
                                         "clientprivkey.pem", "ca.pem"};

#define NUM_FILES (sizeof file_names / sizeof file_names[0])

static struct fixture_dir dir;
static struct fixture_pki server;
static struct fixture_pki client;

static void set_up(void)
{
    const struct fixture_pki_spec server_spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH};
    const struct fixture_pki_spec client_spec = {
        .key_type = EKB_KEY_ED25519, .depth = 3, .eku = EKB_EKU_CLIENT_AUTH};
    fixture_dir_init(&dir);
    fixture_pki_init(&server, &server_spec);
    fixture_pki_init(&client, &client_spec);
}

static void tear_down(void)
{
    fixture_pki_deinit(&client);
    fixture_pki_deinit(&server);
    fixture_dir_deinit(&dir);
}

TestSuite(store, .init = set_up, .fini = tear_down);

static struct ekb_identity identity_of(const struct fixture_pki *pki)
{
    return (struct ekb_identity){.chain = pki->chain, .key = pki->key};
}

// fill writes a whole store.
static void fill(void)
{
    const struct ekb_identity server_identity = identity_of(&server);
    const struct ekb_identity client_identity = identity_of(&client);
    cr_assert_eq(ekb_store_write_identity(dir.path, EKB_STORE_SERVER, &server_identity, NULL),
                 EKB_OK);
    cr_assert_eq(ekb_store_write_identity(dir.path, EKB_STORE_CLIENT, &client_identity, NULL),
                 EKB_OK);
    cr_assert_eq(ekb_store_write_trust(dir.path, fixture_pki_root(&server), NULL), EKB_OK);
}

static void remove_file(const char *name)
{
    char path[512];
    cr_assert_eq(unlink(fixture_dir_file(path, &dir, name)), 0, "%s", name);
}

static void copy_file(const char *from, const char *to, unsigned mode)
{
    char path[512];
    size_t len = 0;
    char *data = fixture_read(fixture_dir_file(path, &dir, from), &len);
    fixture_write(fixture_dir_file(path, &dir, to), data, len, mode);
    free(data);
}

// fails loads the store, which must fail with `err` and a detail that names the file `name`.
static void fails(unsigned need, enum ekb_err err, const char *name)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {0};
    char path[512];

    const enum ekb_err got = ekb_store_load(&store, dir.path, need, &fail);

    cr_assert_eq(got, err, "%s: %s: %s", name, ekb_err_name(got), fail.detail);
    cr_assert_eq(fail.err, err, "%s", name);
    cr_assert_null(store);
    cr_assert_not_null(strstr(fail.detail, fixture_dir_file(path, &dir, name)), "%s: %s", name,
                       fail.detail);
}

static void assert_same_chain(const struct ekb_chain *got, const struct ekb_chain *expected)
{
    cr_assert_not_null(got);
    cr_assert_eq(ekb_chain_len(got), ekb_chain_len(expected));
    for (size_t i = 0; i < ekb_chain_len(expected); i++) {
        size_t len = 0;
        size_t got_len = 0;
        const uint8_t *der = ekb_chain_der(expected, i, &len);
        const uint8_t *got_der = ekb_chain_der(got, i, &got_len);
        cr_assert_eq(got_len, len, "certificate %zu", i);
        cr_assert(memcmp(got_der, der, len) == 0, "certificate %zu", i);
    }
}

// Loading.

Test(store, loads_what_was_written)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {0};
    fill();

    cr_assert_eq(ekb_store_load(&store, dir.path, ALL, &fail), EKB_OK, "%s", fail.detail);

    const struct ekb_identity *as_server = ekb_store_identity(store, EKB_STORE_SERVER);
    const struct ekb_identity *as_client = ekb_store_identity(store, EKB_STORE_CLIENT);
    assert_same_chain(as_server->chain, server.chain);
    assert_same_chain(as_client->chain, client.chain);
    assert_same_chain(ekb_store_trust(store), fixture_pki_root(&server));
    cr_assert(ekb_chain_matches_key(server.chain, as_server->key));
    cr_assert(ekb_chain_matches_key(client.chain, as_client->key));
    ekb_store_destroy(store);
}

Test(store, loads_nothing_when_the_directory_is_empty_and_nothing_needed)
{
    struct ekb_store *store = NULL;

    cr_assert_eq(ekb_store_load(&store, dir.path, 0, NULL), EKB_OK);

    cr_assert_null(ekb_store_identity(store, EKB_STORE_SERVER)->chain);
    cr_assert_null(ekb_store_identity(store, EKB_STORE_SERVER)->key);
    cr_assert_null(ekb_store_identity(store, EKB_STORE_CLIENT)->chain);
    cr_assert_null(ekb_store_identity(store, EKB_STORE_CLIENT)->key);
    cr_assert_null(ekb_store_trust(store));
    ekb_store_destroy(store);
}

Test(store, loads_the_rest_when_a_part_is_missing_that_is_not_needed)
{
    struct ekb_store *store = NULL;
    fill();
    remove_file("client.pem");
    remove_file("clientprivkey.pem");

    const enum ekb_err err =
        ekb_store_load(&store, dir.path, EKB_STORE_NEED_SERVER | EKB_STORE_NEED_TRUST, NULL);

    cr_assert_eq(err, EKB_OK);
    cr_assert_not_null(ekb_store_identity(store, EKB_STORE_SERVER)->key);
    cr_assert_null(ekb_store_identity(store, EKB_STORE_CLIENT)->chain);
    cr_assert_null(ekb_store_identity(store, EKB_STORE_CLIENT)->key);
    ekb_store_destroy(store);
}

Test(store, names_the_file_when_a_needed_part_is_missing)
{
    static const struct {
        unsigned need;
        const char *name;
    } cases[] = {
        {EKB_STORE_NEED_SERVER, "server.pem"},
        {EKB_STORE_NEED_CLIENT, "client.pem"},
        {EKB_STORE_NEED_TRUST, "ca.pem"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fails(cases[i].need, EKB_NOT_FOUND, cases[i].name);
    }
}

Test(store, names_the_file_when_any_one_is_missing)
{
    for (size_t i = 0; i < NUM_FILES; i++) {
        fill();
        remove_file(file_names[i]);

        fails(ALL, EKB_NOT_FOUND, file_names[i]);
    }
}

Test(store, names_the_file_when_half_of_a_pair_is_missing_that_is_not_needed)
{
    for (size_t i = 0; i < NUM_FILES - 1; i++) {
        fill();
        remove_file(file_names[i]);

        fails(0, EKB_NOT_FOUND, file_names[i]);
    }
}

Test(store, names_the_directory_when_it_is_missing)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {0};
    char path[512];

    const enum ekb_err err =
        ekb_store_load(&store, fixture_dir_file(path, &dir, "missing"), 0, &fail);

    cr_assert_eq(err, EKB_NOT_FOUND);
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
}

Test(store, is_refused_when_the_directory_is_a_file)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {0};
    char path[512];
    fixture_write_text(fixture_dir_file(path, &dir, "file"), "");

    const enum ekb_err err = ekb_store_load(&store, path, 0, &fail);

    cr_assert_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
}

Test(store, is_refused_when_a_key_is_another_certificates)
{
    fill();
    copy_file("clientprivkey.pem", "privkey.pem", 0600);

    fails(0, EKB_KEY_MISMATCH, "server.pem");
}

Test(store, is_refused_when_others_than_the_owner_have_the_key)
{
    static const unsigned modes[] = {0640, 0604, 0660, 0620, 0602, 0610, 0644, 0777};
    static const char *const names[] = {"privkey.pem", "clientprivkey.pem"};
    char path[512];
    fill();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)fixture_dir_file(path, &dir, names[i]);
        for (size_t j = 0; j < sizeof modes / sizeof modes[0]; j++) {
            cr_assert_eq(chmod(path, modes[j]), 0);

            fails(0, EKB_PERMISSION, names[i]);
        }
        cr_assert_eq(chmod(path, 0600), 0);
    }
}

Test(store, loads_when_the_key_is_read_only)
{
    struct ekb_store *store = NULL;
    char path[512];
    fill();
    cr_assert_eq(chmod(fixture_dir_file(path, &dir, "privkey.pem"), 0400), 0);

    cr_assert_eq(ekb_store_load(&store, dir.path, ALL, NULL), EKB_OK);

    ekb_store_destroy(store);
}

Test(store, names_the_file_when_one_is_malformed)
{
    char path[512];
    for (size_t i = 0; i < NUM_FILES; i++) {
        fill();
        fixture_write_text(fixture_dir_file(path, &dir, file_names[i]), "hello");

        fails(0, EKB_PARSE, file_names[i]);
    }
}

// Surveys.

// surveyed reads `parts`; what is wrong with a part is no failure.
static struct ekb_store *surveyed(unsigned parts)
{
    struct ekb_store *store = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_store_survey(&store, dir.path, parts, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return store;
}

static void expect_fault(const struct ekb_store *store, enum ekb_store_part part, enum ekb_err err,
                         const char *name)
{
    const struct ekb_fail *fault = ekb_store_fault(store, part);
    cr_expect_eq(fault->err, err, "%s: %s", name, ekb_err_name(fault->err));
    cr_expect(err == EKB_OK || strstr(fault->detail, name) != NULL, "%s: %s", name, fault->detail);
}

Test(store, reads_the_rest_when_a_part_is_damaged)
{
    static const enum ekb_store_part parts[NUM_FILES] = {
        EKB_STORE_PART_SERVER, EKB_STORE_PART_SERVER, EKB_STORE_PART_CLIENT, EKB_STORE_PART_CLIENT,
        EKB_STORE_PART_TRUST};
    char path[512];
    for (size_t i = 0; i < NUM_FILES; i++) {
        fill();
        fixture_write_text(fixture_dir_file(path, &dir, file_names[i]), "hello");

        struct ekb_store *store = surveyed(EKB_STORE_ALL);

        for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
            expect_fault(store, (enum ekb_store_part)part,
                         part == (int)parts[i] ? EKB_PARSE : EKB_OK, file_names[i]);
        }
        cr_expect_eq(ekb_store_trust(store) == NULL, parts[i] == EKB_STORE_PART_TRUST);
        ekb_store_destroy(store);
    }
}

Test(store, has_the_certificate_when_its_key_cannot_be_used)
{
    char path[512];
    fill();
    (void)fixture_dir_file(path, &dir, "privkey.pem");
    cr_assert_eq(chmod(path, 0644), 0);
    copy_file("privkey.pem", "clientprivkey.pem", 0600);

    struct ekb_store *store = surveyed(EKB_STORE_ALL);

    expect_fault(store, EKB_STORE_PART_SERVER, EKB_PERMISSION, "privkey.pem");
    assert_same_chain(ekb_store_identity(store, EKB_STORE_SERVER)->chain, server.chain);
    cr_expect_null(ekb_store_identity(store, EKB_STORE_SERVER)->key);
    expect_fault(store, EKB_STORE_PART_CLIENT, EKB_KEY_MISMATCH, "clientprivkey.pem");
    cr_expect_not_null(ekb_store_identity(store, EKB_STORE_CLIENT)->key);
    ekb_store_destroy(store);
}

Test(store, looks_at_no_other_part_than_those_asked_for)
{
    char path[512];
    fill();
    for (size_t i = 0; i < NUM_FILES - 1; i++) {
        fixture_write_text(fixture_dir_file(path, &dir, file_names[i]), "hello");
    }

    struct ekb_store *store = surveyed(EKB_STORE_NEED_TRUST);

    for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
        expect_fault(store, (enum ekb_store_part)part, EKB_OK, "none");
    }
    cr_expect_null(ekb_store_identity(store, EKB_STORE_SERVER)->chain);
    cr_expect_not_null(ekb_store_trust(store));
    ekb_store_destroy(store);
}

Test(store, does_not_follow_the_files_when_they_change)
{
    struct ekb_store *store = NULL;
    fill();
    cr_assert_eq(ekb_store_load(&store, dir.path, ALL, NULL), EKB_OK);

    for (size_t i = 0; i < NUM_FILES; i++) {
        remove_file(file_names[i]);
    }

    assert_same_chain(ekb_store_identity(store, EKB_STORE_SERVER)->chain, server.chain);
    ekb_store_destroy(store);
}

Test(store, is_destroyed_when_null)
{
    ekb_store_destroy(NULL);
}

// Writing.

Test(store, gives_files_their_modes_when_written)
{
    static const unsigned modes[NUM_FILES] = {0644, 0600, 0644, 0600, 0644};
    char path[512];
    (void)umask(0);

    fill();

    for (size_t i = 0; i < NUM_FILES; i++) {
        const unsigned mode = fixture_mode(fixture_dir_file(path, &dir, file_names[i]));
        cr_assert_eq(mode, modes[i], "%s: %04o", file_names[i], mode);
    }
}

Test(store, makes_the_directory_when_it_is_missing)
{
    const struct ekb_identity identity = identity_of(&server);
    char path[512];
    char file[1024];
    (void)umask(022);
    (void)fixture_dir_file(path, &dir, "a/b");

    cr_assert_eq(ekb_store_write_identity(path, EKB_STORE_SERVER, &identity, NULL), EKB_OK);

    cr_assert_eq(fixture_mode(path), 0755u, "%04o", fixture_mode(path));
    (void)snprintf(file, sizeof file, "%s/privkey.pem", path);
    cr_assert_eq(fixture_mode(file), 0600u);
}

Test(store, is_none_when_it_holds_no_file_of_a_store)
{
    char path[512];
    fixture_write_text(fixture_dir_file(path, &dir, "notes.txt"), "mine");

    struct ekb_fail fail = {0};

    cr_expect_eq(ekb_store_find(dir.path, &fail), EKB_NOT_FOUND);
    cr_expect_not_null(strstr(fail.detail, dir.path), "%s", fail.detail);
    cr_expect_eq(ekb_store_find(fixture_dir_file(path, &dir, "missing"), NULL), EKB_NOT_FOUND);
    cr_expect_eq(ekb_store_find(fixture_dir_file(path, &dir, "notes.txt"), NULL), EKB_NOT_FOUND);
}

// Half of a pair is somebody's key too.
Test(store, is_one_when_any_file_is_there)
{
    char path[512];
    for (size_t i = 0; i < NUM_FILES; i++) {
        fixture_write_text(fixture_dir_file(path, &dir, file_names[i]), "");

        cr_expect_eq(ekb_store_find(dir.path, NULL), EKB_OK, "%s", file_names[i]);

        remove_file(file_names[i]);
    }
}

// expect_entries fails the test unless the store's directory has so many entries, of which some are
// generations.
static void expect_entries(size_t num_wanted, size_t num_generations_wanted)
{
    size_t num_entries = 0;
    size_t num_generations = 0;
    const struct dirent *entry = NULL;
    DIR *directory = opendir(dir.path);
    cr_assert_not_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        num_entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
        num_generations += strncmp(entry->d_name, ".data.", 6) == 0 ? 1 : 0;
    }
    (void)closedir(directory);
    cr_expect_eq(num_entries, num_wanted, "%zu entries", num_entries);
    cr_expect_eq(num_generations, num_generations_wanted, "%zu generations", num_generations);
}

// Its files, the lock, the present generation and the link to it.
Test(store, leaves_only_its_files_when_written)
{
    fill();

    expect_entries(NUM_FILES + 3, 1);
}

Test(store, replaces_an_identity_when_written_again)
{
    const struct ekb_identity identity = identity_of(&client);
    struct ekb_store *store = NULL;
    fill();

    cr_assert_eq(ekb_store_write_identity(dir.path, EKB_STORE_SERVER, &identity, NULL), EKB_OK);

    cr_assert_eq(ekb_store_load(&store, dir.path, ALL, NULL), EKB_OK);
    assert_same_chain(ekb_store_identity(store, EKB_STORE_SERVER)->chain, client.chain);
    ekb_store_destroy(store);
}

Test(store, writes_nothing_when_the_key_is_another_certificates)
{
    const struct ekb_identity mixed = {.chain = server.chain, .key = client.key};
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_store_write_identity(dir.path, EKB_STORE_SERVER, &mixed, &fail);

    cr_assert_eq(err, EKB_KEY_MISMATCH, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, "server.pem"), "%s", fail.detail);
    expect_entries(1, 0); // The lock.
}

Test(store, trusts_nobody_when_an_empty_list_is_written)
{
    struct ekb_chain *empty = ekb_chain_create();
    struct ekb_store *store = NULL;

    cr_assert_eq(ekb_store_write_trust(dir.path, empty, NULL), EKB_OK);

    cr_assert_eq(ekb_store_load(&store, dir.path, EKB_STORE_NEED_TRUST, NULL), EKB_OK);
    cr_expect_eq(ekb_chain_len(ekb_store_trust(store)), 0u);
    ekb_store_destroy(store);
    ekb_chain_destroy(empty);
}

Test(store, fails_to_write_when_the_directory_cannot_be_made)
{
    const struct ekb_identity identity = identity_of(&server);
    struct ekb_fail fail = {0};
    char path[512];
    fixture_write_text(fixture_dir_file(path, &dir, "file"), "");

    const enum ekb_err err = ekb_store_write_identity(path, EKB_STORE_SERVER, &identity, &fail);

    cr_assert_neq(err, EKB_OK);
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
}
