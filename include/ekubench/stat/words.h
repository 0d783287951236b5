// The words of a result: the names by which whoever writes effects and whoever reads them know
// them. They are part of the result's form (docs/result.md): added, never changed.

#ifndef EKUBENCH_STAT_WORDS_H
#define EKUBENCH_STAT_WORDS_H

// Questions.
#define EKB_EFFECT_CONTROL "A/A control: the same treatment twice"
#define EKB_EFFECT_COMPONENT "What do the parts of verification cost?"
#define EKB_EFFECT_EKU "What does the EKU check cost?"
#define EKB_EFFECT_LOAD "What does the EKU check cost under load?"
#define EKB_EFFECT_DEPTH "What does each extra certificate of the client's chain cost?"
#define EKB_EFFECT_SERVER_DEPTH "What does each extra certificate of the server's chain cost?"
#define EKB_EFFECT_LINEARITY "Does each extra certificate cost the same?"
#define EKB_EFFECT_LADDER "What does each rung of verification add?"
#define EKB_EFFECT_TIMERS "What do the timers inside of verification cost?"
#define EKB_EFFECT_REJECT "What does a rejected client cost?"
#define EKB_EFFECT_RESUMED "What does a resumed handshake cost?"
#define EKB_EFFECT_LINK "What does the EKU check cost on the deployment's links?"
#define EKB_EFFECT_REJECT_LINK "What does a rejected client cost on the deployment's links?"
#define EKB_EFFECT_STORES "What does the other store change?"
#define EKB_EFFECT_INJECTED "What is found of a known effect?"

// Metrics: what is compared, each a mean per handshake unless it says otherwise.
#define EKB_METRIC_SERVER_CPU "server_cpu_ns"
#define EKB_METRIC_CLIENT_CPU "client_cpu_ns"
#define EKB_METRIC_WIRE "wire_bytes"            // Both directions, TLS records with their headers.
#define EKB_METRIC_WALL "wall_ns_per_handshake" // The inverse of the rate.
#define EKB_METRIC_P99 "latency_p99_ns"         // 99th percentile.
#define EKB_METRIC_PURPOSE "purpose_check_ns"   // By certificate.
#define EKB_METRIC_PARSE "parse_ns"             // By certificate.
#define EKB_METRIC_VERIFY "verify_chain_ns"

// Arms that a reader looks for: a full handshake whose client gets tickets, and one that presents
// such a ticket.
#define EKB_ARM_TICKETS "tickets-d1"
#define EKB_ARM_RESUMED "resumed-d1"
#define EKB_CONTRAST_RESUMED EKB_ARM_RESUMED " - on-d1"
#define EKB_CONTRAST_TICKETS EKB_ARM_TICKETS " - on-d1"

// Contrasts that are no difference of two arms.
#define EKB_CONTRAST_PURPOSE_TIMER "purpose check, per certificate: timer - empty timer"
#define EKB_CONTRAST_PURPOSE_FIRST "purpose check, per certificate, first look: timer - empty timer"
#define EKB_CONTRAST_PURPOSE_SLOPE "purpose check of the leaf: slope over 0, 8, 32, 64 repeats"
#define EKB_CONTRAST_PARSE "parsing, per certificate: timer - empty timer"
#define EKB_CONTRAST_VERIFY "chain verification, depth 2: timer - empty timer"
#define EKB_CONTRAST_DEPTH_ON "EKU on: per certificate, depth 1 to 5"
#define EKB_CONTRAST_DEPTH_OFF "EKU off: per certificate, depth 1 to 5"
#define EKB_CONTRAST_DEPTH_NONE "no EKU check: per certificate, depth 1 to 5"
#define EKB_CONTRAST_SERVER_DEPTH "server's chain: per certificate, depth 1 to 5"
#define EKB_CONTRAST_CLIENT_CURVE "client's chain: curvature over depth 1 to 5"
#define EKB_CONTRAST_SERVER_CURVE "server's chain: curvature over depth 1 to 5"

// Arms of clients that are rejected, by what is wrong with them, and the accepted ones that they
// are compared with: "crl-d1" where CRLs are consulted.
#define EKB_ARM_REJECT_EKU "reject-d1"
#define EKB_ARM_REJECT_CA "reject-ca-d1"
#define EKB_ARM_REJECT_EXPIRED "reject-expired-d1"
#define EKB_ARM_REJECT_REVOKED "reject-revoked-d1"
#define EKB_ARM_REJECT_NONE "reject-none"
#define EKB_ARM_ACCEPT "on-d1"
#define EKB_ARM_ACCEPT_CRL "crl-d1"

// Stages of the built-in plans.
#define EKB_STAGE_PILOT "pilot"
#define EKB_STAGE_COST "cost"
#define EKB_STAGE_FLOOR "floor"
#define EKB_STAGE_LOAD "load"
#define EKB_STAGE_VARIANTS "variants" // Of a search for capacity.

#endif
