#include "ekubench/store/admin.h"

#include "ekubench/base/file.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/change.h"
#include "store/store_internal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// What an upload puts where. Found twice: before the store is touched, so that a refusal leaves no
// trace, and again under the lock.
struct findings {
    struct ekb_store *store;       // As it is.
    struct ekb_key *request_key;   // Of the pending signing request, or NULL,
    struct ekb_fail request_fault; // and why, if it is there.
    struct ekb_chain *sorted;
    const struct ekb_key *key; // One of the bundle's, the store's, the request's.
    struct ekb_upload_outcome outcome;
};

static void findings_deinit(struct findings *findings)
{
    ekb_store_destroy(findings->store);
    ekb_key_destroy(findings->request_key);
    ekb_chain_destroy(findings->sorted);
    *findings = (struct findings){0};
}

// load_request_key reads the key of the pending request. Why it cannot be used matters only to
// whoever wants to use it.
static enum ekb_err load_request_key(struct findings *findings, const char *path,
                                     enum ekb_store_side side, struct ekb_fail *reterr_fail)
{
    char *file = ekb_file_join(path, ekb_store_names[side].request_key);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    enum ekb_err err = ekb_store_check_private(file, &findings->request_fault);
    if (err == EKB_OK) {
        err = ekb_key_read_pem(&findings->request_key, file, &findings->request_fault);
    }
    if (err == EKB_NOT_FOUND) {
        findings->request_fault = (struct ekb_fail){.err = EKB_OK};
    }
    free(file);
    return EKB_OK;
}

// choose_fitting sets the first key that belongs to the certificate.
static enum ekb_err choose_fitting(struct findings *findings, const struct ekb_upload *upload,
                                   const struct ekb_key *current, const struct ekb_fail *fault,
                                   struct ekb_fail *reterr_fail)
{
    const struct ekb_key *const candidates[] = {upload->bundle->key, findings->request_key,
                                                current};
    if (upload->bundle->key_fault.err != EKB_OK) {
        return ekb_store_tell(&upload->bundle->key_fault, "", reterr_fail);
    }
    for (size_t i = 0; i < 3; i++) {
        if (candidates[i] != NULL && ekb_chain_matches_key(findings->sorted, candidates[i])) {
            findings->key = candidates[i];
            return EKB_OK;
        }
    }
    if (candidates[0] == NULL && findings->request_fault.err != EKB_OK) {
        fault = &findings->request_fault;
    }
    if (candidates[0] == NULL && fault->err != EKB_OK && fault->err != EKB_KEY_MISMATCH) {
        return ekb_store_tell(fault, "", reterr_fail); // It might have been that one.
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
        fault = &upload->bundle->key_fault;
        break;
    case EKB_UPLOAD_KEY_CURRENT:
        findings->key = current;
        break;
    case EKB_UPLOAD_KEY_REQUEST:
        findings->key = findings->request_key;
        return findings->key != NULL
                   ? EKB_OK
                   : ekb_store_tell(&findings->request_fault, EKB_STORE_NO_REQUEST, reterr_fail);
    case EKB_UPLOAD_KEY_ANY:
        return choose_fitting(findings, upload, current, fault, reterr_fail);
    }
    return findings->key != NULL ? EKB_OK
                                 : ekb_store_tell(fault, "There is no such key", reterr_fail);
}

// drop_root takes the root away from the end of the chain: it is not sent, and whoever trusts it
// has it. A self-signed leaf alone is nobody's root.
static enum ekb_err drop_root(struct findings *findings, struct ekb_fail *reterr_fail)
{
    const size_t len = ekb_chain_len(findings->sorted);
    struct ekb_description last;
    enum ekb_err err = EKB_OK;
    ekb_chain_describe(&last, findings->sorted, len - 1);
    if (len < 2 || !last.is_self_signed) {
        return EKB_OK;
    }
    struct ekb_chain *rest = ekb_chain_create();
    for (size_t i = 0; rest != NULL && err == EKB_OK && i < len - 1; i++) {
        err = ekb_chain_append(rest, findings->sorted, i);
    }
    if (rest == NULL || err != EKB_OK) {
        ekb_chain_destroy(rest);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a chain");
    }
    ekb_chain_destroy(findings->sorted);
    findings->sorted = rest;
    memcpy(findings->outcome.root, last.subject, sizeof last.subject);
    return EKB_OK;
}

// needs_of returns the usages that the gate demands.
static unsigned needs_of(const struct ekb_upload *upload)
{
    const unsigned own =
        upload->side == EKB_STORE_SERVER ? EKB_EKU_SERVER_AUTH : EKB_EKU_CLIENT_AUTH;
    return upload->needs != 0 ? upload->needs : own;
}

// judge has the gate look at the certificates, whatever their key may be.
static enum ekb_err judge(struct findings *findings, const struct ekb_upload *upload,
                          struct ekb_fail *reterr_fail)
{
    enum ekb_err err = ekb_gate_sort(&findings->sorted, upload->bundle->chain, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_gate_check_chain(needs_of(upload), findings->sorted, upload->now,
                                   &findings->outcome.warning, reterr_fail);
    }
    if (err == EKB_OK) {
        err = drop_root(findings, reterr_fail);
    }
    if (err == EKB_OK) {
        ekb_chain_describe(&findings->outcome.leaf, findings->sorted, 0);
    }
    return err;
}

static enum ekb_err find(struct findings *findings, const char *path,
                         const struct ekb_upload *upload, struct ekb_fail *reterr_fail)
{
    // Faults are no matter: nobody is kept from repairing a pair, nor from changing another.
    enum ekb_err err =
        ekb_store_survey(&findings->store, path, ekb_store_names[upload->side].need, reterr_fail);
    if (err == EKB_OK) {
        err = load_request_key(findings, path, upload->side, reterr_fail);
    }
    if (err == EKB_OK) {
        err = judge(findings, upload, reterr_fail);
    }
    if (err == EKB_OK) {
        err = choose_key(findings, upload, reterr_fail);
    }
    if (err == EKB_OK) {
        err = ekb_gate_check_key(findings->sorted, findings->key, reterr_fail);
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
                              struct ekb_upload_outcome *out_outcome, struct ekb_fail *reterr_fail)
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
        *out_outcome = findings.outcome;
    }
    ekb_change_destroy(change);
    findings_deinit(&findings);
    return err;
}
