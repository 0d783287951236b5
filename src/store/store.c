#include "ekubench/store/store.h"

#include "ekubench/base/file.h"
#include "ekubench/store/change.h"
#include "store/store_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct ekb_store_names ekb_store_names[EKB_STORE_NUM_SIDES] = {
    [EKB_STORE_SERVER] = {"server.pem", "privkey.pem", EKB_STORE_REQUESTS_NAME "/server.csr",
                          EKB_STORE_REQUESTS_NAME "/server.key", EKB_STORE_NEED_SERVER},
    [EKB_STORE_CLIENT] = {"client.pem", "clientprivkey.pem", EKB_STORE_REQUESTS_NAME "/client.csr",
                          EKB_STORE_REQUESTS_NAME "/client.key", EKB_STORE_NEED_CLIENT},
};

const char *const ekb_store_top_names[EKB_STORE_NUM_TOP_NAMES] = {
    "server.pem",         "privkey.pem",       "client.pem",           "clientprivkey.pem",
    EKB_STORE_TRUST_NAME, EKB_STORE_CRLS_NAME, EKB_STORE_REQUESTS_NAME};

// How often a store that changes while it is read is read again.
#define MAX_READINGS 20

struct ekb_store {
    struct ekb_identity identities[EKB_STORE_NUM_SIDES];
    struct ekb_chain *trust;
    struct ekb_crls *crls;
    struct ekb_fail faults[EKB_STORE_NUM_PARTS]; // EKB_OK: none.
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
    struct pair pair = {.certificate = ekb_file_join(path, ekb_store_names[side].certificate),
                        .key = ekb_file_join(path, ekb_store_names[side].key)};
    if (pair.certificate == NULL || pair.key == NULL) {
        pair_deinit(&pair);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    *out_pair = pair;
    return EKB_OK;
}

// Reading.

// It is about the file's mode only: whoever can replace it has the directory, and needs
// no key.
enum ekb_err ekb_store_check_private(const char *path, struct ekb_fail *reterr_fail)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        // Reading it will say so too, and why.
        return EKB_OK;
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return ekb_fail_say(reterr_fail, EKB_PERMISSION,
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
        err = ekb_store_check_private(pair->key, &fail);
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

// load_identity reads the identity of `side`. What it could read is there on failure too.
static enum ekb_err load_identity(struct ekb_identity *identity, const char *path,
                                  enum ekb_store_side side, unsigned need,
                                  struct ekb_fail *reterr_fail)
{
    struct pair pair = {0};
    const bool needed = (need & ekb_store_names[side].need) != 0;

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
                           pair.certificate, ekb_store_names[side].key);
    } else if (identity->key == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOT_FOUND, ENOENT, "%s, the key of %s", pair.key,
                           ekb_store_names[side].certificate);
    } else if (!ekb_chain_matches_key(identity->chain, identity->key)) {
        err = ekb_fail_set(reterr_fail, EKB_KEY_MISMATCH, 0, "%s and %s", pair.certificate,
                           ekb_store_names[side].key);
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
    char *file = ekb_file_join(path, EKB_STORE_TRUST_NAME);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    const enum ekb_err err = ekb_chain_read(&store->trust, file, EKB_CHAIN_EMPTY, &fail);
    free(file);
    return may_lack(err, (need & EKB_STORE_NEED_TRUST) != 0, &fail, reterr_fail);
}

