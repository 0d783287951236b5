#include "ekubench/store/admin.h"

#include "ekubench/base/file.h"
#include "ekubench/pki/mint.h"
#include "ekubench/store/change.h"
#include "store/store_internal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_VALIDITY_S (INT64_C(365) * 24 * 3600)
#define BACKDATE_S INT64_C(3600)
#define MAX_REQUEST_LEN (64u << 10)

enum ekb_err ekb_store_tell(const struct ekb_fail *fault, const char *otherwise,
                            struct ekb_fail *reterr_fail)
{
    if (fault->err == EKB_OK) {
        return ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s", otherwise);
    }
    if (reterr_fail != NULL) {
        *reterr_fail = *fault;
    }
    return fault->err;
}

// Signing requests.

// expect_no_request refuses if there is a request or its key, good or bad.
static enum ekb_err expect_no_request(const char *path, enum ekb_store_side side,
                                      struct ekb_fail *reterr_fail)
{
    const char *const names[] = {ekb_store_names[side].request, ekb_store_names[side].request_key};
    for (size_t i = 0; i < 2; i++) {
        char *file = ekb_file_join(path, names[i]);
        if (file == NULL) {
            return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
        }
        const bool is_there = access(file, F_OK) == 0;
        free(file);
        if (is_there) {
            return ekb_fail_say(reterr_fail, EKB_REFUSED_PENDING,
                                "There is a certificate signing request in progress; `csr discard` "
                                "discards it and its key first, --force replaces them");
        }
    }
    return EKB_OK;
}

