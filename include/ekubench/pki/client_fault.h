// Clients that a server has to reject: what is wrong with the certificate of each kind, and how
// such a certificate is made.
//
// They are what a public CA issues, in a hierarchy (pki/hierarchy), but for the one fault.

#ifndef EKUBENCH_PKI_CLIENT_FAULT_H
#define EKUBENCH_PKI_CLIENT_FAULT_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/hierarchy.h"
#include "ekubench/pki/key.h"
#include "ekubench/pki/mint.h"

enum ekb_client_fault {
    EKB_CLIENT_FAULT_NONE,
    EKB_CLIENT_FAULT_WRONG_EKU,  // serverAuth alone: rejected where the EKU mode is on.
    EKB_CLIENT_FAULT_UNKNOWN_CA, // Of a hierarchy that nobody trusts.
    EKB_CLIENT_FAULT_EXPIRED,
    EKB_CLIENT_FAULT_REVOKED,        // Rejected where the CRL that lists it is consulted.
    EKB_CLIENT_FAULT_NO_CERTIFICATE, // There is none.
    EKB_CLIENT_FAULT_NUM
};

// How long an expired certificate was good for, from the beginning of its hierarchy's validity:
// that must lie further back.
#define EKB_CLIENT_FAULT_LIFE_S 1800

// ekb_client_fault_name returns "none", "wrong-eku", "unknown-ca", "expired", "revoked" or
// "no-certificate".
const char *ekb_client_fault_name(enum ekb_client_fault fault);

// ekb_client_fault_issue is ekb_hierarchy_issue with that fault, which is not
// EKB_CLIENT_FAULT_NO_CERTIFICATE. A revoked one has nothing about it: it is for the caller to put
// on a CRL (ekb_hierarchy_issue_crls). Errors of ekb_hierarchy_issue and ekb_hierarchy_create.
EKB_NODISCARD enum ekb_err
ekb_client_fault_issue(struct ekb_chain **out_chain, struct ekb_key **out_key,
                       struct ekb_hierarchy *hierarchy, unsigned depth, enum ekb_client_fault fault,
                       const struct ekb_mint_leaf *spec, struct ekb_fail *reterr_fail);

#endif
