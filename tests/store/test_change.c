#include "ekubench/store/change.h"

#include "ekubench/base/clock.h"
#include "support/fixtures.h"
#include "support/tree.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOBODY 65534
#define ALL (EKB_STORE_NEED_SERVER | EKB_STORE_NEED_CLIENT | EKB_STORE_NEED_TRUST)
#define NUM_CHANGES 200
#define NUM_ADDED 20

static struct fixture_dir dir;
static struct fixture_dir parts; // Files from which stores are made.
static char path[512];           // The store.
static struct fixture_pki server;
static struct fixture_pki client;
static struct fixture_pki renewed; // Another server.
static struct ekb_crls *crls;
static struct ekb_crls *longer_crls; // With one more.

static const char *const part_names[] = {
    "server.pem", "privkey.pem", "client.pem", "clientprivkey.pem", "ca.pem", "client-ca.crl",
};

static const unsigned part_modes[] = {0644, 0600, 0644, 0600, 0644, 0644};

static void pki_init(struct fixture_pki *pki, unsigned eku)
{
    const struct fixture_pki_spec spec = {.key_type = EKB_KEY_P256, .depth = 2, .eku = eku};
    fixture_pki_init(pki, &spec);
}

static void set_up(void)
{
    const struct ekb_crl_spec crl_spec = {.this_update = FIXTURE_NOT_BEFORE,
                                          .next_update = FIXTURE_NOT_AFTER};
    char file[512];
    (void)umask(022);
    fixture_dir_init(&dir);
    fixture_dir_init(&parts);
    (void)fixture_dir_file(path, &dir, "store");
    pki_init(&server, EKB_EKU_SERVER_AUTH);
    pki_init(&client, EKB_EKU_CLIENT_AUTH);
    pki_init(&renewed, EKB_EKU_SERVER_AUTH);
    crls = ekb_crls_create();
    cr_assert_eq(ekb_crls_issue(crls, client.cas[0], &crl_spec, NULL), EKB_OK);
    longer_crls = ekb_crls_create();
    cr_assert_eq(ekb_crls_issue(longer_crls, client.cas[0], &crl_spec, NULL), EKB_OK);
    cr_assert_eq(ekb_crls_issue(longer_crls, client.cas[1], &crl_spec, NULL), EKB_OK);
#define PART(name) fixture_dir_file(file, &parts, name)
    cr_assert_eq(ekb_chain_write_pem(server.chain, PART("server.pem"), NULL), EKB_OK);
    cr_assert_eq(ekb_key_write_pem(server.key, PART("privkey.pem"), NULL), EKB_OK);
    cr_assert_eq(ekb_chain_write_pem(client.chain, PART("client.pem"), NULL), EKB_OK);
    cr_assert_eq(ekb_key_write_pem(client.key, PART("clientprivkey.pem"), NULL), EKB_OK);
    cr_assert_eq(ekb_chain_write_pem(fixture_pki_root(&server), PART("ca.pem"), NULL), EKB_OK);
    cr_assert_eq(ekb_crls_write(crls, PART("client-ca.crl"), NULL), EKB_OK);
    cr_assert_eq(ekb_chain_write_pem(renewed.chain, PART("renewed.pem"), NULL), EKB_OK);
    cr_assert_eq(ekb_key_write_pem(renewed.key, PART("renewed.key"), NULL), EKB_OK);
#undef PART
}

static void tear_down(void)
{
    ekb_crls_destroy(longer_crls);
    ekb_crls_destroy(crls);
    fixture_pki_deinit(&renewed);
    fixture_pki_deinit(&client);
    fixture_pki_deinit(&server);
    fixture_dir_deinit(&parts);
    fixture_dir_deinit(&dir);
}

TestSuite(change, .init = set_up, .fini = tear_down);

// Making stores.

static const char *in_store(char out_path[512], const char *name)
{
    const int len = snprintf(out_path, 512, "%s/%s", path, name);
    cr_assert(len > 0 && len < 512);
    return out_path;
}

// copy_part writes the file `name` of the store with the content of the part `part`.
static void copy_part(const char *name, const char *part, unsigned mode)
{
    char from[512];
    char to[512];
    size_t len = 0;
    char *data = fixture_read(fixture_dir_file(from, &parts, part), &len);
    fixture_write(in_store(to, name), data, len, mode);
    free(data);
}

