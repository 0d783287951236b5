// What an administrator does to a store: upload (store/upload.c), trust (store/trust.c), signing
// requests, init, reset, upgrade (docs/domain.md sections 1, 2, 5).
//
// Each function is one change (store/change): it happens whole or not at all, and a refusal leaves
// the store as it is, to the byte. Only ekb_admin_init makes a store; the others return the errors
// of ekb_store_find. Refusals are those of store/gate; their detail is the sentence to print. Times
// are seconds since the epoch.

#ifndef EKUBENCH_STORE_ADMIN_H
#define EKUBENCH_STORE_ADMIN_H

#include "ekubench/base/err.h"
#include "ekubench/pki/bundle.h"
#include "ekubench/pki/csr.h"
#include "ekubench/pki/describe.h"
#include "ekubench/pki/key.h"
#include "ekubench/store/gate.h"
#include "ekubench/store/store.h"

#include <stddef.h>
#include <stdint.h>

// Which key goes with an uploaded certificate.
enum ekb_upload_key {
    EKB_UPLOAD_KEY_ANY,     // That of the bundle, else the request's or the present one, whichever
                            // fits.
    EKB_UPLOAD_KEY_GIVEN,   // That of the bundle.
    EKB_UPLOAD_KEY_CURRENT, // The present one of that side.
    EKB_UPLOAD_KEY_REQUEST, // That of the pending signing request of that side.
};

// Whether the pair goes into the client store too, past the client gate.
enum ekb_upload_copy {
    EKB_UPLOAD_ONE_STORE,
    EKB_UPLOAD_ALSO_AS_CLIENT, // For the server side only.
};

struct ekb_upload {
    enum ekb_store_side side;
    const struct ekb_bundle *bundle;
    enum ekb_upload_key key;
    enum ekb_upload_copy copy;
    unsigned needs; // Usages that the gate demands (ekb_release_gate); 0: that of the side.
    int64_t now;
};

// What an upload did, and what is to be said of it.
struct ekb_upload_outcome {
    struct ekb_gate_warning warning;
    struct ekb_description leaf;
    char root[256]; // Subject of the root that was left out at the end of the chain; "": none was.
};

// ekb_admin_upload puts a certificate into the store `path`, past the gate. A signing request whose
// key it uses is done with. What is wrong with the store as it is does not matter, unless its key
// is asked for. Errors of store/gate, store/change and ekb_store_survey; EKB_KEY_MISMATCH if no
// key, or not the key that is asked for, belongs to the certificate; EKB_NOT_FOUND if that key is
// not there; EKB_USAGE for ALSO_AS_CLIENT on the client side.
EKB_NODISCARD enum ekb_err ekb_admin_upload(const char *path, const struct ekb_upload *upload,
                                            struct ekb_upload_outcome *out_outcome,
                                            struct ekb_fail *reterr_fail);

// ekb_admin_trust_add adds all certificates of `uploaded` to the trusted CA list, or none.
EKB_NODISCARD enum ekb_err ekb_admin_trust_add(const char *path, const struct ekb_chain *uploaded,
                                               int64_t now, struct ekb_gate_warning *out_warning,
                                               struct ekb_fail *reterr_fail);

// ekb_admin_trust_remove removes the certificate with the serial number `serial` (hexadecimal;
// colons, case, 0x and leading zeros do not matter) and, if `issuer` is not NULL, that issuer (as
// ekb_chain_describe writes it), and returns what it has removed, newly allocated. EKB_NOT_FOUND if
// there is none; EKB_USAGE if several certificates have that number and no issuer is named. All of
// that issuer are removed.
EKB_NODISCARD enum ekb_err ekb_admin_trust_remove(struct ekb_chain **out_removed, const char *path,
                                                  const char *serial, const char *issuer,
                                                  struct ekb_fail *reterr_fail);

// Whether a new signing request replaces a pending one, and its key.
enum ekb_csr_mode {
    EKB_CSR_KEEP,
    EKB_CSR_REPLACE,
};

// ekb_admin_csr_new makes a key and a signing request. EKB_REFUSED_PENDING if there is one of that
// side, and it is to be kept: a certificate for it may be on its way, and is nothing without its
// key. ekb_admin_csr_read returns the pending one as newly-allocated PEM text (free it with
// `free`); EKB_NOT_FOUND if there is none. ekb_admin_csr_discard removes it; EKB_NOT_FOUND.
EKB_NODISCARD enum ekb_err ekb_admin_csr_new(const char *path, enum ekb_store_side side,
                                             enum ekb_key_type key_type,
                                             const struct ekb_csr_spec *spec,
                                             enum ekb_csr_mode mode, struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_admin_csr_read(char **out_pem, const char *path,
                                              enum ekb_store_side side,
                                              struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_admin_csr_discard(const char *path, enum ekb_store_side side,
                                                 struct ekb_fail *reterr_fail);

// What the self-signed default server certificate is for.
struct ekb_admin_host {
    const char *name; // The common name.
    enum ekb_key_type key_type;
    const char *const *dns_names; // Without any, the common name.
    size_t num_dns_names;
    const char *const *ip_addresses;
    size_t num_ip_addresses;
};

// ekb_admin_init makes a store, and its directory, with a self-signed server certificate that is
// valid for a year. EKB_EXISTS if there is a store. ekb_admin_reset puts such a certificate into a
// store that there is; its client store and its trusted CA list stay.
EKB_NODISCARD enum ekb_err ekb_admin_init(const char *path, const struct ekb_admin_host *host,
                                          int64_t now, struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_admin_reset(const char *path, const struct ekb_admin_host *host,
                                           int64_t now, struct ekb_fail *reterr_fail);

// What an upgrade did.
enum ekb_upgrade {
    EKB_UPGRADE_COPIED, // The server certificate and its key are in the client store now.
    EKB_UPGRADE_KEPT,   // There was a client store already; nothing has changed.
};

// Whether an upgrade replaces a client store that exists.
enum ekb_upgrade_mode {
    EKB_UPGRADE_KEEP,
    EKB_UPGRADE_FORCE,
};

// ekb_admin_upgrade does what the upgrade to two stores does: it copies the server's pair into the
// client store. EKB_NOT_FOUND if there is no server certificate.
EKB_NODISCARD enum ekb_err ekb_admin_upgrade(enum ekb_upgrade *out_upgrade, const char *path,
                                             enum ekb_upgrade_mode mode,
                                             struct ekb_fail *reterr_fail);

#endif
