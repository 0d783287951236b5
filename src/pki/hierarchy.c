#include "ekubench/pki/hierarchy.h"

#include <stdio.h>
#include <stdlib.h>

struct ekb_hierarchy {
    struct ekb_ca
        *cas[EKB_MINT_MAX_DEPTH]; // [0] is the root, [i] is signed by [i - 1]; NULL: not yet made.
    const char *prefix;           // Of the CAs' names.
    enum ekb_key_type key_type;
    int64_t not_before;
    int64_t not_after;
};

// make_ca makes CA number `index`; the one above it exists.
static enum ekb_err make_ca(struct ekb_hierarchy *hierarchy, unsigned index,
                            struct ekb_fail *reterr_fail)
{
    char name[64];
    const struct ekb_mint_ca spec = {.common_name = name,
                                     .key_type = hierarchy->key_type,
                                     .eku = EKB_EKU_ABSENT,
                                     .not_before = hierarchy->not_before,
                                     .not_after = hierarchy->not_after};
    if (index == 0) {
        (void)snprintf(name, sizeof name, "%s root CA", hierarchy->prefix);
        return ekb_ca_create_root(&hierarchy->cas[0], &spec, reterr_fail);
    }
    (void)snprintf(name, sizeof name, "%s intermediate CA %u", hierarchy->prefix, index);
    return ekb_ca_create_intermediate(&hierarchy->cas[index], hierarchy->cas[index - 1], &spec,
                                      reterr_fail);
}

// create makes a hierarchy like `pattern`, which has no CAs.
static enum ekb_err create(struct ekb_hierarchy **out_hierarchy,
                           const struct ekb_hierarchy *pattern, struct ekb_fail *reterr_fail)
{
    struct ekb_hierarchy *hierarchy = calloc(1, sizeof *hierarchy);
    if (hierarchy == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "CA hierarchy");
    }
    *hierarchy = *pattern;
    const enum ekb_err err = make_ca(hierarchy, 0, reterr_fail);
    if (err != EKB_OK) {
        ekb_hierarchy_destroy(hierarchy);
        return err;
    }
    *out_hierarchy = hierarchy;
    return EKB_OK;
}

enum ekb_err ekb_hierarchy_create(struct ekb_hierarchy **out_hierarchy, enum ekb_key_type key_type,
                                  int64_t not_before, int64_t not_after,
                                  struct ekb_fail *reterr_fail)
{
    const struct ekb_hierarchy pattern = {.prefix = "ekubench",
                                          .key_type = key_type,
                                          .not_before = not_before,
                                          .not_after = not_after};
    return create(out_hierarchy, &pattern, reterr_fail);
}

enum ekb_err ekb_hierarchy_create_stranger(struct ekb_hierarchy **out_hierarchy,
                                           const struct ekb_hierarchy *known,
                                           struct ekb_fail *reterr_fail)
{
    const struct ekb_hierarchy pattern = {.prefix = "ekubench unknown",
                                          .key_type = known->key_type,
                                          .not_before = known->not_before,
                                          .not_after = known->not_after};
    return create(out_hierarchy, &pattern, reterr_fail);
}

void ekb_hierarchy_destroy(struct ekb_hierarchy *hierarchy)
{
    if (hierarchy != NULL) {
        for (unsigned i = 0; i < EKB_MINT_MAX_DEPTH; i++) {
            ekb_ca_destroy(hierarchy->cas[i]);
        }
        free(hierarchy);
    }
}

const struct ekb_chain *ekb_hierarchy_root(const struct ekb_hierarchy *hierarchy)
{
    return ekb_ca_certificate(hierarchy->cas[0]);
}

const struct ekb_ca *ekb_hierarchy_root_ca(const struct ekb_hierarchy *hierarchy)
{
    return hierarchy->cas[0];
}

// make_cas makes those of the first `depth` CAs that are not there yet.
static enum ekb_err make_cas(struct ekb_hierarchy *hierarchy, unsigned depth,
                             struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    if (depth < 1 || depth > EKB_MINT_MAX_DEPTH) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "depth %u is not between 1 and %d", depth,
                            EKB_MINT_MAX_DEPTH);
    }
    for (unsigned i = 1; i < depth && err == EKB_OK; i++) {
        err = hierarchy->cas[i] == NULL ? make_ca(hierarchy, i, reterr_fail) : EKB_OK;
    }
    return err;
}

enum ekb_err ekb_hierarchy_issue(struct ekb_chain **out_chain, struct ekb_key **out_key,
                                 struct ekb_hierarchy *hierarchy, unsigned depth,
                                 const struct ekb_mint_leaf *spec, struct ekb_fail *reterr_fail)
{
    const int64_t life_s = hierarchy->not_after - hierarchy->not_before;
    return ekb_hierarchy_issue_brief(out_chain, out_key, hierarchy, depth, life_s, spec,
                                     reterr_fail);
}

enum ekb_err ekb_hierarchy_issue_brief(struct ekb_chain **out_chain, struct ekb_key **out_key,
                                       struct ekb_hierarchy *hierarchy, unsigned depth,
                                       int64_t life_s, const struct ekb_mint_leaf *spec,
                                       struct ekb_fail *reterr_fail)
{
    struct ekb_mint_leaf leaf = *spec;
    leaf.key_type = hierarchy->key_type;
    leaf.not_before = hierarchy->not_before;
    leaf.not_after = hierarchy->not_before + life_s;
    const enum ekb_err err = make_cas(hierarchy, depth, reterr_fail);
    return err == EKB_OK
               ? ekb_ca_issue(out_chain, out_key, hierarchy->cas[depth - 1], &leaf, reterr_fail)
               : err;
}

// Revocation.

// issue_crl appends the CRL of CA `index`; `chains` has room for all that is revoked.
static enum ekb_err issue_crl(struct ekb_crls *crls, const struct ekb_hierarchy *hierarchy,
                              unsigned index, const struct ekb_chain **chains,
                              const struct ekb_hierarchy_revoked *revoked, size_t num_revoked,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_crl_spec spec = {.revoked = chains,
                                .this_update = hierarchy->not_before,
                                .next_update = hierarchy->not_after};
    for (size_t i = 0; i < num_revoked; i++) {
        if (revoked[i].depth == index + 1) {
            chains[spec.num_revoked++] = revoked[i].chain;
        }
    }
    return ekb_crls_issue(crls, hierarchy->cas[index], &spec, reterr_fail);
}

enum ekb_err ekb_hierarchy_issue_crls(struct ekb_crls **out_crls, struct ekb_hierarchy *hierarchy,
                                      unsigned depth, const struct ekb_hierarchy_revoked *revoked,
                                      size_t num_revoked, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = make_cas(hierarchy, depth, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    struct ekb_crls *crls = ekb_crls_create();
    const struct ekb_chain **chains =
        (const struct ekb_chain **)calloc(num_revoked + 1, sizeof(const struct ekb_chain *));
    if (crls == NULL || chains == NULL) {
        ekb_crls_destroy(crls);
        free((void *)chains);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "CRLs");
    }
    for (unsigned i = 0; i < depth && err == EKB_OK; i++) {
        err = issue_crl(crls, hierarchy, i, chains, revoked, num_revoked, reterr_fail);
    }
    free((void *)chains);
    if (err != EKB_OK) {
        ekb_crls_destroy(crls);
        return err;
    }
    *out_crls = crls;
    return EKB_OK;
}