// make_plain makes a store as somebody would by hand, with files that are none of ours.
static void make_plain(void)
{
    char file[512];
    cr_assert_eq(mkdir(path, 0755), 0);
    for (size_t i = 0; i < COUNT(part_names); i++) {
        copy_part(part_names[i], part_names[i], part_modes[i]);
    }
    cr_assert_eq(mkdir(in_store(file, "generated_csr"), 0700), 0);
    copy_part("generated_csr/server.key", "renewed.key", 0600);
    fixture_write(in_store(file, "generated_csr/server.csr"), "request\n", 8, 0644);
    fixture_write(in_store(file, "notes.txt"), "mine\n", 5, 0640);
    fixture_write(in_store(file, ".notes"), "mine too\n", 9, 0640);
}

static struct ekb_identity identity_of(const struct fixture_pki *pki)
{
    return (struct ekb_identity){.chain = pki->chain, .key = pki->key};
}

static void write_identity(enum ekb_store_side side, const struct fixture_pki *pki)
{
    const struct ekb_identity identity = identity_of(pki);
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_store_write_identity(path, side, &identity, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

// make_linked makes the same store as make_plain, after a first change.
static void make_linked(void)
{
    make_plain();
    write_identity(EKB_STORE_SERVER, &server);
}

static struct ekb_change *begun(void)
{
    struct ekb_change *change = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_change_begin(&change, path, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return change;
}

static void commit(struct ekb_change *change)
{
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_change_commit(change, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

// Looking at stores.

static size_t num_with_prefix(const char *prefix)
{
    size_t found = 0;
    const struct dirent *entry = NULL;
    DIR *directory = opendir(path);
    cr_assert_not_null(directory, "%s", path);
    while ((entry = readdir(directory)) != NULL) {
        found += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 ? 1 : 0;
    }
    (void)closedir(directory);
    return found;
}

static bool same_chains(const struct ekb_chain *one, const struct ekb_chain *other)
{
    if (one == NULL || ekb_chain_len(one) != ekb_chain_len(other)) {
        return false;
    }
    for (size_t i = 0; i < ekb_chain_len(one); i++) {
        size_t len = 0;
        size_t other_len = 0;
        const uint8_t *der = ekb_chain_der(one, i, &len);
        const uint8_t *other_der = ekb_chain_der(other, i, &other_len);
        if (len != other_len || memcmp(der, other_der, len) != 0) {
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

// expect_pair_by_name reads a pair as another program would: by the names of its files.
static void expect_pair_by_name(const char *name, const char *certificate, const char *key)
{
    char file[512];
    struct ekb_fail fail = {0};
    struct ekb_chain *chain = NULL;
    struct ekb_key *private_key = NULL;
    const enum ekb_err err = ekb_chain_read_pem(&chain, in_store(file, certificate), &fail);
    const enum ekb_err key_err = ekb_key_read_pem(&private_key, in_store(file, key), &fail);
    cr_expect(err == EKB_OK && key_err == EKB_OK, "%s: %s", name, fail.detail);
    if (err == EKB_OK && key_err == EKB_OK) {
        cr_expect(ekb_chain_matches_key(chain, private_key), "%s: %s has another's key", name,
                  certificate);
    }
    ekb_chain_destroy(chain);
    ekb_key_destroy(private_key);
}

// What a change does, for tables.

static enum ekb_err put_identity(struct ekb_change *change)
{
    const struct ekb_identity identity = identity_of(&renewed);
    return ekb_change_put_identity(change, EKB_STORE_SERVER, &identity, NULL);
}

static enum ekb_err put_both(struct ekb_change *change)
{
    const struct ekb_identity identity = identity_of(&renewed);
    const enum ekb_err err = put_identity(change);
    return err != EKB_OK ? err : ekb_change_put_identity(change, EKB_STORE_CLIENT, &identity, NULL);
}

static enum ekb_err put_trust(struct ekb_change *change)
{
    return ekb_change_put_trust(change, fixture_pki_root(&client), NULL);
}

static enum ekb_err put_crls(struct ekb_change *change)
{
    return ekb_change_put_crls(change, longer_crls, NULL);
}

static enum ekb_err put_request(struct ekb_change *change)
{
    return ekb_change_put_request(change, EKB_STORE_CLIENT, "another request\n", renewed.key, NULL);
}

static enum ekb_err replace_request(struct ekb_change *change)
{
    return ekb_change_put_request(change, EKB_STORE_SERVER, "another request\n", client.key, NULL);
}

static enum ekb_err drop_request(struct ekb_change *change)
{
    ekb_change_drop_request(change, EKB_STORE_SERVER);
    return EKB_OK;
}

static enum ekb_err put_no_trust(struct ekb_change *change)
{
    struct ekb_chain *empty = ekb_chain_create();
    const enum ekb_err err = ekb_change_put_trust(change, empty, NULL);
    ekb_chain_destroy(empty);
    return err;
}

static const struct deed {
    const char *name;
    enum ekb_err (*run)(struct ekb_change *change);
} deeds[] = {
    {"put_identity", put_identity}, {"put_identity of both sides", put_both},
    {"put_trust", put_trust},       {"put_crls", put_crls},
    {"put_request", put_request},   {"put_request in the place of another", replace_request},
    {"drop_request", drop_request}, {"put_trust of an empty list", put_no_trust},
};

static const struct form {
    const char *name;
    void (*make)(void);
} forms[] = {{"plain", make_plain}, {"linked", make_linked}};

// Beginning, putting, giving up.

Test(change, makes_the_directory_when_it_is_missing)
{
    char file[512];
    struct ekb_change *change = begun();

    const enum ekb_err err = put_identity(change);
    commit(change);

    ekb_change_destroy(change);
    cr_assert_eq(err, EKB_OK);
    cr_expect_eq(fixture_mode(path), 0755u, "%04o", fixture_mode(path));
    cr_expect_eq(fixture_mode(in_store(file, "privkey.pem")), 0600u);
}

Test(change, shows_nothing_before_it_is_committed)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        for (size_t j = 0; j < COUNT(deeds); j++) {
            forms[i].make();
            const struct tree before = tree_of(path, TREE_BY_NAME);
            struct ekb_change *change = begun();

            cr_assert_eq(deeds[j].run(change), EKB_OK, "%s", deeds[j].name);
            const struct tree during = tree_of(path, TREE_BY_NAME);

            cr_expect_str_eq(during.text, before.text, "%s, %s: was\n%sis\n%s", forms[i].name,
                             deeds[j].name, before.text, during.text);
            ekb_change_destroy(change);
            fixture_dir_deinit(&dir);
            fixture_dir_init(&dir);
            (void)fixture_dir_file(path, &dir, "store");
        }
    }
}

Test(change, leaves_every_byte_when_it_is_given_up)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        for (size_t j = 0; j < COUNT(deeds); j++) {
            forms[i].make();
            const struct tree before = tree_of(path, TREE_RAW);
            struct ekb_change *change = begun();
            cr_assert_eq(deeds[j].run(change), EKB_OK, "%s", deeds[j].name);

            ekb_change_destroy(change);

            const struct tree after = tree_of(path, TREE_RAW);
            cr_expect_str_eq(after.text, before.text, "%s, %s: was\n%sis\n%s", forms[i].name,
                             deeds[j].name, before.text, after.text);
            fixture_dir_deinit(&dir);
            fixture_dir_init(&dir);
            (void)fixture_dir_file(path, &dir, "store");
        }
    }
}

Test(change, is_destroyed_when_null)
{
    ekb_change_destroy(NULL);
}

Test(change, puts_nothing_when_the_key_is_another_certificates)
{
    const struct ekb_identity mixed = {.chain = server.chain, .key = client.key};
    struct ekb_fail fail = {0};
    make_plain();
    const struct tree before = tree_of(path, TREE_BY_NAME);
    struct ekb_change *change = begun();

    const enum ekb_err err = ekb_change_put_identity(change, EKB_STORE_SERVER, &mixed, &fail);
    commit(change);

    ekb_change_destroy(change);
    const struct tree after = tree_of(path, TREE_BY_NAME);
    cr_expect_eq(err, EKB_KEY_MISMATCH, "%s: %s", ekb_err_name(err), fail.detail);
    cr_expect_str_eq(after.text, before.text, "was\n%sis\n%s", before.text, after.text);
}

Test(change, makes_all_that_was_put_visible_when_committed)
{
    make_plain();
    struct ekb_change *change = begun();
    cr_assert_eq(put_both(change), EKB_OK);
    cr_assert_eq(put_trust(change), EKB_OK);

    commit(change);

    ekb_change_destroy(change);
    struct ekb_store *store = loaded(ALL);
    cr_expect(same_chains(ekb_store_identity(store, EKB_STORE_SERVER)->chain, renewed.chain));
    cr_expect(same_chains(ekb_store_identity(store, EKB_STORE_CLIENT)->chain, renewed.chain));
    cr_expect(same_chains(ekb_store_trust(store), fixture_pki_root(&client)));
    ekb_store_destroy(store);
}

Test(change, keeps_an_empty_list_when_nobody_is_trusted)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        forms[i].make();
        struct ekb_change *change = begun();
        cr_assert_eq(put_no_trust(change), EKB_OK);

        commit(change);

        ekb_change_destroy(change);
        struct ekb_store *store = loaded(EKB_STORE_NEED_TRUST);
        cr_expect_eq(ekb_chain_len(ekb_store_trust(store)), 0u, "%s", forms[i].name);
        ekb_store_destroy(store);
        fixture_dir_deinit(&dir);
        fixture_dir_init(&dir);
        (void)fixture_dir_file(path, &dir, "store");
    }
}

// Forms of a store.

Test(change, keeps_content_and_modes_when_a_plain_store_is_converted)
{
    make_plain();
    const struct tree before = tree_of(path, TREE_BY_NAME);

    struct ekb_change *change = begun();
    commit(change);
    ekb_change_destroy(change);

    const struct tree after = tree_of(path, TREE_BY_NAME);
    cr_expect_str_eq(after.text, before.text, "was\n%sis\n%s", before.text, after.text);
}

Test(change, turns_each_file_into_a_link_when_a_plain_store_is_converted)
{
    char file[512];
    char target[64];
    char wanted[64];
    make_plain();

    write_identity(EKB_STORE_SERVER, &renewed);

    for (size_t i = 0; i < COUNT(part_names); i++) {
        const ssize_t len = readlink(in_store(file, part_names[i]), target, sizeof target - 1);
        (void)snprintf(wanted, sizeof wanted, ".data/%s", part_names[i]);
        target[len > 0 ? len : 0] = '\0';
        cr_expect_str_eq(target, wanted, "%s: \"%s\"", part_names[i], target);
    }
}

Test(change, keeps_files_that_are_none_of_its_own)
{
    // Named as change names its own things, but for a letter.
    static const char *const mine[] = {".link.mine", ".data.backup1", ".data.back-p"};
    char file[512];
    make_plain();
    for (size_t i = 0; i < COUNT(mine); i++) {
        fixture_write(in_store(file, mine[i]), "mine\n", 5, 0640);
    }

    write_identity(EKB_STORE_SERVER, &renewed);
    write_identity(EKB_STORE_SERVER, &server);

    for (size_t i = 0; i < COUNT(mine); i++) {
        cr_expect_eq(access(in_store(file, mine[i]), F_OK), 0, "%s is gone", mine[i]);
    }
    char *notes = fixture_read(in_store(file, "notes.txt"), NULL);
    char *hidden = fixture_read(in_store(file, ".notes"), NULL);
    cr_expect_str_eq(notes, "mine\n");
    cr_expect_str_eq(hidden, "mine too\n");
    cr_expect_eq(fixture_mode(in_store(file, "notes.txt")), 0640u);
    free(notes);
    free(hidden);
}

// As certbot's hooks and hasty people do it: mv new.pem store/server.pem.
Test(change, takes_over_what_somebody_put_in_the_place_of_a_link)
{
    char from[512];
    char to[512];
    make_linked();
    copy_part("new.pem", "renewed.pem", 0644);
    copy_part("new.key", "renewed.key", 0600);
    cr_assert_eq(rename(in_store(from, "new.pem"), in_store(to, "server.pem")), 0);
    cr_assert_eq(rename(in_store(from, "new.key"), in_store(to, "privkey.pem")), 0);

    write_identity(EKB_STORE_CLIENT, &renewed);

    struct ekb_store *store = loaded(ALL);
    struct stat status;
    cr_expect(same_chains(ekb_store_identity(store, EKB_STORE_SERVER)->chain, renewed.chain));
    cr_expect_eq(lstat(in_store(to, "server.pem"), &status), 0);
    cr_expect(S_ISLNK(status.st_mode), "server.pem: mode %o", (unsigned)status.st_mode);
    cr_expect_eq(num_with_prefix(".data."), 1u, "%zu generations", num_with_prefix(".data."));
    ekb_store_destroy(store);
}

// As with /etc/letsencrypt/live: the names are links already, to somewhere else.
Test(change, is_seen_when_the_names_were_somebodys_own_links)
{
    char from[512];
    char to[512];
    cr_assert_eq(mkdir(path, 0755), 0);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(
            symlink(fixture_dir_file(from, &parts, part_names[i]), in_store(to, part_names[i])), 0);
    }

    write_identity(EKB_STORE_SERVER, &renewed);

    struct ekb_store *store = loaded(EKB_STORE_NEED_SERVER);
    cr_expect(same_chains(ekb_store_identity(store, EKB_STORE_SERVER)->chain, renewed.chain),
              "the store shows the old certificate");
    char *original = fixture_read(fixture_dir_file(from, &parts, "server.pem"), NULL);
    char *ours = ekb_chain_to_pem(server.chain);
    cr_expect_str_eq(original, ours, "what the link led to was written over");
    free(original);
    free(ours);
    ekb_store_destroy(store);
}

Test(change, sweeps_what_a_killed_one_has_left)
{
    char file[512];
    make_linked();
    cr_assert_eq(mkdir(in_store(file, ".data.dead01"), 0755), 0);
    copy_part(".data.dead01/privkey.pem", "renewed.key", 0600);
    cr_assert_eq(mkdir(in_store(file, ".data.dead02"), 0755), 0);
    cr_assert_eq(symlink(".data.dead01", in_store(file, ".link.new")), 0);

    write_identity(EKB_STORE_SERVER, &renewed);

    cr_expect_eq(num_with_prefix(".data."), 1u, "%zu generations", num_with_prefix(".data."));
    cr_expect_eq(num_with_prefix(".link."), 0u, "%zu links", num_with_prefix(".link."));
}

Test(change, leaves_one_generation_when_committed)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        forms[i].make();

        write_identity(EKB_STORE_SERVER, &renewed);

        cr_expect_eq(num_with_prefix(".data."), 1u, "%s: %zu", forms[i].name,
                     num_with_prefix(".data."));
        cr_expect_eq(num_with_prefix(".link."), 0u, "%s", forms[i].name);
        fixture_dir_deinit(&dir);
        fixture_dir_init(&dir);
        (void)fixture_dir_file(path, &dir, "store");
    }
}

