// TLS endpoint.
//
// A `struct ekb_endpoint` is one side of one TLS connection, without a socket. Wire bytes enter
// through `ekb_endpoint_feed` and leave through `ekb_endpoint_pending` / `ekb_endpoint_sent`. It
// never blocks, never reads a clock, never prints. What it verifies is its configuration's policy.
// Not thread-safe: an endpoint belongs to the loop that
// drives it.
//
// An endpoint is made once and used for many connections, one after another (`start` ... `stop`);
// between `create` and `destroy` this module allocates nothing, the TLS library does.
//
// The calls that drive a connection return its error, but a caller may as well ask for the state
// afterwards: the first error is kept.

#ifndef EKUBENCH_TLS_ENDPOINT_H
#define EKUBENCH_TLS_ENDPOINT_H

#include "ekubench/base/err.h"
#include "ekubench/pki/cert.h"
#include "ekubench/tls/config.h"
#include "ekubench/tls/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ekb_endpoint;
struct ekb_tls_session; // What a client needs to resume.

// What fits into one flight without waiting for the network; a longer one goes out in parts.
#define EKB_ENDPOINT_TX_LEN 8192
// Application data received is kept up to here, for whoever waits for a confirmation; the rest is
// counted.
#define EKB_ENDPOINT_APP_LEN 64

enum ekb_endpoint_state {
    EKB_ENDPOINT_IDLE,        // No connection.
    EKB_ENDPOINT_HANDSHAKING, // More bytes are needed, or are waiting to be sent.
    EKB_ENDPOINT_READY,       // Handshake complete on this side; peer verified according to policy.
    EKB_ENDPOINT_CLOSED,      // The peer closed in order after READY.
    EKB_ENDPOINT_FAILED,      // First error kept. Pending bytes (an alert) may remain.
};

// ekb_endpoint_create returns in `*out_endpoint` a newly-allocated idle endpoint; release it with
// `ekb_endpoint_destroy` (NULL is legal). EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_endpoint_create(struct ekb_endpoint **out_endpoint);
void ekb_endpoint_destroy(struct ekb_endpoint *endpoint);

// ekb_endpoint_start begins a connection in the role of `config`, of which it keeps what it needs.
// A client's first flight is pending afterwards. The endpoint must be idle. EKB_NOMEM; any TLS
// error.
enum ekb_err ekb_endpoint_start(struct ekb_endpoint *endpoint, const struct ekb_tls_config *config);

// What distinguishes a client's connection from others of its configuration.
struct ekb_endpoint_choice {
    size_t identity; // Which of the configuration's identities it presents, if it has several.
    const struct ekb_tls_session *session; // To resume, if the server agrees; NULL: none.
};

// ekb_endpoint_start_as is ekb_endpoint_start with a choice, which is not kept. EKB_NOMEM; any TLS
// error.
enum ekb_err ekb_endpoint_start_as(struct ekb_endpoint *endpoint,
                                   const struct ekb_tls_config *config,
                                   const struct ekb_endpoint_choice *choice);

// ekb_endpoint_stop forgets the connection and releases what the library holds for it. Idle is
// legal.
void ekb_endpoint_stop(struct ekb_endpoint *endpoint);

// ekb_endpoint_feed hands `wire_len` received bytes to `endpoint`. They are borrowed until nothing
// is pending any more (at once, if nothing is pending afterwards), and no more may be fed before
// that: the caller sends what is pending, then receives again. It returns EKB_OK while handshaking,
// ready or closed, and the first error, now and ever after, once failed: bytes are then ignored.
enum ekb_err ekb_endpoint_feed(struct ekb_endpoint *endpoint, const uint8_t *wire, size_t wire_len);

// ekb_endpoint_pending returns the bytes to send next and sets `*out_len`; NULL and 0 if there are
// none. The bytes are owned by `endpoint` and stay where they are, unchanged, until
// `ekb_endpoint_sent` or `ekb_endpoint_stop`.
const uint8_t *ekb_endpoint_pending(const struct ekb_endpoint *endpoint, size_t *out_len);

// ekb_endpoint_sent says that the first `wire_len` pending bytes have gone out, which may let a
// flight longer than the buffer continue. It returns as `ekb_endpoint_feed`.
enum ekb_err ekb_endpoint_sent(struct ekb_endpoint *endpoint, size_t wire_len);