enum ekb_err ekb_admin_csr_new(const char *path, enum ekb_store_side side,
                               enum ekb_key_type key_type, const struct ekb_csr_spec *spec,
                               enum ekb_csr_mode mode, struct ekb_fail *reterr_fail)
{
    struct ekb_key *key = NULL;
    struct ekb_change *change = NULL;
    char *pem = NULL;
    enum ekb_err err = ekb_store_find(path, reterr_fail);
    if (err == EKB_OK && mode == EKB_CSR_KEEP) {
        err = expect_no_request(path, side, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_key_generate(&key, key_type, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_csr_create(&pem, key, spec, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    if (err == EKB_OK && mode == EKB_CSR_KEEP) {
        err = expect_no_request(path, side, reterr_fail); // Somebody may have been quicker.
    }
    if (err == EKB_OK) {
        err = ekb_change_put_request(change, side, pem, key, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    ekb_key_destroy(key);
    free(pem);
    return err;
}

enum ekb_err ekb_admin_csr_read(char **out_pem, const char *path, enum ekb_store_side side,
                                struct ekb_fail *reterr_fail)
{
    uint8_t *text = NULL;
    size_t text_len = 0;
    enum ekb_err err = ekb_store_find(path, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    char *file = ekb_file_join(path, ekb_store_names[side].request);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    err = ekb_file_read(&text, &text_len, file, MAX_REQUEST_LEN, reterr_fail);
    free(file);
    if (err == EKB_NOT_FOUND) {
        return ekb_fail_say(reterr_fail, err, EKB_STORE_NO_REQUEST);
    }
    if (err == EKB_OK) {
        *out_pem = (char *)text;
    }
    return err;
}

enum ekb_err ekb_admin_csr_discard(const char *path, enum ekb_store_side side,
                                   struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = NULL;
    enum ekb_err err = ekb_store_find(path, reterr_fail);
    if (err == EKB_OK && expect_no_request(path, side, NULL) == EKB_OK) {
        err = ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s", EKB_STORE_NO_REQUEST);
    }
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    if (err == EKB_OK) {
        ekb_change_drop_request(change, side);
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    return err;
}

// Init, reset and upgrade.

static enum ekb_err make_default(struct ekb_identity *identity, const struct ekb_admin_host *host,
                                 int64_t now, struct ekb_fail *reterr_fail)
{
    const bool has_names = host->num_dns_names > 0;
    const struct ekb_mint_leaf spec = {.common_name = host->name,
                                       .key_type = host->key_type,
                                       .eku = EKB_EKU_SERVER_AUTH,
                                       .not_before = now - BACKDATE_S,
                                       .not_after = now + DEFAULT_VALIDITY_S,
                                       .dns_names = has_names ? host->dns_names : &host->name,
                                       .num_dns_names = has_names ? host->num_dns_names : 1,
                                       .ip_addresses = host->ip_addresses,
                                       .num_ip_addresses = host->num_ip_addresses};
    return ekb_mint_self_signed(&identity->chain, &identity->key, &spec, reterr_fail);
}

enum ekb_err ekb_admin_reset(const char *path, const struct ekb_admin_host *host, int64_t now,
                             struct ekb_fail *reterr_fail)
{
    struct ekb_identity identity = {0};
    enum ekb_err err = ekb_store_find(path, reterr_fail);
    if (err == EKB_OK) {
        err = make_default(&identity, host, now, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_store_write_identity(path, EKB_STORE_SERVER, &identity, reterr_fail);
    }
    ekb_chain_destroy(identity.chain);
    ekb_key_destroy(identity.key);
    return err;
}

// expect_none is EKB_OK if there is no store.
static enum ekb_err expect_none(const char *path, struct ekb_fail *reterr_fail)
{
    const enum ekb_err err = ekb_store_find(path, reterr_fail);
    if (err == EKB_OK) {
        return ekb_fail_say(reterr_fail, EKB_EXISTS,
                            "%s holds a store already; `reset` replaces its server certificate",
                            path);
    }
    return err == EKB_NOT_FOUND ? EKB_OK : err;
}

enum ekb_err ekb_admin_init(const char *path, const struct ekb_admin_host *host, int64_t now,
                            struct ekb_fail *reterr_fail)
{
    struct ekb_identity identity = {0};
    struct ekb_change *change = NULL;
    enum ekb_err err = expect_none(path, reterr_fail);
    if (err == EKB_OK) {
        err = make_default(&identity, host, now, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    if (err == EKB_OK) {
        err = expect_none(path, reterr_fail); // Somebody else may have been quicker.
    }
    if (err == EKB_OK) {
        err = ekb_change_put_identity(change, EKB_STORE_SERVER, &identity, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    ekb_chain_destroy(identity.chain);
    ekb_key_destroy(identity.key);
    return err;
}

// find_pair reads the store whose server's pair is to be copied, and says whether that is to be
// done.
static enum ekb_err find_pair(struct ekb_store **out_store, enum ekb_upgrade *out_upgrade,
                              const char *path, enum ekb_upgrade_mode mode,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    enum ekb_err err = ekb_store_survey(&store, path, EKB_STORE_ALL, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_fail *fault = ekb_store_fault(store, EKB_STORE_PART_SERVER);
    if (fault->err != EKB_OK || ekb_store_identity(store, EKB_STORE_SERVER)->chain == NULL) {
        err = ekb_store_tell(fault, "There is no server certificate to be copied", reterr_fail);
        ekb_store_destroy(store);
        return err;
    }
    // Something faulty is something that exists.
    const struct ekb_identity *client = ekb_store_identity(store, EKB_STORE_CLIENT);
    const bool has_client = client->chain != NULL || client->key != NULL ||
                            ekb_store_fault(store, EKB_STORE_PART_CLIENT)->err != EKB_OK;
    *out_upgrade = has_client && mode == EKB_UPGRADE_KEEP ? EKB_UPGRADE_KEPT : EKB_UPGRADE_COPIED;
    *out_store = store;
    return EKB_OK;
}

enum ekb_err ekb_admin_upgrade(enum ekb_upgrade *out_upgrade, const char *path,
                               enum ekb_upgrade_mode mode, struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = NULL;
    struct ekb_store *store = NULL;
    enum ekb_upgrade upgrade = EKB_UPGRADE_KEPT;
    enum ekb_err err = find_pair(&store, &upgrade, path, mode, reterr_fail);
    if (err == EKB_OK && upgrade == EKB_UPGRADE_COPIED) {
        ekb_store_destroy(store);
        store = NULL;
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    if (err == EKB_OK && change != NULL) {
        err = find_pair(&store, &upgrade, path, mode, reterr_fail);
    }
    if (err == EKB_OK && change != NULL && upgrade == EKB_UPGRADE_COPIED) {
        err = ekb_change_put_identity(change, EKB_STORE_CLIENT,
                                      ekb_store_identity(store, EKB_STORE_SERVER), reterr_fail);
        if (err == EKB_OK) {
            err = ekb_change_commit(change, reterr_fail);
        }
    }
    ekb_change_destroy(change);
    ekb_store_destroy(store);
    if (err == EKB_OK) {
        *out_upgrade = upgrade;
    }
    return err;
}
