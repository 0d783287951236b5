#include "ekubench/store/identities.h"

#include "ekubench/base/file.h"
#include "store/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDING ".pem"

// Names of files, sorted.
struct names {
    char **all;
    size_t num;
    size_t capacity;
};

static void names_deinit(struct names *names)
{
    for (size_t i = 0; i < names->num; i++) {
        free(names->all[i]);
    }
    free((void *)names->all);
}

static bool is_identity(const char *name)
{
    const size_t len = strlen(name);
    return name[0] != '.' && len > strlen(ENDING) &&
           strcmp(name + len - strlen(ENDING), ENDING) == 0;
}

static bool names_add(struct names *names, const char *name)
{
    if (names->num == names->capacity) {
        const size_t capacity = names->capacity == 0 ? 64 : 2 * names->capacity;
        char **grown = (char **)reallocarray((void *)names->all, capacity, sizeof grown[0]);
        if (grown == NULL) {
            return false;
        }
        names->all = grown;
        names->capacity = capacity;
    }
    names->all[names->num] = strdup(name);
    return names->all[names->num] != NULL && ++names->num > 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// fill_names reads entries of `stream`, of which `max` names at most are wanted.
static enum ekb_err fill_names(struct names *names, DIR *stream, const char *directory, size_t max,
                               struct ekb_fail *reterr_fail)
{
    const struct dirent *entry = NULL;
    errno = 0;
    while (names->num < max && (entry = readdir(stream)) != NULL) {
        if (is_identity(entry->d_name) && !names_add(names, entry->d_name)) {
            return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", directory);
        }
        errno = 0;
    }
    return errno == 0 ? EKB_OK : ekb_fail_set(reterr_fail, EKB_SYSTEM, errno, "%s", directory);
}

// names_read finds the identities of `directory`, sorted; no more than `max` of them.
static enum ekb_err names_read(struct names *names, const char *directory, size_t max,
                               struct ekb_fail *reterr_fail)
{
    DIR *stream = opendir(directory);
    if (stream == NULL) {
        const int reason = errno;
        enum ekb_err err = reason == ENOENT || reason == ENOTDIR ? EKB_NOT_FOUND : EKB_SYSTEM;
        err = reason == EACCES ? EKB_PERMISSION : err;
        return ekb_fail_set(reterr_fail, err, reason, "%s", directory);
    }
    const enum ekb_err err = fill_names(names, stream, directory, max, reterr_fail);
    (void)closedir(stream);
    if (err == EKB_OK && names->num > 0) {
        qsort((void *)names->all, names->num, sizeof names->all[0], compare);
    }
    return err;
}

// Reading.

static bool is_same(const struct ekb_chain *a, const struct ekb_chain *b, size_t index)
{
    size_t a_len = 0;
    size_t b_len = 0;
    const uint8_t *a_der = ekb_chain_der(a, index, &a_len);
    const uint8_t *b_der = ekb_chain_der(b, index, &b_len);
    return a_len == b_len && memcmp(a_der, b_der, a_len) == 0;
}

// share_issuers gives `*chain` the certificates above the leaf that `before` has, if they are the
// same.
static enum ekb_err share_issuers(struct ekb_chain **chain, const struct ekb_chain *before)
{
    const size_t len = ekb_chain_len(*chain);
    bool same = len > 1 && len == ekb_chain_len(before);
    for (size_t i = 1; same && i < len; i++) {
        same = is_same(*chain, before, i);
    }
    struct ekb_chain *shared = same ? ekb_chain_create() : NULL;
    if (shared == NULL) {
        return same ? EKB_NOMEM : EKB_OK;
    }
    enum ekb_err err = ekb_chain_append(shared, *chain, 0);
    for (size_t i = 1; i < len && err == EKB_OK; i++) {
        err = ekb_chain_append(shared, before, i);
    }
    struct ekb_chain *const unwanted = err == EKB_OK ? *chain : shared;
    *chain = err == EKB_OK ? shared : *chain;
    ekb_chain_destroy(unwanted);
    return err;
}

static enum ekb_err read_one(struct ekb_identity *identity, const char *path,
                             struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_chain_read_pem(&identity->chain, path, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_check_private(path, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_key_read_pem(&identity->key, path, reterr_fail);
    }
    if (err == EKB_OK && !ekb_chain_matches_key(identity->chain, identity->key)) {
        err = ekb_fail_set(reterr_fail, EKB_KEY_MISMATCH, 0, "%s", path);
    }
    return err;
}

// read_all reads the identities of these names; `identities` has room for them.
static enum ekb_err read_all(struct ekb_identities *identities, const char *directory,
                             const struct names *names, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < names->num && err == EKB_OK; i++) {
        struct ekb_identity *identity = &identities->all[identities->num++];
        char *path = ekb_file_join(directory, names->all[i]);
        err = path != NULL ? read_one(identity, path, reterr_fail)
                           : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", directory);
        free(path);
        if (err == EKB_OK && i > 0 &&
            share_issuers(&identity->chain, identities->all[i - 1].chain) != EKB_OK) {
            err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", directory);
        }
    }
    return err;
}

enum ekb_err ekb_identities_read(struct ekb_identities *out_identities, const char *directory,
                                 struct ekb_fail *reterr_fail)
{
    struct ekb_identities identities = {0};
    struct names names = {0};
    enum ekb_err err = names_read(&names, directory, EKB_IDENTITIES_MAX + 1, reterr_fail);
    if (err == EKB_OK && names.num == 0) {
        err = ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "there is no client identity (*%s) in %s",
                           ENDING, directory);
    } else if (err == EKB_OK && names.num > EKB_IDENTITIES_MAX) {
        err =
            ekb_fail_say(reterr_fail, EKB_TOO_BIG, "%s holds more than %d client identities (*%s)",
                         directory, EKB_IDENTITIES_MAX, ENDING);
    }
    if (err == EKB_OK) {
        identities.all = calloc(names.num + 1, sizeof identities.all[0]);
        err = identities.all != NULL ? read_all(&identities, directory, &names, reterr_fail)
                                     : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", directory);
    }
    names_deinit(&names);
    if (err != EKB_OK) {
        ekb_identities_deinit(&identities);
        return err;
    }
    *out_identities = identities;
    return EKB_OK;
}