// A link that leads nowhere is no file: a store that was never finished is empty.
Test(change, leaves_an_empty_store_empty_when_the_first_one_is_killed)
{
    for (int at = 1; at < 100; at++) {
        int status = 0;
        const pid_t child = fork();
        if (child == 0) {
            char number[16];
            (void)snprintf(number, sizeof number, "%d", at);
            (void)setenv("EKUBENCH_FAULT_AT", number, 1);
            write_identity(EKB_STORE_SERVER, &server);
            _exit(0);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        const struct tree view = tree_of(path, TREE_BY_NAME);
        const bool is_empty = ekb_store_find(path, NULL) == EKB_NOT_FOUND;

        cr_expect_eq(is_empty, view.len == 0, "killed at %d: %s, but by name there is:\n%s", at,
                     is_empty ? "empty" : "not empty", view.text);

        fixture_dir_deinit(&dir);
        fixture_dir_init(&dir);
        (void)fixture_dir_file(path, &dir, "store");
        if (!WIFSIGNALED(status)) {
            cr_assert_gt(at, 4, "only %d fault points", at - 1);
            return;
        }
    }
    cr_assert_fail("never done");
}

// Being killed.

// killed_at makes the change in a process that is killed at the fault point `at` (0: none). False
// if it came to its end.
static bool killed_at(const struct deed *deed, int at)
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        char number[16];
        struct ekb_change *change = NULL;
        (void)snprintf(number, sizeof number, "%d", at);
        (void)setenv("EKUBENCH_FAULT_AT", number, 1);
        const bool done = ekb_change_begin(&change, path, NULL) == EKB_OK &&
                          deed->run(change) == EKB_OK && ekb_change_commit(change, NULL) == EKB_OK;
        ekb_change_destroy(change);
        _exit(done ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        cr_assert_eq(WTERMSIG(status), SIGKILL, "%s at %d: signal %d", deed->name, at,
                     WTERMSIG(status));
        return true;
    }
    cr_assert_eq(WEXITSTATUS(status), 0, "%s at %d failed", deed->name, at);
    return false;
}

