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

// What a certificate is good for on a link.
enum ekb_audit_link {
    EKB_AUDIT_NO_PART, // It has none in it.
    EKB_AUDIT_WORKS,
    EKB_AUDIT_BREAKS,
};

enum ekb_audit_advice {
    EKB_ADVICE_NOT_AFFECTED,
    EKB_ADVICE_KEEP,
    EKB_ADVICE_ACT,      // Public, and used as a client's.
    EKB_ADVICE_FIND_OUT, // Nobody knows whether it is public, or what it is used for.
    EKB_ADVICE_EXPIRED,
};

struct ekb_audit_item {
    const char *source; // Path or HOST:PORT. Borrowed.
    enum ekb_audit_place place;
    unsigned roles; // EKB_AUDIT_*
    struct ekb_description certificate;
    char root[256]; // Its subject; "": not known.
    enum ekb_audit_pki pki;
    int64_t days_left;  // At the time of the audit; negative: it is over.
    bool is_valid;      // At that time.
    bool may_be_client; // Its usages allow it.
    // By release and EKU checking mode (on, off): what it is good for in its roles, or, without
    // any, in all that its usages are for.
    enum ekb_audit_link links[EKB_RELEASE_NUM][2][EKB_LINK_NUM];
    bool breaks; // A link of the release and mode of the audit, in a role that is known.
    enum ekb_audit_advice advice;
};

// What is told: an item, or what could not be read, and why (`problem`; `item` is NULL).
typedef void ekb_audit_tell(void *context, const struct ekb_audit_item *item, const char *source,
                            const struct ekb_fail *problem);

struct ekb_audit_options {
    enum ekb_release release;
    enum ekb_eku_mode mode;                // On or off.
    int64_t at;                            // Seconds since the epoch.
    unsigned roles;                        // Of certificates in files; 0: not known.
    const char *password;                  // For PKCS #12, or NULL.
    const struct ekb_chain *public_roots;  // NULL: none are known.
    const struct ekb_chain *private_roots; // NULL.
    bool with_cas;                         // CA certificates are items, too.
    uint64_t deadline_ns;                  // Of each connection.
    ekb_audit_tell *tell;
    void *context;
};

struct ekb_audit_totals {
    uint64_t files;
    uint64_t certificates; // Told.
    uint64_t cas;          // Left out.
    uint64_t unreadable;   // Told.
    uint64_t without;      // Files without a certificate.
    uint64_t breaking;
    uint64_t to_act;
};

// ekb_audit_path looks at the file or the directory `path` and all that is under it: PEM, DER, PKCS
// #12, stores. Names that begin with a dot are left out below it. What cannot be read is told and
// counted. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_audit_path(struct ekb_audit_totals *totals,
                                          const struct ekb_audit_options *options, const char *path,
                                          struct ekb_fail *reterr_fail);

// ekb_audit_server looks at the server `target` (ADDR:PORT): at all certificates that it has.
// EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_audit_server(struct ekb_audit_totals *totals,
                                            const struct ekb_audit_options *options,
                                            const char *target, struct ekb_fail *reterr_fail);

// ekb_audit_judge fills what follows from certificate `index` of `chain`, whose issuers may be in
// `chain` too; `item` has source, place and roles. Pure.
void ekb_audit_judge(struct ekb_audit_item *item, const struct ekb_audit_options *options,
                     const struct ekb_chain *chain, size_t index);

// ekb_audit_pki_name returns "public", "private", "self-signed" or "unknown"; ekb_audit_advice_text
// what to do, in words. String literals.
const char *ekb_audit_pki_name(enum ekb_audit_pki pki);
const char *ekb_audit_advice_text(enum ekb_audit_advice advice);

#endif
