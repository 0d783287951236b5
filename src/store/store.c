#include "ekubench/store/store.h"

#include "ekubench/base/file.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRUST_NAME "ca.pem"
#define CRLS_NAME "client-ca.crl"

static const struct {
    const char *certificate_name;
    const char *key_name;
    unsigned need;
} sides[EKB_STORE_NUM_SIDES] = {
    [EKB_STORE_SERVER] = {"server.pem", "privkey.pem", EKB_STORE_NEED_SERVER},
    [EKB_STORE_CLIENT] = {"client.pem", "clientprivkey.pem", EKB_STORE_NEED_CLIENT},
};

struct ekb_store {
    struct ekb_identity identities[EKB_STORE_NUM_SIDES];
    struct ekb_chain *trust;
    struct ekb_crls *crls;
};

// The paths of a pair of files.
struct pair {
    char *certificate;
    char *key;
};

static void pair_deinit(struct pair *pair)
{
    free(pair->certificate);
    free(pair->key);
}

static enum ekb_err pair_init(struct pair *out_pair, const char *path, enum ekb_store_side side,
                              struct ekb_fail *reterr_fail)
{
    struct pair pair = {.certificate = ekb_file_join(path, sides[side].certificate_name),
                        .key = ekb_file_join(path, sides[side].key_name)};
    if (pair.certificate == NULL || pair.key == NULL) {
        pair_deinit(&pair);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    *out_pair = pair;
    return EKB_OK;
}

// Reading.

// check_private is about the file's mode only: whoever can replace it has the directory, and needs
// no key.
static enum ekb_err check_private(const char *path, struct ekb_fail *reterr_fail)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        // Reading it will say so too, and why.
        return EKB_OK;
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return ekb_fail_set(reterr_fail, EKB_PERMISSION, 0,
                            "%s has mode %04o; a private key is for its owner only (0600)", path,
                            (unsigned)(status.st_mode & 07777));
    }
    return EKB_OK;
}

// read_halves reads both files of `pair`. A missing one leaves NULL and is no error.
static enum ekb_err read_halves(struct ekb_identity *identity, const struct pair *pair,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {0};

    enum ekb_err err = ekb_chain_read_pem(&identity->chain, pair->certificate, &fail);
    if (err == EKB_OK || err == EKB_NOT_FOUND) {
        err = check_private(pair->key, &fail);
    }
    if (err == EKB_OK) {
        err = ekb_key_read_pem(&identity->key, pair->key, &fail);
    }
    if (err == EKB_OK || err == EKB_NOT_FOUND) {
        return EKB_OK;
    }
    if (reterr_fail != NULL) {
        *reterr_fail = fail;
    }
    return err;
}

// load_identity reads the identity of `side`. What it has read on failure is for the caller to
// free.
static enum ekb_err load_identity(struct ekb_identity *identity, const char *path,
                                  enum ekb_store_side side, unsigned need,
                                  struct ekb_fail *reterr_fail)
{
    struct pair pair = {0};
    const bool needed = (need & sides[side].need) != 0;

    enum ekb_err err = pair_init(&pair, path, side, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    assert(pair.certificate != NULL && pair.key != NULL);
    err = read_halves(identity, &pair, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    if (identity->chain == NULL && identity->key == NULL) {
        if (needed) {
            err = ekb_fail_set(reterr_fail, EKB_NOT_FOUND, ENOENT, "%s", pair.certificate);
        }
    } else if (identity->chain == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOT_FOUND, ENOENT, "%s, the certificate of %s",
                           pair.certificate, sides[side].key_name);
    } else if (identity->key == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOT_FOUND, ENOENT, "%s, the key of %s", pair.key,
                           sides[side].certificate_name);
    } else if (!ekb_chain_matches_key(identity->chain, identity->key)) {
        err = ekb_fail_set(reterr_fail, EKB_KEY_MISMATCH, 0, "%s and %s", pair.certificate,
                           sides[side].key_name);
    }
out:
    pair_deinit(&pair);
    return err;
}

// may_lack is EKB_OK in place of EKB_NOT_FOUND for what is not needed.
static enum ekb_err may_lack(enum ekb_err err, bool needed, const struct ekb_fail *fail,
                             struct ekb_fail *reterr_fail)
{
    if (err == EKB_NOT_FOUND && !needed) {
        return EKB_OK;
    }
    if (err != EKB_OK && reterr_fail != NULL) {
        *reterr_fail = *fail;
    }
    return err;
}

