#include "ekubench/pki/client_fault.h"

#include <assert.h>

const char *ekb_client_fault_name(enum ekb_client_fault fault)
{
    static const char *const names[EKB_CLIENT_FAULT_NUM] = {
        [EKB_CLIENT_FAULT_NONE] = "none",
        [EKB_CLIENT_FAULT_WRONG_EKU] = "wrong-eku",
        [EKB_CLIENT_FAULT_UNKNOWN_CA] = "unknown-ca",
        [EKB_CLIENT_FAULT_EXPIRED] = "expired",
        [EKB_CLIENT_FAULT_REVOKED] = "revoked",
        [EKB_CLIENT_FAULT_NO_CERTIFICATE] = "no-certificate",
    };
    assert(fault < EKB_CLIENT_FAULT_NUM);
    return names[fault];
}

// issue_as_stranger makes a hierarchy for one certificate.
static enum ekb_err issue_as_stranger(struct ekb_chain **out_chain, struct ekb_key **out_key,
                                      const struct ekb_hierarchy *known, unsigned depth,
                                      const struct ekb_mint_leaf *spec,
                                      struct ekb_fail *reterr_fail)
{
    struct ekb_hierarchy *stranger = NULL;
    enum ekb_err err = ekb_hierarchy_create_stranger(&stranger, known, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_hierarchy_issue(out_chain, out_key, stranger, depth, spec, reterr_fail);
    }
    ekb_hierarchy_destroy(stranger);
    return err;
}

enum ekb_err ekb_client_fault_issue(struct ekb_chain **out_chain, struct ekb_key **out_key,
                                    struct ekb_hierarchy *hierarchy, unsigned depth,
                                    enum ekb_client_fault fault, const struct ekb_mint_leaf *spec,
                                    struct ekb_fail *reterr_fail)
{
    struct ekb_mint_leaf leaf = *spec;
    switch (fault) {
    case EKB_CLIENT_FAULT_UNKNOWN_CA:
        return issue_as_stranger(out_chain, out_key, hierarchy, depth, spec, reterr_fail);
    case EKB_CLIENT_FAULT_EXPIRED:
        return ekb_hierarchy_issue_brief(out_chain, out_key, hierarchy, depth,
                                         EKB_CLIENT_FAULT_LIFE_S, spec, reterr_fail);
    case EKB_CLIENT_FAULT_WRONG_EKU:
        leaf.eku = EKB_EKU_SERVER_AUTH;
        break;
    case EKB_CLIENT_FAULT_NONE:
    case EKB_CLIENT_FAULT_REVOKED:
        break;
    case EKB_CLIENT_FAULT_NO_CERTIFICATE:
    case EKB_CLIENT_FAULT_NUM:
        assert(!"a certificate is made");
        break;
    }
    return ekb_hierarchy_issue(out_chain, out_key, hierarchy, depth, &leaf, reterr_fail);
}
