#include "ekubench/store/identities.h"

#include "support/fixtures.h"

#include "ekubench/base/file.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture_dir dir;
static struct fixture_pki pki; // Depth 2: a leaf and an intermediate.
static struct fixture_pki other;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_CLIENT_AUTH};
    fixture_dir_init(&dir);
    fixture_pki_init(&pki, &spec);
    fixture_pki_init(&other, &spec);
}

static void tear_down(void)
{
    fixture_pki_deinit(&other);
    fixture_pki_deinit(&pki);
    fixture_dir_deinit(&dir);
}

TestSuite(identities, .init = set_up, .fini = tear_down, .timeout = 60);

// issue makes another client of the same CA.
static struct ekb_identity issue(const struct fixture_pki *from)
{
    struct ekb_identity identity = {0};
    struct ekb_fail fail = {0};
    const struct ekb_mint_leaf leaf = {.common_name = "client",
                                       .key_type = EKB_KEY_P256,
                                       .eku = EKB_EKU_CLIENT_AUTH,
                                       .not_before = FIXTURE_NOT_BEFORE,
                                       .not_after = FIXTURE_NOT_AFTER};
    const enum ekb_err err =
        ekb_ca_issue(&identity.chain, &identity.key, from->cas[from->depth - 1], &leaf, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return identity;
}

static void destroy(struct ekb_identity *identity)
{
    ekb_chain_destroy(identity->chain);
    ekb_key_destroy(identity->key);
}

static void add(size_t number, const struct ekb_identity *identity)
{
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_identities_add(dir.path, number, identity, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

// add_new adds a new client of `from`.
static void add_new(size_t number, const struct fixture_pki *from)
{
    struct ekb_identity identity = issue(from);
    add(number, &identity);
    destroy(&identity);
}

static struct ekb_identities read_well(void)
{
    struct ekb_identities identities = {0};
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_identities_read(&identities, dir.path, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return identities;
}

static bool is_same(const struct ekb_chain *a, const struct ekb_chain *b, size_t index)
{
    size_t a_len = 0;
    size_t b_len = 0;
    const uint8_t *a_der = ekb_chain_der(a, index, &a_len);
    const uint8_t *b_der = ekb_chain_der(b, index, &b_len);
    return a_len == b_len && memcmp(a_der, b_der, a_len) == 0;
}

// fails reads `directory`, which must fail with `err` and a detail that has `name`.
static void fails_at(const char *directory, enum ekb_err err, const char *name)
{
    struct ekb_identities identities = {.num = 77};
    struct ekb_fail fail = {0};

    const enum ekb_err got = ekb_identities_read(&identities, directory, &fail);

    cr_expect_eq(got, err, "%s: %s: %s", name, ekb_err_name(got), fail.detail);
    cr_expect_eq(fail.err, err, "%s: %s", name, ekb_err_name(fail.err));
    cr_expect_not_null(strstr(fail.detail, name), "no \"%s\" in \"%s\"", name, fail.detail);
    cr_expect_eq(identities.num, 77, "%s: written in spite of that", name);
}

static void fails(enum ekb_err err, const char *name)
{
    fails_at(dir.path, err, name);
}

static const char *path_of(const char *name)
{
    static char path[512];
    return fixture_dir_file(path, &dir, name);
}

static void copy_file(const char *from, const char *to, unsigned mode)
{
    size_t len = 0;
    char *data = fixture_read(path_of(from), &len);
    fixture_write(path_of(to), data, len, mode);
    free(data);
}

// Reading.

Test(identities, are_read_as_they_were_written)
{
    struct ekb_identity written[3];
    for (size_t i = 0; i < 3; i++) {
        written[i] = issue(&pki);
        add(i + 1, &written[i]);
    }
    cr_assert_eq(ekb_identities_sync(dir.path, NULL), EKB_OK);

    struct ekb_identities identities = read_well();

    cr_assert_eq(identities.num, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(ekb_chain_len(identities.all[i].chain), 2);
        cr_expect(is_same(identities.all[i].chain, written[i].chain, 0), "leaf %zu", i);
        cr_expect(is_same(identities.all[i].chain, written[i].chain, 1), "issuer %zu", i);
        cr_expect(ekb_chain_matches_key(written[i].chain, identities.all[i].key), "key %zu", i);
        destroy(&written[i]);
    }
    ekb_identities_deinit(&identities);
}

Test(identities, are_read_in_the_order_of_their_names)
{
    struct ekb_identity first = issue(&pki);
    struct ekb_identity second = issue(&pki);
    add(2, &second);
    add(10, &second);
    add(1, &first);
    cr_assert_eq(rename(path_of("00010.pem"), path_of("Z.pem")), 0);
    copy_file("00001.pem", "a.pem", 0600);

    struct ekb_identities identities = read_well();

    cr_assert_eq(identities.num, 4);
    cr_expect(is_same(identities.all[0].chain, first.chain, 0), "00001.pem");
    cr_expect(is_same(identities.all[1].chain, second.chain, 0), "00002.pem");
    cr_expect(is_same(identities.all[2].chain, second.chain, 0), "Z.pem");
    cr_expect(is_same(identities.all[3].chain, first.chain, 0), "a.pem");
    ekb_identities_deinit(&identities);
    destroy(&second);
    destroy(&first);
}

Test(identities, are_told_from_other_files)
{
    static const char *const names[] = {"README",     ".hidden.pem",  "00002.pem.Xa1b2c",
                                        "00003.pem~", "00004.PEM",    "pem",
                                        ".pem",       "00005.pem.bak"};
    add_new(1, &pki);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture_write_text(path_of(names[i]), "no identity");
    }
    cr_assert_eq(mkdir(path_of("folder"), 0700), 0);

    struct ekb_identities identities = read_well();

    cr_expect_eq(identities.num, 1, "%zu", identities.num);
    ekb_identities_deinit(&identities);
}

// Thousands of clients have one intermediate.
Test(identities, have_issuers_in_memory_once_when_they_share_them)
{
    for (size_t i = 1; i <= 3; i++) {
        add_new(i, &pki);
    }
    add_new(4, &other);

    struct ekb_identities identities = read_well();

    cr_assert_eq(identities.num, 4);
    const uint8_t *issuers[4];
    for (size_t i = 0; i < 4; i++) {
        size_t len = 0;
        issuers[i] = ekb_chain_der(identities.all[i].chain, 1, &len);
    }
    cr_expect_eq(issuers[0], issuers[1]);
    cr_expect_eq(issuers[1], issuers[2]);
    cr_expect_neq(issuers[2], issuers[3]);
    cr_expect(is_same(identities.all[3].chain, other.chain, 1), "another issuer");
    ekb_identities_deinit(&identities);
}

// What people bring: the certificates first, other forms of the key, text in between, a link.
Test(identities, may_have_their_certificates_first)
{
    struct ekb_identity identity = issue(&pki);
    uint8_t *key = NULL;
    size_t key_len = 0;
    char text[16384];
    char *chain = ekb_chain_to_pem(identity.chain);
    cr_assert_eq(ekb_key_to_pem(&key, &key_len, identity.key, NULL), EKB_OK);
    (void)snprintf(text, sizeof text, "Client of ours\n%s\n%s", chain, (const char *)key);
    fixture_write_text(path_of("real"), text);
    cr_assert_eq(symlink("real", path_of("link.pem")), 0);

    struct ekb_identities identities = read_well();

    cr_assert_eq(identities.num, 1);
    cr_expect(is_same(identities.all[0].chain, identity.chain, 0));
    ekb_identities_deinit(&identities);
    ekb_file_free_secret(key, key_len);
    free(chain);
    destroy(&identity);
}

// Refusing.

Test(identities, are_not_found_when_there_are_none)
{
    fixture_write_text(path_of("00001.txt"), "");

    fails(EKB_NOT_FOUND, dir.path);
    fails_at("/nonexistent/clients", EKB_NOT_FOUND, "/nonexistent/clients");
    fails_at(path_of("00001.txt"), EKB_NOT_FOUND, "00001.txt");
}

Test(identities, are_refused_when_others_can_read_a_key)
{
    static const unsigned modes[] = {0640, 0604, 0660, 0601, 0777};
    add_new(1, &pki);
    add_new(2, &pki);

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        cr_assert_eq(chmod(path_of("00002.pem"), (mode_t)modes[i]), 0);
        fails(EKB_PERMISSION, "00002.pem");
    }
}

Test(identities, are_refused_when_a_key_belongs_to_another_certificate)
{
    struct ekb_identity one = issue(&pki);
    struct ekb_identity two = issue(&pki);
    uint8_t *key = NULL;
    size_t key_len = 0;
    char text[16384];
    char *chain = ekb_chain_to_pem(one.chain);
    cr_assert_eq(ekb_key_to_pem(&key, &key_len, two.key, NULL), EKB_OK);
    (void)snprintf(text, sizeof text, "%s%s", (const char *)key, chain);
    add(1, &one);
    fixture_write_text(path_of("00002.pem"), text);

    fails(EKB_KEY_MISMATCH, "00002.pem");

    ekb_file_free_secret(key, key_len);
    free(chain);
    destroy(&two);
    destroy(&one);
}

Test(identities, are_refused_when_one_is_no_regular_file)
{
    add_new(1, &pki);

    cr_assert_eq(mkdir(path_of("00002.pem"), 0700), 0);
    fails(EKB_PARSE, "00002.pem");
    cr_assert_eq(rmdir(path_of("00002.pem")), 0);
    cr_assert_eq(mkfifo(path_of("00002.pem"), 0600), 0);
    fails(EKB_PARSE, "00002.pem");
    cr_assert_eq(unlink(path_of("00002.pem")), 0);
    cr_assert_eq(symlink("nowhere", path_of("00002.pem")), 0);
    fails(EKB_NOT_FOUND, "00002.pem");
}

Test(identities, are_refused_when_one_lacks_its_key_or_its_certificate)
{
    struct ekb_identity identity = issue(&pki);
    add(1, &identity);

    cr_assert_eq(ekb_key_write_pem(identity.key, path_of("00002.pem"), NULL), EKB_OK);
    fails(EKB_PARSE, "00002.pem");
    cr_assert_eq(ekb_chain_write_pem(identity.chain, path_of("00002.pem"), NULL), EKB_OK);
    cr_assert_eq(chmod(path_of("00002.pem"), 0600), 0);
    fails(EKB_PARSE, "00002.pem");
    fixture_write_text(path_of("00002.pem"), "");
    fails(EKB_PARSE, "00002.pem");

    destroy(&identity);
}

// It is found out before any of them is read.
Test(identities, are_refused_when_they_are_too_many)
{
    // So many links are made quickly in memory only.
    if (access("/dev/shm", W_OK | X_OK) == 0) {
        fixture_dir_deinit(&dir);
        cr_assert_eq(setenv("TMPDIR", "/dev/shm", 1), 0);
        fixture_dir_init(&dir);
    }
    for (unsigned i = 0; i <= EKB_IDENTITIES_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%u.pem", i);
        cr_assert_eq(symlink("nowhere", path_of(name)), 0);
    }

    fails(EKB_TOO_BIG, dir.path);
}

// Writing.

Test(identities, are_written_for_their_owner_only)
{
    const mode_t umask_before = umask(0);

    add_new(1, &pki);
    add_new(99999, &pki);
    add_new(100000, &pki);

    (void)umask(umask_before);
    cr_expect_eq(fixture_mode(path_of("00001.pem")), 0600);
    cr_expect_eq(fixture_mode(path_of("99999.pem")), 0600);
    cr_expect_eq(fixture_mode(path_of("100000.pem")), 0600);
    struct ekb_identities identities = read_well();
    cr_expect_eq(identities.num, 3);
    ekb_identities_deinit(&identities);
}

Test(identities, leave_nothing_else_when_written)
{
    size_t num_entries = 0;
    add_new(1, &pki);
    add_new(1, &pki);

    DIR *stream = opendir(dir.path);
    cr_assert_not_null(stream);
    for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        num_entries += entry->d_name[0] != '.' ? 1 : 0;
    }
    (void)closedir(stream);

    cr_expect_eq(num_entries, 1, "%zu", num_entries);
}

Test(identities, make_their_directory_when_written)
{
    struct ekb_identity identity = issue(&pki);
    const char *path = path_of("store/clients");

    cr_assert_eq(ekb_identities_add(path, 1, &identity, NULL), EKB_OK);

    cr_expect_eq(access(path_of("store/clients/00001.pem"), F_OK), 0);
    destroy(&identity);
}

Test(identities, are_not_written_when_the_key_is_anothers)
{
    struct ekb_fail fail = {0};
    const struct ekb_identity mixed = {.chain = pki.chain, .key = other.key};

    const enum ekb_err err = ekb_identities_add(dir.path, 1, &mixed, &fail);

    cr_expect_eq(err, EKB_KEY_MISMATCH, "%s", ekb_err_name(err));
    cr_expect_neq(access(path_of("00001.pem"), F_OK), 0);
}