static enum ekb_err load_trust(struct ekb_store *store, const char *path, unsigned need,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {0};
    char *file = ekb_file_join(path, TRUST_NAME);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    const enum ekb_err err = ekb_chain_read_pem(&store->trust, file, &fail);
    free(file);
    return may_lack(err, (need & EKB_STORE_NEED_TRUST) != 0, &fail, reterr_fail);
}

static enum ekb_err load_crls(struct ekb_store *store, const char *path, unsigned need,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {0};
    char *file = ekb_file_join(path, CRLS_NAME);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    const enum ekb_err err = ekb_crls_read(&store->crls, file, &fail);
    free(file);
    return may_lack(err, (need & EKB_STORE_NEED_CRLS) != 0, &fail, reterr_fail);
}

static enum ekb_err check_directory(const char *path, struct ekb_fail *reterr_fail)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        const int reason = errno;
        enum ekb_err err = EKB_SYSTEM;
        if (reason == ENOENT || reason == ENOTDIR) {
            err = EKB_NOT_FOUND;
        } else if (reason == EACCES) {
            err = EKB_PERMISSION;
        }
        return ekb_fail_set(reterr_fail, err, reason, "%s", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        return ekb_fail_set(reterr_fail, EKB_NOT_FOUND, ENOTDIR, "%s", path);
    }
    return EKB_OK;
}

enum ekb_err ekb_store_load(struct ekb_store **out_store, const char *path, unsigned need,
                            struct ekb_fail *reterr_fail)
{
    enum ekb_err err = check_directory(path, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    struct ekb_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    for (unsigned side = 0; err == EKB_OK && side < EKB_STORE_NUM_SIDES; side++) {
        err = load_identity(&store->identities[side], path, (enum ekb_store_side)side, need,
                            reterr_fail);
    }
    if (err == EKB_OK) {
        err = load_trust(store, path, need, reterr_fail);
    }
    if (err == EKB_OK) {
        err = load_crls(store, path, need, reterr_fail);
    }
    if (err != EKB_OK) {
        ekb_store_destroy(store);
        return err;
    }
    *out_store = store;
    return EKB_OK;
}

void ekb_store_destroy(struct ekb_store *store)
{
    if (store == NULL) {
        return;
    }
    for (unsigned side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        ekb_chain_destroy(store->identities[side].chain);
        ekb_key_destroy(store->identities[side].key);
    }
    ekb_chain_destroy(store->trust);
    ekb_crls_destroy(store->crls);
    free(store);
}

const struct ekb_identity *ekb_store_identity(const struct ekb_store *store,
                                              enum ekb_store_side side)
{
    assert(side < EKB_STORE_NUM_SIDES);
    return &store->identities[side];
}

const struct ekb_chain *ekb_store_trust(const struct ekb_store *store)
{
    return store->trust;
}

const struct ekb_crls *ekb_store_crls(const struct ekb_store *store)
{
    return store->crls;
}

// Writing.

enum ekb_err ekb_store_write_identity(const char *path, enum ekb_store_side side,
                                      const struct ekb_identity *identity,
                                      struct ekb_fail *reterr_fail)
{
    struct pair pair = {0};
    assert(side < EKB_STORE_NUM_SIDES);
    assert(identity->chain != NULL && identity->key != NULL);

    if (!ekb_chain_matches_key(identity->chain, identity->key)) {
        return ekb_fail_set(reterr_fail, EKB_KEY_MISMATCH, 0, "%s for %s",
                            sides[side].certificate_name, path);
    }
    enum ekb_err err = pair_init(&pair, path, side, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    assert(pair.certificate != NULL && pair.key != NULL);
    err = ekb_file_make_dirs(path, 0755, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_key_write_pem(identity->key, pair.key, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_chain_write_pem(identity->chain, pair.certificate, reterr_fail);
    }
    pair_deinit(&pair);
    return err;
}

enum ekb_err ekb_store_write_trust(const char *path, const struct ekb_chain *trust,
                                   struct ekb_fail *reterr_fail)
{
    char *file = ekb_file_join(path, TRUST_NAME);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    enum ekb_err err = ekb_file_make_dirs(path, 0755, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_chain_write_pem(trust, file, reterr_fail);
    }
    free(file);
    return err;
}
