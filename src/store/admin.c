#include "ekubench/store/admin.h"

#include "ekubench/base/file.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/mint.h"
#include "ekubench/store/change.h"
#include "store/store_internal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_VALIDITY_S (INT64_C(365) * 24 * 3600)
#define BACKDATE_S INT64_C(3600)
#define MAX_REQUEST_LEN (64u << 10)
#define NO_REQUEST "There is no certificate signing request in progress"

// What an upload puts where. Found twice: before the store is touched, so that a refusal leaves no
// trace, and again under the lock.
struct findings {
    struct ekb_store *store;     // As it is.
    struct ekb_key *request_key; // Of the pending signing request, or NULL.
    struct ekb_chain *sorted;
    const struct ekb_key *key; // One of the bundle's, the store's, the request's.
    struct ekb_gate_warning warning;
};

static void findings_deinit(struct findings *findings)
{
    ekb_store_destroy(findings->store);
    ekb_key_destroy(findings->request_key);
    ekb_chain_destroy(findings->sorted);
    *findings = (struct findings){0};
}

// load_trust reads the trusted CA list; what is faulty cannot be changed.
static enum ekb_err load_trust(struct ekb_store **out_store, const char *path,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    enum ekb_err err = ekb_store_survey(&store, path, EKB_STORE_NEED_TRUST, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_store_fault(store, EKB_STORE_PART_TRUST)->err;
        if (err != EKB_OK && reterr_fail != NULL) {
            *reterr_fail = *ekb_store_fault(store, EKB_STORE_PART_TRUST);
        }
    }
    if (err != EKB_OK) {
        ekb_store_destroy(store);
        return err;
    }
    *out_store = store;
    return EKB_OK;
}

static enum ekb_err load_request_key(struct ekb_key **out_key, const char *path,
                                     enum ekb_store_side side, struct ekb_fail *reterr_fail)
{
    char *file = ekb_file_join(path, ekb_store_names[side].request_key);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    const enum ekb_err err = ekb_key_read_pem(out_key, file, reterr_fail);
    free(file);
    return err == EKB_NOT_FOUND ? EKB_OK : err;
}

// tell hands on why something is not there, if that is known.
static enum ekb_err tell(const struct ekb_fail *fault, const char *otherwise,
                         struct ekb_fail *reterr_fail)
{
    if (fault == NULL || fault->err == EKB_OK) {
        return ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s", otherwise);
    }
    if (reterr_fail != NULL) {
        *reterr_fail = *fault;
    }
    return fault->err;
}

// choose_fitting sets the first key that belongs to the certificate.
static enum ekb_err choose_fitting(struct findings *findings, const struct ekb_upload *upload,
                                   const struct ekb_key *current, const struct ekb_fail *fault,
                                   struct ekb_fail *reterr_fail)
{
    const struct ekb_key *const candidates[] = {upload->bundle->key, findings->request_key,
                                                current};
    for (size_t i = 0; i < 3; i++) {
        if (candidates[i] != NULL && ekb_chain_matches_key(findings->sorted, candidates[i])) {
            findings->key = candidates[i];
            return EKB_OK;
        }
    }
    if (candidates[0] == NULL && current == NULL && fault->err != EKB_OK) {
        return tell(fault, "", reterr_fail); // It might have been that one.
    }
    return ekb_fail_say(reterr_fail, EKB_KEY_MISMATCH,
                        "Invalid certificate: The certificate fits neither a key given with it, "
                        "nor that of a signing request, nor the current one.");
}

// choose_key sets the key that the upload asks for.
static enum ekb_err choose_key(struct findings *findings, const struct ekb_upload *upload,
                               struct ekb_fail *reterr_fail)
{
    const struct ekb_key *current = ekb_store_identity(findings->store, upload->side)->key;
    const struct ekb_fail *fault =
        ekb_store_fault(findings->store, (enum ekb_store_part)upload->side);
    switch (upload->key) {
    case EKB_UPLOAD_KEY_GIVEN:
        findings->key = upload->bundle->key;
        break;
    case EKB_UPLOAD_KEY_CURRENT:
        findings->key = current;
        break;
    case EKB_UPLOAD_KEY_REQUEST:
        findings->key = findings->request_key;
        return findings->key != NULL ? EKB_OK : tell(NULL, NO_REQUEST, reterr_fail);
    case EKB_UPLOAD_KEY_ANY:
        return choose_fitting(findings, upload, current, fault, reterr_fail);
    }
    return findings->key != NULL ? EKB_OK : tell(fault, "There is no such key", reterr_fail);
}