static void start_anew(const struct form *form)
{
    fixture_dir_deinit(&dir);
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "store");
    form->make();
}

// expect_whole looks at a store after a kill, and after the next change.
static void expect_whole(const char *name, const struct tree *before, const struct tree *after)
{
    const struct tree got = tree_of(path, TREE_BY_NAME);
    cr_expect(strcmp(got.text, before->text) == 0 || strcmp(got.text, after->text) == 0,
              "%s: neither old\n%snor new\n%sbut\n%s", name, before->text, after->text, got.text);
    expect_pair_by_name(name, "server.pem", "privkey.pem");
    expect_pair_by_name(name, "client.pem", "clientprivkey.pem");
    struct ekb_store *store = loaded(EKB_STORE_NEED_SERVER | EKB_STORE_NEED_CLIENT);
    ekb_store_destroy(store);

    struct ekb_change *next = begun();
    commit(next);
    ekb_change_destroy(next);

    const struct tree settled = tree_of(path, TREE_BY_NAME);
    cr_expect_str_eq(settled.text, got.text, "%s: the next change: was\n%sis\n%s", name, got.text,
                     settled.text);
    cr_expect_eq(num_with_prefix(".data."), 1u, "%s: %zu generations", name,
                 num_with_prefix(".data."));
    cr_expect_eq(num_with_prefix(".link."), 0u, "%s: a link is left", name);
}

