#include "support/stores.h"

#include "ekubench/base/file.h"
#include "ekubench/store/store.h"

#include <criterion/criterion.h>

#include <stdio.h>

static void write_trust(char out_path[512], const struct fixture_dir *dir, const char *name,
                        const struct fixture_pki *trusted)
{
    struct ekb_fail fail = {0};

    (void)fixture_dir_file(out_path, dir, name);
    enum ekb_err err = ekb_file_make_dirs(out_path, 0755, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", name, fail.detail);
    err = ekb_store_write_trust(out_path, fixture_pki_root(trusted), &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", name, fail.detail);
}

static void write_store(char out_path[512], const struct fixture_dir *dir, const char *name,
                        enum ekb_store_side side, const struct fixture_pki *pki,
                        const struct fixture_pki *trusted)
{
    struct ekb_fail fail = {0};
    const struct ekb_identity identity = {.chain = pki->chain, .key = pki->key};

    write_trust(out_path, dir, name, trusted);
    const enum ekb_err err = ekb_store_write_identity(out_path, side, &identity, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", name, fail.detail);
}

// issue gives a copy of `pki` with another end entity; the CAs stay those of `pki`.
static struct fixture_pki issue(const struct fixture_pki *pki, unsigned eku)
{
    struct fixture_pki issued = *pki;
    struct ekb_fail fail = {0};
    const struct ekb_mint_leaf leaf = {.common_name = "client.example",
                                       .key_type = EKB_KEY_P256,
                                       .eku = eku,
                                       .not_before = FIXTURE_NOT_BEFORE,
                                       .not_after = FIXTURE_NOT_AFTER};
    const enum ekb_err err =
        ekb_ca_issue(&issued.chain, &issued.key, pki->cas[pki->depth - 1], &leaf, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return issued;
}

static void destroy_issued(struct fixture_pki *issued)
{
    ekb_chain_destroy(issued->chain);
    ekb_key_destroy(issued->key);
}

void store_fixture_init(struct store_fixture *out_stores)
{
    struct fixture_pki pki;
    struct fixture_pki other;
    struct fixture_dir *dir = &out_stores->dir;

    fixture_dir_init(dir);
    fixture_pki_init(&pki, &(struct fixture_pki_spec){
                               .key_type = EKB_KEY_P256, .depth = 2, .eku = EKB_EKU_SERVER_AUTH});
    fixture_pki_init(&other, &(struct fixture_pki_spec){
                                 .key_type = EKB_KEY_P256, .depth = 1, .eku = EKB_EKU_CLIENT_AUTH});
    struct fixture_pki client = issue(&pki, EKB_EKU_CLIENT_AUTH);
    struct fixture_pki wrong_eku = issue(&pki, EKB_EKU_SERVER_AUTH);

    write_store(out_stores->server, dir, "server", EKB_STORE_SERVER, &pki, &pki);
    write_store(out_stores->client, dir, "client", EKB_STORE_CLIENT, &client, &pki);
    write_store(out_stores->wrong_eku, dir, "wrong-eku", EKB_STORE_CLIENT, &wrong_eku, &pki);
    write_trust(out_stores->anonymous, dir, "anonymous", &pki);
    write_store(out_stores->stranger, dir, "stranger", EKB_STORE_CLIENT, &other, &pki);
    write_store(out_stores->doubter, dir, "doubter", EKB_STORE_CLIENT, &client, &other);

    destroy_issued(&client);
    destroy_issued(&wrong_eku);
    fixture_pki_deinit(&pki);
    fixture_pki_deinit(&other);
}

void store_fixture_deinit(struct store_fixture *stores)
{
    fixture_dir_deinit(&stores->dir);
}