static enum ekb_err load_crls(struct ekb_store *store, const char *path, unsigned need,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {0};
    char *file = ekb_file_join(path, EKB_STORE_CRLS_NAME);
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

static enum ekb_err load_part(struct ekb_store *store, const char *path, enum ekb_store_part part,
                              unsigned need, struct ekb_fail *reterr_fail)
{
    switch (part) {
    case EKB_STORE_PART_SERVER:
    case EKB_STORE_PART_CLIENT:
        return load_identity(&store->identities[part], path, (enum ekb_store_side)part, need,
                             reterr_fail);
    case EKB_STORE_PART_TRUST:
        return load_trust(store, path, need, reterr_fail);
    case EKB_STORE_PART_CRLS:
    case EKB_STORE_NUM_PARTS:
        break;
    }
    return load_crls(store, path, need, reterr_fail);
}

// load_parts reads `parts` once. Of errors, only EKB_NOMEM is one of the attempt.
static enum ekb_err load_parts(struct ekb_store **out_store, const char *path, unsigned parts,
                               unsigned need, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    struct ekb_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    for (unsigned part = 0; part < EKB_STORE_NUM_PARTS && err != EKB_NOMEM; part++) {
        if ((parts & 1u << part) != 0) {
            err = load_part(store, path, (enum ekb_store_part)part, need, &store->faults[part]);
        }
    }
    if (err == EKB_NOMEM) {
        ekb_store_destroy(store);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    *out_store = store;
    return EKB_OK;
}

// load reads `parts` as they were at one moment.
static enum ekb_err load(struct ekb_store **out_store, const char *path, unsigned parts,
                         unsigned need, struct ekb_fail *reterr_fail)
{
    char before[EKB_STORE_GENERATION_LEN];
    char after[EKB_STORE_GENERATION_LEN];
    enum ekb_err err = check_directory(path, reterr_fail);
    // A change while the files are read, one after another, makes a mixture: read again.
    for (int i = 0; err == EKB_OK && i < MAX_READINGS; i++) {
        struct ekb_store *store = NULL;
        ekb_store_generation(before, path);
        err = load_parts(&store, path, parts, need, reterr_fail);
        ekb_store_generation(after, path);
        if (err == EKB_OK && strcmp(before, after) == 0) {
            *out_store = store;
            return EKB_OK;
        }
        ekb_store_destroy(store);
    }
    return err != EKB_OK ? err : ekb_fail_set(reterr_fail, EKB_LOCKED, 0, "%s", path);
}

enum ekb_err ekb_store_load(struct ekb_store **out_store, const char *path, unsigned need,
                            struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    enum ekb_err err = load(&store, path, EKB_STORE_ALL, need, reterr_fail);
    for (int part = 0; err == EKB_OK && part < EKB_STORE_NUM_PARTS; part++) {
        err = store->faults[part].err;
        if (err != EKB_OK && reterr_fail != NULL) {
            *reterr_fail = store->faults[part];
        }
    }
    if (err != EKB_OK) {
        ekb_store_destroy(store);
        return err;
    }
    *out_store = store;
    return EKB_OK;
}

enum ekb_err ekb_store_survey(struct ekb_store **out_store, const char *path, unsigned parts,
                              struct ekb_fail *reterr_fail)
{
    const enum ekb_err err = ekb_store_find(path, reterr_fail);
    return err == EKB_OK ? load(out_store, path, parts, 0, reterr_fail) : err;
}

const struct ekb_fail *ekb_store_fault(const struct ekb_store *store, enum ekb_store_part part)
{
    assert(part < EKB_STORE_NUM_PARTS);
    return &store->faults[part];
}

bool ekb_store_is_own_link(const char *path, const char *name)
{
    char target[128];
    char wanted[128];
    const ssize_t len = readlink(path, target, sizeof target - 1);
    target[len > 0 ? len : 0] = '\0';
    (void)snprintf(wanted, sizeof wanted, EKB_STORE_DATA_NAME "/%s", name);
    return strcmp(target, wanted) == 0;
}

// look says whether there is such a file: EKB_OK or EKB_NOT_FOUND. A link of ours that leads
// nowhere is none: a change that did not come to its end may have left it.
static enum ekb_err look(const char *file, const char *name, struct ekb_fail *reterr_fail)
{
    struct stat status;
    int reason = lstat(file, &status) == 0 ? 0 : errno;
    if (reason == 0 && ekb_store_is_own_link(file, name)) {
        reason = stat(file, &status) == 0 ? 0 : errno;
    }
    if (reason == 0 || reason == ENOENT || reason == ENOTDIR) {
        return reason == 0 ? EKB_OK : EKB_NOT_FOUND;
    }
    return ekb_fail_set(reterr_fail, reason == EACCES ? EKB_PERMISSION : EKB_SYSTEM, reason, "%s",
                        file);
}

enum ekb_err ekb_store_find(const char *path, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_NOT_FOUND;
    for (size_t i = 0; i < EKB_STORE_NUM_TOP_NAMES && err == EKB_NOT_FOUND; i++) {
        char *file = ekb_file_join(path, ekb_store_top_names[i]);
        err = file != NULL ? look(file, ekb_store_top_names[i], reterr_fail)
                           : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
        free(file);
    }
    return err != EKB_NOT_FOUND
               ? err
               : ekb_fail_say(reterr_fail, err,
                              "there is no store at %s: `ekubench store init` makes one", path);
}

void ekb_store_generation(char out_name[EKB_STORE_GENERATION_LEN], const char *path)
{
    char *link = ekb_file_join(path, EKB_STORE_DATA_NAME);
    const ssize_t len = link != NULL ? readlink(link, out_name, EKB_STORE_GENERATION_LEN - 1) : -1;
    out_name[len > 0 ? len : 0] = '\0';
    free(link);
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

// An identity or a trusted CA list, as a change of its own.
struct part {
    enum ekb_store_side side;
    const struct ekb_identity *identity; // Or NULL,
    const struct ekb_chain *trust;       // and then this.
};

static enum ekb_err write_part(const char *path, const struct part *part,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = NULL;
    enum ekb_err err = ekb_change_begin(&change, path, reterr_fail);
    if (err == EKB_OK) {
        err = part->identity != NULL
                  ? ekb_change_put_identity(change, part->side, part->identity, reterr_fail)
                  : ekb_change_put_trust(change, part->trust, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    return err;
}

enum ekb_err ekb_store_write_identity(const char *path, enum ekb_store_side side,
                                      const struct ekb_identity *identity,
                                      struct ekb_fail *reterr_fail)
{
    assert(side < EKB_STORE_NUM_SIDES);
    assert(identity->chain != NULL && identity->key != NULL);
    const struct part part = {.side = side, .identity = identity};
    return write_part(path, &part, reterr_fail);
}

enum ekb_err ekb_store_write_trust(const char *path, const struct ekb_chain *trust,
                                   struct ekb_fail *reterr_fail)
{
    const struct part part = {.trust = trust};
    return write_part(path, &part, reterr_fail);
}