static void survives(const struct form *form)
{
    for (size_t i = 0; i < COUNT(deeds); i++) {
        start_anew(form);
        const struct tree before = tree_of(path, TREE_BY_NAME);
        cr_assert(!killed_at(&deeds[i], 0));
        const struct tree after = tree_of(path, TREE_BY_NAME);
        cr_assert_str_neq(after.text, before.text, "%s changes nothing", deeds[i].name);
        int at = 1;
        for (bool killed = true; killed && at < 100; at++) {
            char name[128];
            start_anew(form);
            (void)snprintf(name, sizeof name, "%s store, %s, killed at %d", form->name,
                           deeds[i].name, at);

            killed = killed_at(&deeds[i], at);

            expect_whole(name, &before, &after);
        }
        cr_expect_gt(at, 5, "%s: only %d fault points", deeds[i].name, at - 2);
    }
}

Test(change, is_all_or_nothing_when_killed_over_a_plain_store, .timeout = 100)
{
    survives(&forms[0]);
}

Test(change, is_all_or_nothing_when_killed_over_a_linked_store, .timeout = 100)
{
    survives(&forms[1]);
}

// A link to this target is not made: the process is killed instead. For a moment that has no fault
// point. The library under test is linked statically, and calls this one.
static const char *deadly_target;

