#include "ekubench/pki/hierarchy.h"

#include <stdio.h>
#include <stdlib.h>

struct ekb_hierarchy {
    struct ekb_ca
        *cas[EKB_MINT_MAX_DEPTH]; // [0] is the root, [i] is signed by [i - 1]; NULL: not yet made.
    enum ekb_key_type key_type;
    int64_t not_before;
    int64_t not_after;
};

// make_ca makes CA number `index`; the one above it exists.
static enum ekb_err make_ca(struct ekb_hierarchy *hierarchy, unsigned index,
                            struct ekb_fail *reterr_fail)
{
    char name[64] = "ekubench root CA";
    const struct ekb_mint_ca spec = {.common_name = name,
                                     .key_type = hierarchy->key_type,
                                     .eku = EKB_EKU_ABSENT,
                                     .not_before = hierarchy->not_before,
                                     .not_after = hierarchy->not_after};
    if (index == 0) {
        return ekb_ca_create_root(&hierarchy->cas[0], &spec, reterr_fail);
    }
    (void)snprintf(name, sizeof name, "ekubench intermediate CA %u", index);
    return ekb_ca_create_intermediate(&hierarchy->cas[index], hierarchy->cas[index - 1], &spec,
                                      reterr_fail);
}

enum ekb_err ekb_hierarchy_create(struct ekb_hierarchy **out_hierarchy, enum ekb_key_type key_type,
                                  int64_t not_before, int64_t not_after,
                                  struct ekb_fail *reterr_fail)
{
    struct ekb_hierarchy *hierarchy = calloc(1, sizeof *hierarchy);
    if (hierarchy == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "CA hierarchy");
    }
    hierarchy->key_type = key_type;
    hierarchy->not_before = not_before;
    hierarchy->not_after = not_after;
    const enum ekb_err err = make_ca(hierarchy, 0, reterr_fail);
    if (err != EKB_OK) {
        ekb_hierarchy_destroy(hierarchy);
        return err;
    }
    *out_hierarchy = hierarchy;
    return EKB_OK;
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

enum ekb_err ekb_hierarchy_issue(struct ekb_chain **out_chain, struct ekb_key **out_key,
                                 struct ekb_hierarchy *hierarchy, unsigned depth,
                                 const struct ekb_mint_leaf *spec, struct ekb_fail *reterr_fail)
{
    if (depth < 1 || depth > EKB_MINT_MAX_DEPTH) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "depth %u is not between 1 and %d", depth,
                            EKB_MINT_MAX_DEPTH);
    }
    for (unsigned i = 1; i < depth; i++) {
        const enum ekb_err err =
            hierarchy->cas[i] == NULL ? make_ca(hierarchy, i, reterr_fail) : EKB_OK;
        if (err != EKB_OK) {
            return err;
        }
    }
    struct ekb_mint_leaf leaf = *spec;
    leaf.key_type = hierarchy->key_type;
    leaf.not_before = hierarchy->not_before;
    leaf.not_after = hierarchy->not_after;
    return ekb_ca_issue(out_chain, out_key, hierarchy->cas[depth - 1], &leaf, reterr_fail);
}
