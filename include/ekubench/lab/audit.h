// An audit: which certificates there are, what they are used for, which links will break, and what
// to do (docs/domain.md section 12). For the time when public CAs no longer put clientAuth into
// certificates.
//
// Certificates are told one by one, as they are found: memory does not grow with their number.

#ifndef EKUBENCH_LAB_AUDIT_H
#define EKUBENCH_LAB_AUDIT_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/link.h"
#include "ekubench/store/release.h"
#include "ekubench/store/store.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where it was found.
enum ekb_audit_place {
    EKB_AUDIT_FILE,
    EKB_AUDIT_STORE, // Of a node, as its server or client certificate.
    EKB_AUDIT_LIVE,  // What a server presents.
};

// In which roles of TLS it is used, as a set. None: nobody knows; a file does not say.
enum {
    EKB_AUDIT_SERVER = 1 << 0,
    EKB_AUDIT_CLIENT = 1 << 1,
};

// Who issued it.
enum ekb_audit_pki {
    EKB_AUDIT_UNKNOWN, // Its issuers are not here.
    EKB_AUDIT_PUBLIC,  // It goes back to a root of the list of public ones.
    EKB_AUDIT_PRIVATE, // To another root.
    EKB_AUDIT_SELF_SIGNED,
};

// What a certificate is good for on a link, the worst last.
enum ekb_audit_link {
    EKB_AUDIT_NO_PART, // It has none in it.
    EKB_AUDIT_UNUSED,  // It is the client store's, and the release has no such store.
    EKB_AUDIT_WORKS,
    EKB_AUDIT_BREAKS,
};

// Whether it is used in mutual TLS, as a client's.
enum ekb_audit_mtls {
    EKB_MTLS_NO,
    EKB_MTLS_PERHAPS, // Its usages, or the release, allow it; nobody knows its role. Or the upgrade
                      // will make a client's of it.
    EKB_MTLS_YES,
};

// What is wrong with a certificate by itself, as a set, the gravest first. A link on which it
// breaks breaks for one of these.
enum {
    EKB_FAULT_EXPIRED = 1 << 0,
    EKB_FAULT_NOT_YET = 1 << 1,      // It is not valid yet.
    EKB_FAULT_INTERMEDIATE = 1 << 2, // One above it, in its file, is not valid.
    EKB_FAULT_SELF_SIGNED = 1 << 3,  // And no CA: no list of trusted CAs lets it in.
    EKB_FAULT_KEY_USAGE = 1 << 4,    // Its key may not sign.
    EKB_FAULT_CHAIN = 1 << 5,        // Verification fails, whatever usage is asked for (`verdict`).
    EKB_FAULT_NO_USAGE = 1 << 6,     // It is good for neither role.
    EKB_FAULT_USAGES = 1 << 7,       // Links on which it is used ask for usages that it lacks.
    EKB_FAULT_CHROME = 1 << 8,       // Chrome distrusts it already.
    EKB_FAULT_GATE = 1 << 9,         // The store that it would be in refuses it.
    EKB_FAULT_COPY = 1 << 10,        // The upgrade's copy of it, in the client store, breaks.
    EKB_AUDIT_NUM_FAULTS = 11
};

// What to do before public CAs leave clientAuth out.
enum ekb_audit_advice {
    EKB_ADVICE_NOT_AFFECTED, // Of a private CA, or nobody's.
    EKB_ADVICE_KEEP,         // Public, for servers only.
    EKB_ADVICE_ACT,          // Public, and used as a client's: by the item's steps.
    EKB_ADVICE_FIND_CA,      // Nobody knows whether it is public,
    EKB_ADVICE_FIND_ROLE,    // or, of a public one, whether a client uses it.
    EKB_ADVICE_UNUSED,       // The release has no client store.
    EKB_ADVICE_CA,           // A CA's, which nobody presents.
};