int symlink(const char *target, const char *link)
{
    if (deadly_target != NULL && strcmp(target, deadly_target) == 0) {
        (void)raise(SIGKILL);
    }
    return symlinkat(target, AT_FDCWD, link);
}

Test(change, keeps_the_pending_request_when_killed_while_its_directory_is_converted)
{
    int status = 0;
    make_plain();
    const struct tree before = tree_of(path, TREE_BY_NAME);
    const pid_t child = fork();
    if (child == 0) {
        deadly_target = ".data/generated_csr";
        write_identity(EKB_STORE_SERVER, &server);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %d", status);

    write_identity(EKB_STORE_SERVER, &server);

    const struct tree after = tree_of(path, TREE_BY_NAME);
    cr_expect_str_eq(after.text, before.text, "was\n%sis\n%s", before.text, after.text);
}

// Several at once.

// What readers tell their parent.
struct report {
    volatile bool stop;
    volatile unsigned long num_readings;
    char text[600]; // What went wrong.
};

static struct report *report_create(void)
{
    struct report *report =
        mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(report, MAP_FAILED);
    return report;
}

static void read_by_library(struct report *report)
{
    while (!report->stop && report->text[0] == '\0') {
        struct ekb_store *store = NULL;
        struct ekb_fail fail = {0};
        const enum ekb_err err = ekb_store_load(&store, path, ALL, &fail);
        if (err != EKB_OK) {
            (void)snprintf(report->text, sizeof report->text, "%s: %s", ekb_err_name(err),
                           fail.detail);
            return;
        }
        const struct ekb_chain *chain = ekb_store_identity(store, EKB_STORE_SERVER)->chain;
        if (!same_chains(chain, server.chain) && !same_chains(chain, renewed.chain)) {
            (void)snprintf(report->text, sizeof report->text, "neither the old nor the new one");
        }
        ekb_store_destroy(store);
        report->num_readings++;
    }
}

static ssize_t read_at(int directory, const char *name, char *out_text, size_t text_len)
{
    const int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    const ssize_t len = fd >= 0 ? read(fd, out_text, text_len) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    return len;
}

// open_generation opens what `link` points to. A path is resolved in two steps, the link and then
// its target, and if both the change and the removal of the old generation fall in between, there
// is no such directory: it is opened anew, as the header tells readers to.
static int open_generation(const char *link)
{
    int opened = -1;
    for (unsigned i = 0; i < 100 && opened < 0; i++) {
        opened = open(link, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (opened < 0 && errno != ENOENT) {
            break;
        }
    }
    return opened;
}

// read_raw opens the generation once, and the files in it. One that has gone is opened anew.
static void read_raw(struct report *report)
{
    char old_certificate[8192] = "";
    char old_key[8192] = "";
    char new_certificate[8192] = "";
    char new_key[8192] = "";
    char link[512];
    const int from = open(parts.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)read_at(from, "server.pem", old_certificate, sizeof old_certificate - 1);
    (void)read_at(from, "privkey.pem", old_key, sizeof old_key - 1);
    (void)read_at(from, "renewed.pem", new_certificate, sizeof new_certificate - 1);
    (void)read_at(from, "renewed.key", new_key, sizeof new_key - 1);
    (void)in_store(link, ".data");
    while (!report->stop && report->text[0] == '\0') {
        char certificate[8192] = "";
        char key[8192] = "";
        const int generation = open_generation(link);
        if (generation < 0) {
            (void)snprintf(report->text, sizeof report->text, ".data: %s", strerror(errno));
            return;
        }
        if (read_at(generation, "server.pem", certificate, sizeof certificate - 1) > 0 &&
            read_at(generation, "privkey.pem", key, sizeof key - 1) > 0) {
            const bool is_old =
                strcmp(certificate, old_certificate) == 0 && strcmp(key, old_key) == 0;
            const bool is_new =
                strcmp(certificate, new_certificate) == 0 && strcmp(key, new_key) == 0;
            report->num_readings++;
            if (!is_old && !is_new) {
                (void)snprintf(report->text, sizeof report->text, "a mixed pair");
            }
        }
        (void)close(generation);
    }
}

static pid_t start_reader(void (*read)(struct report *report), struct report *report)
{
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        read(report);
        _exit(0);
    }
    return child;
}

static void readers_see_no_mixture(void (*make)(void), void (*read)(struct report *report))
{
    struct report *report = report_create();
    make();
    const pid_t reader = start_reader(read, report);

    for (unsigned i = 0; i < NUM_CHANGES && report->text[0] == '\0'; i++) {
        write_identity(EKB_STORE_SERVER, i % 2 == 0 ? &renewed : &server);
    }
    report->stop = true;

    cr_assert_eq(waitpid(reader, NULL, 0), reader);
    cr_expect_str_eq(report->text, "", "after %lu readings: %s", report->num_readings,
                     report->text);
    cr_expect_gt(report->num_readings, 20u, "%lu readings", report->num_readings);
    (void)munmap(report, sizeof *report);
}

Test(change, is_seen_whole_by_readers_of_this_library)
{
    readers_see_no_mixture(make_linked, read_by_library);
}

Test(change, is_seen_whole_by_readers_of_the_generation)
{
    readers_see_no_mixture(make_linked, read_raw);
}

// The moment in which it turns from one form into the other, again and again.
Test(change, is_seen_whole_by_readers_when_a_plain_store_is_converted)
{
    char file[512];
    struct report *report = report_create();
    make_plain();
    const pid_t reader = start_reader(read_by_library, report);

    for (unsigned i = 0; i < 100 && report->text[0] == '\0'; i++) {
        static const char *const names[] = {"client.pem", "ca.pem", "client-ca.crl"};
        write_identity(EKB_STORE_SERVER, i % 2 == 0 ? &renewed : &server);
        for (size_t j = 0; j < COUNT(names); j++) {
            char from[512];
            copy_part("new.pem", names[j], 0644);
            cr_assert_eq(rename(in_store(from, "new.pem"), in_store(file, names[j])), 0);
        }
    }
    report->stop = true;

    cr_assert_eq(waitpid(reader, NULL, 0), reader);
    cr_expect_str_eq(report->text, "", "after %lu readings: %s", report->num_readings,
                     report->text);
    cr_expect_gt(report->num_readings, 10u, "%lu readings", report->num_readings);
    (void)munmap(report, sizeof *report);
}

// add_trusted adds one CA to the list, in a change of its own.
static bool add_trusted(const struct ekb_chain *ca)
{
    struct ekb_change *change = NULL;
    struct ekb_store *store = NULL;
    struct ekb_chain *trust = ekb_chain_create();
    bool done = ekb_change_begin(&change, path, NULL) == EKB_OK &&
                ekb_store_load(&store, path, 0, NULL) == EKB_OK;
    const struct ekb_chain *present = done ? ekb_store_trust(store) : NULL;
    for (size_t i = 0; done && present != NULL && i < ekb_chain_len(present); i++) {
        done = ekb_chain_append(trust, present, i) == EKB_OK;
    }
    done = done && ekb_chain_append(trust, ca, 0) == EKB_OK &&
           ekb_change_put_trust(change, trust, NULL) == EKB_OK &&
           ekb_change_commit(change, NULL) == EKB_OK;
    ekb_change_destroy(change);
    ekb_store_destroy(store);
    ekb_chain_destroy(trust);
    return done;
}

static void add_many(unsigned writer)
{
    for (int i = 0; i < NUM_ADDED; i++) {
        char common_name[64];
        struct ekb_ca *ca = NULL;
        const struct ekb_mint_ca spec = {.common_name = common_name,
                                         .key_type = EKB_KEY_P256,
                                         .not_before = FIXTURE_NOT_BEFORE,
                                         .not_after = FIXTURE_NOT_AFTER};
        (void)snprintf(common_name, sizeof common_name, "CA %d of writer %u", i, writer);
        if (ekb_ca_create_root(&ca, &spec, NULL) != EKB_OK ||
            !add_trusted(ekb_ca_certificate(ca))) {
            _exit(1);
        }
        ekb_ca_destroy(ca);
    }
    _exit(0);
}

Test(change, loses_none_when_two_are_made_at_once)
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

// Whoever waits in vain also leaves alone what the other one is at.
Test(change, is_refused_when_another_does_not_end, .timeout = 40)
{
    struct ekb_change *second = NULL;
    struct ekb_fail fail = {0};
    make_linked();
    struct ekb_change *first = begun();
    cr_assert_eq(put_identity(first), EKB_OK);
    const struct tree during = tree_of(path, TREE_RAW);
    const uint64_t begin_ns = ekb_clock_now_ns();

    const enum ekb_err err = ekb_change_begin(&second, path, &fail);
    const double waited_s = (double)(ekb_clock_now_ns() - begin_ns) / 1e9;

    cr_expect_eq(err, EKB_LOCKED, "%s: %s", ekb_err_name(err), fail.detail);
    cr_expect_null(second);
    cr_expect(waited_s > 9 && waited_s < 13, "%.1f s", waited_s);
    const struct tree left = tree_of(path, TREE_RAW);
    cr_expect_str_eq(left.text, during.text, "was\n%sis\n%s", during.text, left.text);
    commit(first);
    ekb_change_destroy(first);
    struct ekb_store *store = loaded(ALL);
    cr_expect(same_chains(ekb_store_identity(store, EKB_STORE_SERVER)->chain, renewed.chain));
    ekb_store_destroy(store);
}

Test(change, waits_when_another_ends_soon)
{
    int status = 0;
    make_linked();
    struct ekb_change *first = begun();
    const pid_t child = fork();
    if (child == 0) {
        struct ekb_change *second = NULL;
        // Its copy of the first one's descriptor would hold the lock with it.
        for (int fd = 3; fd < 256; fd++) {
            (void)close(fd);
        }
        _exit(ekb_change_begin(&second, path, NULL) == EKB_OK ? 0 : 1);
    }

    (void)usleep(300000);
    ekb_change_destroy(first);

    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}

// Permissions.

static void cannot_begin(const char *name, bool locked_before)
{
    int status = 0;
    char file[512];
    make_plain();
    if (locked_before) {
        fixture_write(in_store(file, ".lock"), "", 0, 0666);
    }
    cr_assert_eq(chmod(dir.path, 0755), 0);
    cr_assert_eq(chmod(path, 0555), 0);
    const struct tree before = tree_of(path, TREE_RAW);

    const pid_t child = fork();
    if (child == 0) {
        struct ekb_change *change = NULL;
        if (geteuid() == 0 && setuid(NOBODY) != 0) {
            _exit(99);
        }
        _exit((int)ekb_change_begin(&change, path, NULL));
    }
    cr_assert_eq(waitpid(child, &status, 0), child);

    const enum ekb_err err = (enum ekb_err)WEXITSTATUS(status);
    const struct tree after = tree_of(path, TREE_RAW);
    cr_assert(WIFEXITED(status), "%s: status %d", name, status);
    cr_expect_eq(err, EKB_PERMISSION, "%s: %s", name, ekb_err_name(err));
    cr_expect_str_eq(after.text, before.text, "%s: was\n%sis\n%s", name, before.text, after.text);
}

Test(change, is_refused_when_the_directory_is_read_only)
{
    cannot_begin("no lock yet", false);
}

Test(change, is_refused_when_the_directory_is_read_only_but_the_lock_can_be_had)
{
    cannot_begin("a lock of everybody's", true);
}