// ekb_endpoint_write encrypts `data` (at most 1024 bytes) as application data, to be sent with what
// is pending. The endpoint must be READY, or CLOSED: the peer writes no more, but may read. Errors
// as `ekb_endpoint_feed`.
enum ekb_err ekb_endpoint_write(struct ekb_endpoint *endpoint, const uint8_t *data,
                                size_t data_len);

// ekb_endpoint_close says goodbye (close_notify), to be sent with what is pending: nothing may be
// written afterwards, but reading goes on. The endpoint must be READY.
void ekb_endpoint_close(struct ekb_endpoint *endpoint);

// ekb_endpoint_state returns where the connection is; `ekb_endpoint_error` the first error, EKB_OK
// if none.
enum ekb_endpoint_state ekb_endpoint_state(const struct ekb_endpoint *endpoint);
enum ekb_err ekb_endpoint_error(const struct ekb_endpoint *endpoint);

// ekb_endpoint_alert_received and ekb_endpoint_alert_sent return the number of the last alert other
// than close_notify, or -1.
int ekb_endpoint_alert_received(const struct ekb_endpoint *endpoint);
int ekb_endpoint_alert_sent(const struct ekb_endpoint *endpoint);

// ekb_endpoint_verify_result returns the library's verification result (X509_V_*), 0 if none
// failed.
int ekb_endpoint_verify_result(const struct ekb_endpoint *endpoint);

// ekb_endpoint_library_reason returns the library's text for the first error ("" if none), owned by
// the library.
const char *ekb_endpoint_library_reason(const struct ekb_endpoint *endpoint);

// ekb_endpoint_app_len returns how many bytes of application data have arrived since `start`; the
// first EKB_ENDPOINT_APP_LEN of them are at `ekb_endpoint_app`, owned by `endpoint`.
size_t ekb_endpoint_app_len(const struct ekb_endpoint *endpoint);
const uint8_t *ekb_endpoint_app(const struct ekb_endpoint *endpoint);

// ekb_endpoint_version_name, ekb_endpoint_cipher_name and ekb_endpoint_group_name name what was
// negotiated ("TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519"); ekb_endpoint_signature_name the
// algorithm with which the peer has proved that it holds its key ("ecdsa_secp256r1_sha256"). ""
// before that. Owned by the library.
const char *ekb_endpoint_version_name(const struct ekb_endpoint *endpoint);
const char *ekb_endpoint_cipher_name(const struct ekb_endpoint *endpoint);
const char *ekb_endpoint_group_name(const struct ekb_endpoint *endpoint);
const char *ekb_endpoint_signature_name(const struct ekb_endpoint *endpoint);

// Resumption (RFC 5077, RFC 8446 section 2.2).

// ekb_endpoint_is_resumed is true if the server has resumed a session: no certificate was presented
// or verified.
bool ekb_endpoint_is_resumed(const struct ekb_endpoint *endpoint);

// ekb_endpoint_num_tickets returns how many tickets the server has sent in this connection.
uint32_t ekb_endpoint_num_tickets(const struct ekb_endpoint *endpoint);

// ekb_endpoint_take_session returns the newest session that the connection has brought and that
// was not taken yet, now the caller's (release it with ekb_tls_session_destroy; NULL is legal);
// NULL if there is none. Only of a client whose configuration resumes.
struct ekb_tls_session *ekb_endpoint_take_session(struct ekb_endpoint *endpoint);
void ekb_tls_session_destroy(struct ekb_tls_session *session);

// ekb_tls_session_is_single_use is true if a client should not offer it twice (TLS 1.3: RFC 8446
// appendix C.4).
bool ekb_tls_session_is_single_use(const struct ekb_tls_session *session);

// ekb_endpoint_num_peer_certs returns how many certificates the peer sent (0 if none or not known).
size_t ekb_endpoint_num_peer_certs(const struct ekb_endpoint *endpoint);

// ekb_endpoint_copy_peer_chain returns what the peer presented, as far as it can be decoded, newly
// allocated: also of a handshake that has failed. NULL if it presented nothing. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_endpoint_copy_peer_chain(struct ekb_chain **out_chain,
                                                        const struct ekb_endpoint *endpoint);

// ekb_endpoint_watch has the handshake messages of the connections that begin from now on appended
// to `trace`, which is borrowed; NULL: nowhere.
void ekb_endpoint_watch(struct ekb_endpoint *endpoint, struct ekb_tls_trace *trace);

#endif
