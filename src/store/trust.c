#include "ekubench/store/admin.h"

#include "ekubench/pki/describe.h"
#include "ekubench/store/change.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

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

// digits returns the first digit of a serial number that counts: 0x and leading zeros do not.
static const char *digits(const char *serial)
{
    serial += serial[0] == '0' && (serial[1] == 'x' || serial[1] == 'X') ? 2 : 0;
    while (serial[0] == ':' || (serial[0] == '0' && serial[1] != '\0')) {
        serial++;
    }
    return serial;
}

// is_same_serial compares serial numbers as people copy them, with colons and in either case.
static bool is_same_serial(const char *one, const char *other)
{
    one = digits(one);
    other = digits(other);
    while (one[0] != '\0' && tolower((unsigned char)one[0]) == tolower((unsigned char)other[0])) {
        one += one[1] == ':' ? 2 : 1;
        other += other[1] == ':' ? 2 : 1;
    }
    return one[0] == '\0' && other[0] == '\0';
}

// split puts certificate `index` where it belongs: into `removed` if it is meant, else into
// `trust`.
static enum ekb_err split(struct ekb_chain *trust, struct ekb_chain *removed,
                          const struct ekb_chain *present, size_t index, const char *serial,
                          const char *issuer)
{
    struct ekb_description description;
    ekb_chain_describe(&description, present, index);
    const bool is_meant = is_same_serial(description.serial, serial) &&
                          (issuer == NULL || strcmp(description.issuer, issuer) == 0);
    return ekb_chain_append(is_meant ? removed : trust, present, index);
}

// are_one is true if all certificates of `chain` are the same.
static bool are_one(const struct ekb_chain *chain)
{
    for (size_t i = 1; i < ekb_chain_len(chain); i++) {
        if (!ekb_chain_same(chain, 0, chain, i)) {
            return false;
        }
    }
    return true;
}

// shrink fills `trust` with the list without what is to be removed, and `removed` with that.
static enum ekb_err shrink(struct ekb_chain *trust, struct ekb_chain *removed, const char *path,
                           const char *serial, const char *issuer, struct ekb_fail *reterr_fail)
{
    struct ekb_store *store = NULL;
    enum ekb_err err = load_trust(&store, path, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_chain *present = ekb_store_trust(store);
    const size_t len = present != NULL ? ekb_chain_len(present) : 0;
    for (size_t i = 0; err == EKB_OK && i < len; i++) {
        err = split(trust, removed, present, i, serial, issuer);
    }
    if (err != EKB_OK) {
        err = ekb_fail_set(reterr_fail, err, 0, "trusted CA list");
    } else if (ekb_chain_len(removed) == 0) {
        err = ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "no trusted CA has the serial number %s%s%s",
                           serial, issuer != NULL ? " and the issuer " : "",
                           issuer != NULL ? issuer : "");
    } else if (issuer == NULL && !are_one(removed)) {
        err = ekb_fail_say(reterr_fail, EKB_USAGE,
                           "%zu trusted CAs have the serial number %s: --issuer NAME says which, "
                           "as `trust list` has it",
                           ekb_chain_len(removed), serial);
    }
    ekb_store_destroy(store);
    return err;
}

// remove_from does what shrink finds in `change`; NULL: it only looks.
static enum ekb_err remove_from(struct ekb_chain **out_removed, struct ekb_change *change,
                                const char *path, const char *serial, const char *issuer,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_chain *trust = ekb_chain_create();
    struct ekb_chain *removed = ekb_chain_create();
    enum ekb_err err = trust != NULL && removed != NULL
                           ? shrink(trust, removed, path, serial, issuer, reterr_fail)
                           : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "trusted CA list");
    if (err == EKB_OK && change != NULL) {
        err = ekb_change_put_trust(change, trust, reterr_fail);
    }
    if (err == EKB_OK && change != NULL) {
        err = ekb_change_commit(change, reterr_fail);
    }
    if (err == EKB_OK && change != NULL) {
        *out_removed = removed;
        removed = NULL;
    }
    ekb_chain_destroy(trust);
    ekb_chain_destroy(removed);
    return err;
}

enum ekb_err ekb_admin_trust_remove(struct ekb_chain **out_removed, const char *path,
                                    const char *serial, const char *issuer,
                                    struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = NULL;
    // A refusal leaves no trace, hence once without the lock.
    enum ekb_err err = remove_from(out_removed, NULL, path, serial, issuer, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_change_begin(&change, path, reterr_fail);
    }
    if (err == EKB_OK) {
        err = remove_from(out_removed, change, path, serial, issuer, reterr_fail);
    }
    ekb_change_destroy(change);
    return err;
}