// What can be done of a public certificate that a client uses, as a set: what the time, the audited
// release, and whose it is leave of it.
enum {
    EKB_STEP_ROOT = 1 << 0,    // A: another root, which still gives both usages.
    EKB_STEP_RENEW = 1 << 1,   // B: renewal before the deadline, and none by itself after it.
    EKB_STEP_PRIVATE = 1 << 2, // C: a private CA; for a core node, not for an edge.
    EKB_STEP_UPGRADE = 1 << 3, // D: a release that takes serverAuth alone, or has two stores.
    EKB_STEP_CLIENT = 1 << 4,  // There are two stores: another one for the client's.
    EKB_STEP_STOP = 1 << 5,    // Of B nothing is left but to stop the automatic renewal.
};

// The dates after which public certificates change.
enum ekb_audit_date {
    EKB_DATE_LETS_ENCRYPT, // Its classic profile gives no clientAuth.
    EKB_DATE_200_DAYS,     // Public certificates live so long at most.
    EKB_DATE_CLIENT_AUTH,  // Public CAs give no clientAuth.
    EKB_DATE_CHROME,       // It distrusts public certificates with both usages.
    EKB_AUDIT_NUM_DATES
};

// What the upload gate says.
struct ekb_audit_gate {
    bool asked;              // It would go into that store.
    struct ekb_fail refusal; // EKB_OK: it is let in.
    bool switch_admits;      // An edge node whose EnableServerEkuUpload is on lets it in.
    bool copy_admits;        // As a copy of the server's certificate it goes in.
};

struct ekb_audit_item {
    const char *source; // Path or HOST:PORT. Borrowed.
    enum ekb_audit_place place;
    unsigned roles; // EKB_AUDIT_*
    bool is_alone;  // A store's, of the server, which has no client certificate beside it.
    struct ekb_description certificate;
    char root[256]; // Its subject; "": not known.
    enum ekb_audit_pki pki;
    // For what verification takes it, EKB_EKU_SERVER_AUTH and EKB_EKU_CLIENT_AUTH: its own usages,
    // as far as those of the intermediates above it in its file allow them.
    unsigned good_for;
    int64_t days_left; // At the time of the audit; negative: it is over.
    bool is_valid;     // At that time, and so are those intermediates.
    // By release and EKU checking mode (on, off): what it is good for in its roles, or, without
    // any, in all that it is good for. A node with one store presents its server's certificate as a
    // client, too.
    enum ekb_audit_link links[EKB_RELEASE_NUM][2][EKB_LINK_NUM];
    // The rest is by the release and mode of the audit.
    bool breaks;      // A link, in a role that is known.
    unsigned lacking; // Of these links those (1 << enum ekb_link) that ask for usages it lacks,
    unsigned missing; // and which, EKB_EKU_*.
    // Of one that is alone: the links (1 << enum ekb_link) on which it breaks as a client's, once
    // the upgrade to two stores has copied it. No reason for `breaks`.
    unsigned copy_breaks;
    enum ekb_audit_mtls mtls;
    struct ekb_audit_gate gates[EKB_STORE_NUM_SIDES];
    // What verification says of its chain, up to the root or to where its file ends, with no usage
    // asked for: EKB_VERIFY_*, or EKB_UNSUPPORTED for a key that no TLS here can use.
    enum ekb_err verdict;
    unsigned faults; // EKB_FAULT_*
    enum ekb_audit_advice advice;
    unsigned steps; // EKB_STEP_*, of EKB_ADVICE_ACT.
    bool to_act;    // By a fault, or by the advice.
    unsigned dates; // 1 << enum ekb_audit_date: those that change something for it.
};

// What is told: an item, or what could not be read, and why (`problem`; `item` is NULL).
typedef void ekb_audit_tell(void *context, const struct ekb_audit_item *item, const char *source,
                            const struct ekb_fail *problem);

