// TLS configuration: everything that connections of one role and one policy have in common.
//
// A `struct ekb_tls_config` is made once and is constant afterwards. It holds its own references to
// certificates and keys. Session resumption is off in both versions unless it is asked for: no
// tickets, no session cache, so that every connection is a full handshake. Groups and cipher suites
// are always named, never the library's defaults: runs with different ones are not comparable. Not
// shared between processes: each worker makes its own.

#ifndef EKUBENCH_TLS_CONFIG_H
#define EKUBENCH_TLS_CONFIG_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/policy.h"
#include "ekubench/store/store.h"
#include "ekubench/tls/preferences.h"

#include <stdbool.h>
#include <stdint.h>

enum ekb_role {
    EKB_ROLE_SERVER,
    EKB_ROLE_CLIENT
};

enum ekb_tls_version {
    EKB_TLS_1_2,
    EKB_TLS_1_3,
    EKB_TLS_ANY,
    EKB_TLS_NUM_VERSIONS
};

// Told of the begin and the end of each certificate chain verification (so that the caller can time
// it; this layer has no clock), and, if `probe` is set in the options, afterwards of a chain that
// was accepted, which is for ekb_probe_measure (pki/probe) and for the time of the call only.
// Called from within ekb_endpoint_* on the connection being driven.
struct ekb_tls_observer {
    void (*verify_begin)(void *context);
    void (*verify_end)(void *context);
    void (*verified)(void *context, void *chain); // May be NULL without `probe`.
    void *context;
};

// Whether a server gives its clients tickets (RFC 5077, RFC 8446 section 4.6.1), and a client keeps
// them (ekb_endpoint_take_session). A connection that
// is resumed presents no certificate and is not verified again; the key of the tickets lives and
// dies with the configuration, so that a ticket is good for the policy, trusted CA list and CRLs
// under which it was given and for no others; and for EKB_TLS_TICKET_S at most, or until a
// certificate of the verified chain, or a CRL of one of its issuers, is over.
enum ekb_tls_resumption {
    EKB_TLS_RESUME_OFF,
    EKB_TLS_RESUME_ON,
};
#define EKB_TLS_TICKET_S 3600

// The key of the tickets of several configurations that shall open one another's: those that the
// workers of one server make for one listener. Zeroed: the library makes one for each
// configuration, and another after some time; ours stays until the configuration is made anew.
#define EKB_TICKET_KEY_LEN 48
struct ekb_ticket_key {
    bool set;
    uint8_t bytes[EKB_TICKET_KEY_LEN];
};

struct ekb_tls_options {
    enum ekb_role role;
    enum ekb_tls_version version;
    const struct ekb_identity
        *identity; // What this side presents. A client's may be NULL: no certificate.
    // Server: a second one, with a key of another kind; the client's preference decides which of
    // them it gets. NULL: none.
    const struct ekb_identity *second_identity;
    // Client, in the place of `identity`: each connection presents one of them. NULL: none.
    const struct ekb_identity *identities;
    size_t num_identities;
    struct ekb_tls_preferences preferences;
    const struct ekb_chain *trust; // CAs, perhaps none; may be NULL without EKB_VERIFY_FULL.
    const struct ekb_crls *crls;   // Or NULL: revocation is not checked.
    // Server: how clients are verified. Client: EKB_VERIFY_FULL (the server's chain, for serverAuth
    // unless `goes_by_mode`) or EKB_VERIFY_RAW (the server's certificate is not even parsed: a
    // cheap client).
    struct ekb_policy policy;
    bool goes_by_mode; // Client: the policy's EKU mode counts, as it does for a server.
    enum ekb_tls_resumption resumption;
    const struct ekb_ticket_key *ticket_key; // Server; borrowed, or NULL: as if zeroed.
    const int64_t *verify_at; // Time of verification, seconds since the epoch; NULL: now.
    const char *sni;          // Client: server name to ask for, or NULL.
    const struct ekb_tls_observer *observer; // Borrowed, or NULL.
    bool probe;                              // Call the observer's `verified`.
};

// The lengths of a handshake's flights in bytes, in turn, the client's first. The last is the
// server's.
#define EKB_FLIGHTS_MAX 8
struct ekb_flights {
    uint32_t len[EKB_FLIGHTS_MAX];
    uint32_t num;
};

struct ekb_tls_config;

// ekb_ticket_key_make makes a new key, at random. EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_ticket_key_make(struct ekb_ticket_key *out_key);

// ekb_tls_version_name returns "1.2", "1.3" or "any"; ekb_tls_version_parse reads one back or
// returns EKB_USAGE.
const char *ekb_tls_version_name(enum ekb_tls_version version);
EKB_NODISCARD enum ekb_err ekb_tls_version_parse(enum ekb_tls_version *out_version,
                                                 const char *text);

// ekb_tls_config_create_bare makes a configuration without TLS: its endpoints exchange as many
// bytes as `flights` says, and end as a handshake does, the server READY when the client's last
// flight has come and the client with one byte of application data when the server's has. All bytes
// are zero, and what comes afterwards is ignored. It is the floor under the transport. EKB_USAGE if
// there are no flights, an odd number of them, or one is longer than EKB_ENDPOINT_TX_LEN or empty;
// EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_tls_config_create_bare(struct ekb_tls_config **out_config,
                                                      enum ekb_role role,
                                                      const struct ekb_flights *flights);

// ekb_tls_config_create makes a newly-allocated configuration; release it with
// `ekb_tls_config_destroy` (NULL is legal), even while connections that began with it go on.
// `options` and what it points to are not kept, except the observer, which must outlive those
// connections. EKB_USAGE if the options contradict each other or the library does not know what is
// preferred, EKB_TLS_BAD_CERTIFICATE if the
// library refuses the identity (the detail has its reason), EKB_NOMEM, EKB_TLS_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_tls_config_create(struct ekb_tls_config **out_config,
                                                 const struct ekb_tls_options *options,
                                                 struct ekb_fail *reterr_fail);
void ekb_tls_config_destroy(struct ekb_tls_config *config);

// ekb_tls_config_num_identities returns how many identities a client's connections choose from; 0
// if there is nothing to choose.
size_t ekb_tls_config_num_identities(const struct ekb_tls_config *config);

// ekb_tls_config_role returns the role that `config` was made for.
enum ekb_role ekb_tls_config_role(const struct ekb_tls_config *config);

// ekb_tls_library_api returns BORINGSSL_API_VERSION of the library that this was built with.
unsigned ekb_tls_library_api(void);

#endif
