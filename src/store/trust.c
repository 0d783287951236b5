#include "ekubench/store/admin.h"

#include "ekubench/pki/describe.h"
#include "ekubench/store/change.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

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