void ekb_identities_deinit(struct ekb_identities *identities)
{
    for (size_t i = 0; i < identities->num; i++) {
        ekb_chain_destroy(identities->all[i].chain);
        ekb_key_destroy(identities->all[i].key);
    }
    free(identities->all);
    *identities = (struct ekb_identities){0};
}

// Writing.

// encode puts key and chain into one text.
static enum ekb_err encode(uint8_t **out_text, size_t *out_len, const struct ekb_identity *identity,
                           struct ekb_fail *reterr_fail)
{
    uint8_t *key = NULL;
    size_t key_len = 0;
    enum ekb_err err = ekb_key_to_pem(&key, &key_len, identity->key, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    char *chain = ekb_chain_to_pem(identity->chain);
    const size_t chain_len = chain != NULL ? strlen(chain) : 0;
    uint8_t *text = chain != NULL ? malloc(key_len + chain_len + 1) : NULL;
    if (text != NULL) {
        memcpy(text, key, key_len);
        memcpy(text + key_len, chain, chain_len + 1);
        *out_text = text;
        *out_len = key_len + chain_len;
    } else {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a client identity");
    }
    free(chain);
    ekb_file_free_secret(key, key_len);
    return err;
}

enum ekb_err ekb_identities_add(const char *directory, size_t number,
                                const struct ekb_identity *identity, struct ekb_fail *reterr_fail)
{
    char *path = NULL;
    uint8_t *text = NULL;
    size_t text_len = 0;
    if (ekb_chain_len(identity->chain) == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s: there is no certificate to write",
                            directory);
    }
    if (!ekb_chain_matches_key(identity->chain, identity->key)) {
        return ekb_fail_set(reterr_fail, EKB_KEY_MISMATCH, 0, "client identity %zu for %s", number,
                            directory);
    }
    enum ekb_err err = ekb_file_make_dirs(directory, 0755, reterr_fail);
    if (err == EKB_OK) {
        err = encode(&text, &text_len, identity, reterr_fail);
    }
    if (err == EKB_OK && asprintf(&path, "%s/%05zu" ENDING, directory, number) < 0) {
        path = NULL;
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", directory);
    }
    if (err == EKB_OK) {
        err = ekb_file_write_unsynced(path, text, text_len, 0600, reterr_fail);
    }
    free(path);
    ekb_file_free_secret(text, text_len);
    return err;
}

enum ekb_err ekb_identities_sync(const char *directory, struct ekb_fail *reterr_fail)
{
    return ekb_file_sync(directory, reterr_fail);
}