static enum ekb_err find(struct findings *findings, const char *path,
                         const struct ekb_upload *upload, struct ekb_fail *reterr_fail)
{
    // Faults are no matter: nobody is kept from repairing a pair, nor from changing another.
    enum ekb_err err =
        ekb_store_survey(&findings->store, path, ekb_store_names[upload->side].need, reterr_fail);
    if (err == EKB_OK) {
        err = load_request_key(&findings->request_key, path, upload->side, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_gate_sort(&findings->sorted, upload->bundle->chain, reterr_fail);
    }
    if (err == EKB_OK) {
        err = choose_key(findings, upload, reterr_fail);
    }
    if (err == EKB_OK) {
        const struct ekb_identity identity = {.chain = findings->sorted,
                                              .key = (struct ekb_key *)(uintptr_t)findings->key};
        err = ekb_gate_check_identity(upload->side, &identity, upload->now, &findings->warning,
                                      reterr_fail);
    }
    return err;
}

static enum ekb_err put(struct ekb_change *change, const struct findings *findings,
                        const struct ekb_upload *upload, struct ekb_fail *reterr_fail)
{
    const struct ekb_identity identity = {.chain = findings->sorted,
                                          .key = (struct ekb_key *)(uintptr_t)findings->key};
    enum ekb_err err = ekb_change_put_identity(change, upload->side, &identity, reterr_fail);
    if (err == EKB_OK && upload->copy == EKB_UPLOAD_ALSO_AS_CLIENT) {
        err = ekb_change_put_identity(change, EKB_STORE_CLIENT, &identity, reterr_fail);
    }
    if (err == EKB_OK && findings->key == findings->request_key) {
        ekb_change_drop_request(change, upload->side);
    }
    return err;
}

enum ekb_err ekb_admin_upload(const char *path, const struct ekb_upload *upload,
                              struct ekb_gate_warning *out_warning, struct ekb_fail *reterr_fail)
{
    struct findings findings = {0};
    struct ekb_change *change = NULL;
    if (upload->copy == EKB_UPLOAD_ALSO_AS_CLIENT && upload->side != EKB_STORE_SERVER) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "only an upload to the server store can also go to the client store");
    }
    enum ekb_err err = find(&findings, path, upload, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    if (err == EKB_OK) {
        findings_deinit(&findings);
        err = find(&findings, path, upload, reterr_fail);
    }
    if (err == EKB_OK) {
        err = put(change, &findings, upload, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    if (err == EKB_OK) {
        *out_warning = findings.warning;
    }
    ekb_change_destroy(change);
    findings_deinit(&findings);
    return err;
}

// Trust.

// grow returns in `*out_trust` the list with `uploaded` at its end, if the gate lets all of it in.
static enum ekb_err grow(struct ekb_chain **out_trust, const char *path,
                         const struct ekb_chain *uploaded, int64_t now,
                         struct ekb_gate_warning *warning, struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    enum ekb_err err = load_trust(&store, path, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_chain *present = ekb_store_trust(store);
    struct ekb_chain *trust = ekb_chain_create();
    if (trust == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "trusted CA list");
    }
    for (size_t i = 0; err == EKB_OK && present != NULL && i < ekb_chain_len(present); i++) {
        err = ekb_chain_append(trust, present, i);
    }
    for (size_t i = 0; err == EKB_OK && i < ekb_chain_len(uploaded); i++) {
        struct ekb_gate_warning own = {""};
        err = ekb_gate_check_ca(uploaded, i, trust, now, &own, reterr_fail);
        if (warning->text[0] == '\0') {
            *warning = own; // The first one will do.
        }
        if (err == EKB_OK) {
            err = ekb_chain_append(trust, uploaded, i);
        }
    }
    if (err == EKB_OK && ekb_chain_len(trust) > EKB_CHAIN_MAX_CERTS) {
        err = ekb_fail_set(reterr_fail, EKB_TOO_BIG, 0, "trusted CA list");
    }
    ekb_store_destroy(store);
    if (err != EKB_OK) {
        ekb_chain_destroy(trust);
        return err;
    }
    *out_trust = trust;
    return EKB_OK;
}

enum ekb_err ekb_admin_trust_add(const char *path, const struct ekb_chain *uploaded, int64_t now,
                                 struct ekb_gate_warning *out_warning, struct ekb_fail *reterr_fail)
{
    struct ekb_gate_warning warning = {""};
    struct ekb_chain *trust = NULL;
    struct ekb_change *change = NULL;
    enum ekb_err err = grow(&trust, path, uploaded, now, &warning, reterr_fail);
    ekb_chain_destroy(trust);
    trust = NULL;
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    warning = (struct ekb_gate_warning){""};
    if (err == EKB_OK) {
        err = grow(&trust, path, uploaded, now, &warning, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_put_trust(change, trust, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    if (err == EKB_OK) {
        *out_warning = warning;
    }
    ekb_change_destroy(change);
    ekb_chain_destroy(trust);
    return err;
}

// shrink returns in `*out_trust` the list without what is to be removed. EKB_NOT_FOUND if that is
// nothing.
static enum ekb_err shrink(struct ekb_chain **out_trust, const char *path, const char *serial,
                           const char *issuer, struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    enum ekb_err err = load_trust(&store, path, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_chain *present = ekb_store_trust(store);
    const size_t len = present != NULL ? ekb_chain_len(present) : 0;
    struct ekb_chain *trust = ekb_chain_create();
    if (trust == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "trusted CA list");
    }
    for (size_t i = 0; err == EKB_OK && i < len; i++) {
        struct ekb_description description;
        ekb_chain_describe(&description, present, i);
        const bool is_meant = strcasecmp(description.serial, serial) == 0 &&
                              (issuer == NULL || strcmp(description.issuer, issuer) == 0);
        err = is_meant ? EKB_OK : ekb_chain_append(trust, present, i);
    }
    if (err == EKB_OK && ekb_chain_len(trust) == len) {
        err = ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "no trusted CA has the serial number %s",
                           serial);
    }
    ekb_store_destroy(store);
    if (err != EKB_OK) {
        ekb_chain_destroy(trust);
        return err;
    }
    *out_trust = trust;
    return EKB_OK;
}

enum ekb_err ekb_admin_trust_remove(const char *path, const char *serial, const char *issuer,
                                    struct ekb_fail *reterr_fail)
{
    struct ekb_chain *trust = NULL;
    struct ekb_change *change = NULL;
    enum ekb_err err = shrink(&trust, path, serial, issuer, reterr_fail);
    ekb_chain_destroy(trust);
    trust = NULL;
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    if (err == EKB_OK) {
        err = shrink(&trust, path, serial, issuer, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_put_trust(change, trust, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_commit(change, reterr_fail);
    }
    ekb_change_destroy(change);
    ekb_chain_destroy(trust);
    return err;
}

// Signing requests.

enum ekb_err ekb_admin_csr_new(const char *path, enum ekb_store_side side,
                               enum ekb_key_type key_type, const struct ekb_csr_spec *spec,
                               struct ekb_fail *reterr_fail)
{
    struct ekb_key *key = NULL;
    struct ekb_change *change = NULL;
    char *pem = NULL;
    enum ekb_err err = ekb_store_find(path, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_key_generate(&key, key_type, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_csr_create(&pem, key, spec, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
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
        return ekb_fail_say(reterr_fail, err, NO_REQUEST);
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
    char *pem = NULL;
    enum ekb_err err = ekb_admin_csr_read(&pem, path, side, reterr_fail);
    free(pem);
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
        err = tell(fault, "There is no server certificate to be copied", reterr_fail);
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
