#include "lab/site_internal.h"

#include "ekubench/base/file.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/admin.h"
#include "ekubench/store/gate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_FILE_LEN (16u << 20)

// What a copy has to have. There is no client certificate, and requests are not used.
static const struct {
    const char *name;
    unsigned mode;
} files[] = {
    {"server.pem", 0644}, {"privkey.pem", 0600}, {"ca.pem", 0644}, {"client-ca.crl", 0644}};

// copy_file copies a file of a store. One that is not there is not in the copy either.
static enum ekb_err copy_file(const char *from, const char *to, unsigned mode,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {.err = EKB_OK};
    uint8_t *data = NULL;
    size_t len = 0;
    enum ekb_err err = ekb_file_read(&data, &len, from, MAX_FILE_LEN, &fail);
    if (err == EKB_OK) {
        err = ekb_file_write_atomic(to, data, len, mode, &fail);
    } else if (err == EKB_NOT_FOUND) {
        err = EKB_OK;
    }
    if (err != EKB_OK && reterr_fail != NULL) {
        *reterr_fail = fail;
    }
    ekb_file_free_secret(data, len);
    return err;
}

static enum ekb_err copy_store(const char *from, const char *to, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_file_make_dirs(to, 0700, reterr_fail);
    for (size_t i = 0; i < sizeof files / sizeof files[0] && err == EKB_OK; i++) {
        char *source = ekb_file_join(from, files[i].name);
        char *target = ekb_file_join(to, files[i].name);
        err = source != NULL && target != NULL
                  ? copy_file(source, target, files[i].mode, reterr_fail)
                  : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
        free(target);
        free(source);
    }
    return err;
}

// is_whole is true if there is a certificate of `side`, with its key, and nothing wrong with it.
static bool is_whole(const struct ekb_store *store, enum ekb_store_side side)
{
    const struct ekb_identity *identity = ekb_store_identity(store, side);
    return identity->chain != NULL && identity->key != NULL &&
           ekb_store_fault(store, (enum ekb_store_part)side)->err == EKB_OK;
}

// is_bare is true if there is nothing of `side`, good or bad.
static bool is_bare(const struct ekb_store *store, enum ekb_store_side side)
{
    const struct ekb_identity *identity = ekb_store_identity(store, side);
    return identity->chain == NULL && identity->key == NULL &&
           ekb_store_fault(store, (enum ekb_store_part)side)->err == EKB_OK;
}

// is_default is true for a certificate that nobody has uploaded: self-signed, as a reset leaves it.
static bool is_default(const struct ekb_description *leaf)
{
    return strcmp(leaf->subject, leaf->issuer) == 0;
}

// ask_gate asks what the gate would say of the certificate of `side`. Only the usage is the
// release's: what has become too old since it was uploaded, none refuses now. A client certificate
// that is the server's has been copied, past the gate.
static void ask_gate(struct ekb_fail *out_refusal, const struct ekb_store *store,
                     const struct ekb_release_node *rules, enum ekb_store_side side)
{
    struct ekb_gate_warning warning;
    struct ekb_fail fail = {.err = EKB_OK};
    struct ekb_description leaf[EKB_STORE_NUM_SIDES];
    memset(leaf, 0, sizeof leaf);
    for (int i = 0; i < EKB_STORE_NUM_SIDES; i++) {
        if (is_whole(store, (enum ekb_store_side)i)) {
            ekb_chain_describe(&leaf[i], ekb_store_identity(store, (enum ekb_store_side)i)->chain,
                               0);
        }
    }
    const bool is_copy = side == EKB_STORE_CLIENT &&
                         strcmp(leaf[EKB_STORE_SERVER].serial, leaf[EKB_STORE_CLIENT].serial) == 0;
    if (!is_whole(store, side) || is_copy || is_default(&leaf[side])) {
        return;
    }
    const enum ekb_err err =
        ekb_gate_check_chain(ekb_release_gate(rules, side), ekb_store_identity(store, side)->chain,
                             (int64_t)time(NULL), &warning, &fail);
    if (err == EKB_REFUSED_USAGE) {
        *out_refusal = fail;
    }
}

static enum ekb_err find(const struct ekb_deployment_node *node, struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {.err = EKB_OK};
    char text[256];
    if (ekb_store_find(node->store, &fail) == EKB_OK) {
        return EKB_OK;
    }
    ekb_fail_text(text, sizeof text, &fail);
    return ekb_fail_say(reterr_fail, fail.err, "node %s: there is no store to use: %s", node->name,
                        text);
}

enum ekb_err ekb_site_own_take(struct ekb_site_own *out_own, const struct ekb_deployment_node *node,
                               const struct ekb_release_node *rules, const char *copy,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_site_own own = {.store = NULL};
    struct ekb_store *store = NULL;
    enum ekb_upgrade upgrade;
    enum ekb_err err = find(node, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_survey(&store, node->store, EKB_STORE_ALL, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    const bool two_stores =
        rules->kind != EKB_NODE_FAR && ekb_release_rules(rules->release)->two_stores;
    own.is_upgraded = two_stores && !node->keeps_no_client && is_whole(store, EKB_STORE_SERVER) &&
                      is_bare(store, EKB_STORE_CLIENT);
    ask_gate(&own.refusals[EKB_STORE_SERVER], store, rules, EKB_STORE_SERVER);
    if (two_stores) {
        ask_gate(&own.refusals[EKB_STORE_CLIENT], store, rules, EKB_STORE_CLIENT);
    }
    ekb_store_destroy(store);
    if (own.is_upgraded) {
        err = copy_store(node->store, copy, reterr_fail);
    }
    if (err == EKB_OK && own.is_upgraded) {
        err = ekb_admin_upgrade(&upgrade, copy, EKB_UPGRADE_KEEP, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    own.store = strdup(own.is_upgraded ? copy : node->store);
    if (own.store == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "stores");
    }
    *out_own = own;
    return EKB_OK;
}