struct ekb_audit_options {
    enum ekb_release release;
    enum ekb_eku_mode mode;                // On or off.
    int64_t at;                            // Seconds since the epoch.
    unsigned roles;                        // Of certificates in files; 0: not known.
    unsigned nodes;                        // 1 << enum ekb_node_kind: whose they are; 0: not known.
    const char *password;                  // For PKCS #12, or NULL.
    const struct ekb_chain *public_roots;  // NULL: none are known.
    const struct ekb_chain *private_roots; // NULL.
    bool with_cas;                         // CA certificates are items, too.
    uint64_t deadline_ns;                  // Of each connection.
    const volatile sig_atomic_t *stop;     // Set to end between two files; or NULL.
    ekb_audit_tell *tell;
    void *context;
};

struct ekb_audit_totals {
    uint64_t files;
    uint64_t certificates; // Told.
    uint64_t cas;          // Left out.
    uint64_t unreadable;   // Told.
    uint64_t without;      // Files without a certificate.
    uint64_t hidden;       // Files and directories that were not looked at, for their names.
    uint64_t breaking;
    uint64_t to_act;
    unsigned steps; // EKB_STEP_* of all of them.
};

// ekb_audit_path looks at the file or the directory `path` and all that is under it: PEM, DER, PKCS
// #12, stores. Names that begin with a dot are left out below it, and counted. What cannot be read
// is told and counted; of a PEM file, block by block. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_audit_path(struct ekb_audit_totals *totals,
                                          const struct ekb_audit_options *options, const char *path,
                                          struct ekb_fail *reterr_fail);

// ekb_audit_server looks at the server `target` (ADDR:PORT): at all certificates that it has under
// that name. EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_audit_server(struct ekb_audit_totals *totals,
                                            const struct ekb_audit_options *options,
                                            const char *target, struct ekb_fail *reterr_fail);

// ekb_audit_judge fills what follows from certificate `index` of `chain`, whose issuers may be in
// `chain` too; `item` has source, place, roles and is_alone. It looks at nothing else. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_audit_judge(struct ekb_audit_item *item,
                                           const struct ekb_audit_options *options,
                                           const struct ekb_chain *chain, size_t index);

// ekb_audit_pki_name returns "public", "private", "self-signed" or "unknown"; ekb_audit_mtls_name
// "yes", "no" or "perhaps"; ekb_audit_link_name "works", "breaks", "unused" or "-". String
// literals.
const char *ekb_audit_pki_name(enum ekb_audit_pki pki);
const char *ekb_audit_mtls_name(enum ekb_audit_mtls mtls);
const char *ekb_audit_link_name(enum ekb_audit_link link);

// ekb_audit_links_text writes the names of a set of links (1 << enum ekb_link), with `separator`
// between them. It returns `out_text`.
#define EKB_AUDIT_LINKS_LEN 128
const char *ekb_audit_links_text(char out_text[EKB_AUDIT_LINKS_LEN], unsigned links,
                                 const char *separator);

// ekb_audit_advice_text writes what to do with `item`: of its gravest fault, and before public CAs
// leave clientAuth out. ekb_audit_reason_text writes what `fault` (one of EKB_FAULT_*) of `item`
// is; ekb_audit_gate_text what the gate of a store says ("accepted", "refused: ...");
// ekb_audit_upgrade_text what the upgrade does with one that is alone. They return `out_text`.
#define EKB_AUDIT_TEXT_LEN 768
const char *ekb_audit_advice_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                  const struct ekb_audit_item *item);
const char *ekb_audit_reason_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                  const struct ekb_audit_item *item, unsigned fault);
const char *ekb_audit_upgrade_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                   const struct ekb_audit_item *item);
const char *ekb_audit_gate_text(char out_text[EKB_AUDIT_TEXT_LEN],
                                const struct ekb_audit_gate *gate);

// ekb_audit_date_time returns when `date` is, in seconds since the epoch; ekb_audit_date_text what
// it means, as it is said at the time `at`: a string literal.
int64_t ekb_audit_date_time(enum ekb_audit_date date);
const char *ekb_audit_date_text(enum ekb_audit_date date, int64_t at);

#endif
