// IMPLEMENTATION NOTES
//
// One custom BIO per endpoint, made in `create` and used for every connection: its read side copies
// from the wire bytes of the `feed` in progress, its write side appends to `tx`. BoringSSL reads a
// record in two steps (5 bytes of header, then the body) without reading ahead, and keeps partial
// records itself, so that driving until it asks for more consumes all bytes of a feed. After the
// handshake we go on with SSL_read for the same reason: post-handshake messages and the application
// data that came with the last flight would stay behind otherwise.
//
// A flight is one BIO_write and one BIO_flush. When `tx` is full the BIO takes a part and says
// "retry"; `sent` drives on. While bytes are pending the buffer is not moved, because an
// asynchronous send may be reading it: new bytes are only appended.
//
// SSL_get_error peeks the thread's error queue, which the next SSL_* call clears, so the reason is
// read at once and the queue is cleared after each failure.

#include "ekubench/tls/endpoint.h"

#include "ekubench/pki/verdict.h"
#include "tls/tls_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct ekb_endpoint {
    SSL *ssl; // NULL when idle.
    BIO *bio;
    enum ekb_endpoint_state state;
    enum ekb_err error;
    int alert_received;
    int alert_sent;
    int verify_result;
    uint32_t library_error;
    uint32_t num_tickets;
    SSL_SESSION *session;        // The newest that came, or NULL.
    struct ekb_tls_trace *trace; // Borrowed, or NULL.

    const uint8_t *rx; // The feed in progress.
    size_t rx_len;

    size_t tx_begin; // Pending bytes are tx[tx_begin, tx_end).
    size_t tx_end;
    bool tx_blocked; // The library wants to write more than there was room for.

    const struct ekb_flights *flights; // Bare: there is no TLS. NULL: there is.
    uint32_t flight;                   // Bare: the one that is sent or expected next.
    size_t flight_received;            // Bare: of it.

    size_t app_len;
    uint8_t app[EKB_ENDPOINT_APP_LEN];
    uint8_t tx[EKB_ENDPOINT_TX_LEN];
};

static int bio_read(BIO *bio, char *out, int len)
{
    struct ekb_endpoint *endpoint = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (endpoint->rx_len == 0) {
        BIO_set_retry_read(bio);
        return -1; // 0 would mean end of file.
    }
    const size_t count = (size_t)len < endpoint->rx_len ? (size_t)len : endpoint->rx_len;
    memcpy(out, endpoint->rx, count);
    endpoint->rx += count;
    endpoint->rx_len -= count;
    return (int)count;
}

static int bio_write(BIO *bio, const char *in, int len)
{
    struct ekb_endpoint *endpoint = BIO_get_data(bio);
    const size_t room = EKB_ENDPOINT_TX_LEN - endpoint->tx_end;
    const size_t count = (size_t)len < room ? (size_t)len : room;
    BIO_clear_retry_flags(bio);
    if (count == 0) {
        endpoint->tx_blocked = true;
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(endpoint->tx + endpoint->tx_end, in, count);
    endpoint->tx_end += count;
    return (int)count;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// bio_method makes the method table once per process. It is never freed: BIOs refer to it until the
// end.
static const BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method;
    if (method == NULL) {
        BIO_METHOD *made =
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ekubench endpoint");
        if (made == NULL || BIO_meth_set_read(made, bio_read) != 1 ||
            BIO_meth_set_write(made, bio_write) != 1 || BIO_meth_set_ctrl(made, bio_ctrl) != 1) {
            BIO_meth_free(made);
            return NULL;
        }
        method = made;
    }
    return method;
}

enum ekb_err ekb_endpoint_create(struct ekb_endpoint **out_endpoint)
{
    // Not calloc: the buffers, most of the size, are touched only when bytes flow.
    struct ekb_endpoint *endpoint = malloc(sizeof *endpoint);
    if (endpoint == NULL) {
        return EKB_NOMEM;
    }
    memset(endpoint, 0, offsetof(struct ekb_endpoint, app));
    const BIO_METHOD *method = bio_method();
    endpoint->bio = method != NULL ? BIO_new(method) : NULL;
    if (endpoint->bio == NULL) {
        free(endpoint);
        return EKB_NOMEM;
    }
    endpoint->alert_received = -1;
    endpoint->alert_sent = -1;
    BIO_set_data(endpoint->bio, endpoint);
    BIO_set_init(endpoint->bio, 1);
    *out_endpoint = endpoint;
    return EKB_OK;
}

void ekb_endpoint_destroy(struct ekb_endpoint *endpoint)
{
    if (endpoint != NULL) {
        ekb_endpoint_stop(endpoint);
        (void)BIO_free(endpoint->bio);
        free(endpoint);
    }
}

void ekb_endpoint_stop(struct ekb_endpoint *endpoint)
{
    SSL_free(endpoint->ssl);
    SSL_SESSION_free(endpoint->session);
    endpoint->ssl = NULL;
    endpoint->session = NULL;
    endpoint->tx_begin = 0;
    endpoint->tx_end = 0;
    endpoint->flights = NULL;
    endpoint->state = EKB_ENDPOINT_IDLE;
}

void ekb_endpoint_note_event(const SSL *ssl, int type, int value)
{
    const bool is_alert = type == SSL_CB_READ_ALERT || type == SSL_CB_WRITE_ALERT;
    if (!is_alert || (value & 0xff) == SSL_AD_CLOSE_NOTIFY) {
        return;
    }
    struct ekb_endpoint *endpoint = BIO_get_data(SSL_get_rbio(ssl));
    if (type == SSL_CB_READ_ALERT) {
        endpoint->alert_received = value & 0xff;
    } else {
        endpoint->alert_sent = value & 0xff;
    }
}

int ekb_endpoint_note_session(SSL *ssl, SSL_SESSION *session)
{
    struct ekb_endpoint *endpoint = BIO_get_data(SSL_get_rbio(ssl));
    SSL_SESSION_free(endpoint->session);
    endpoint->session = session;
    return 1; // It is ours now.
}

void ekb_endpoint_note_ticket(const SSL *ssl)
{
    struct ekb_endpoint *endpoint = BIO_get_data(SSL_get_rbio(ssl));
    endpoint->num_tickets++;
}

// What the library's reasons mean to us; any reason not here is EKB_TLS_PROTOCOL.
static const struct {
    int reason;
    enum ekb_err err;
} reasons[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, EKB_TLS_NO_CERTIFICATE},
    {SSL_R_HTTP_REQUEST, EKB_TLS_NOT_TLS},
    {SSL_R_HTTPS_PROXY_REQUEST, EKB_TLS_NOT_TLS},
    {SSL_R_WRONG_VERSION_NUMBER, EKB_TLS_NOT_TLS},
    {SSL_R_UNSUPPORTED_PROTOCOL, EKB_TLS_VERSION},
    {SSL_R_WRONG_SSL_VERSION, EKB_TLS_VERSION},
    {SSL_R_NO_SHARED_CIPHER, EKB_TLS_NO_COMMON},
    {SSL_R_NO_SHARED_GROUP, EKB_TLS_NO_COMMON},
    {SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS, EKB_TLS_NO_COMMON},
    {SSL_R_BAD_ECC_CERT, EKB_TLS_BAD_CERTIFICATE},
    {SSL_R_CANNOT_PARSE_LEAF_CERT, EKB_TLS_BAD_CERTIFICATE},
    {SSL_R_ECC_CERT_NOT_FOR_SIGNING, EKB_TLS_BAD_CERTIFICATE},
    {SSL_R_KEY_USAGE_BIT_INCORRECT, EKB_VERIFY_PURPOSE},
    {SSL_R_UNKNOWN_CERTIFICATE_TYPE, EKB_TLS_BAD_CERTIFICATE},
    {SSL_R_WRONG_CERTIFICATE_TYPE, EKB_TLS_BAD_CERTIFICATE},
    {SSL_R_BAD_SIGNATURE, EKB_TLS_BAD_SIGNATURE},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, EKB_TLS_BAD_RECORD},
    {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, EKB_TLS_BAD_RECORD},
    {SSL_R_DATA_LENGTH_TOO_LONG, EKB_TLS_BAD_RECORD},
    {SSL_R_INVALID_OUTER_RECORD_TYPE, EKB_TLS_BAD_RECORD},
};

static enum ekb_err classify(const struct ekb_endpoint *endpoint)
{
    const uint32_t packed = endpoint->library_error;
    const int reason = ERR_GET_REASON(packed);
    if (ERR_GET_LIB(packed) != ERR_LIB_SSL) {
        // Nothing queued: the peer closed in order, before the handshake was over. Else the layers
        // below could not decode a certificate or key.
        return packed == 0 ? EKB_PEER_CLOSED : EKB_TLS_BAD_CERTIFICATE;
    }
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        const struct ekb_verdict verdict = ekb_verdict_from_library(endpoint->verify_result);
        return verdict.err != EKB_OK ? verdict.err : EKB_VERIFY_UNSPECIFIED;
    }
    if (reason >= SSL_AD_REASON_OFFSET) {
        return EKB_TLS_ALERT;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].reason == reason) {
            return reasons[i].err;
        }
    }
    return EKB_TLS_PROTOCOL;
}

// take_reason empties the error queue and returns the error that names the failure: the first one
// of the TLS layer, because the layers below queue theirs before it (a signature that does not
// verify is an ECDSA error first). Only when TLS merely says that it could not decode something,
// and an ASN.1 or X.509 error is the cause, that one tells more.
static uint32_t take_reason(void)
{
    const uint32_t first = ERR_peek_error();
    const int first_library = ERR_GET_LIB(first);
    uint32_t error = 0;
    while ((error = ERR_get_error()) != 0 && ERR_GET_LIB(error) != ERR_LIB_SSL) {
    }
    ERR_clear_error();
    if (error == 0 || (ERR_GET_REASON(error) == SSL_R_DECODE_ERROR &&
                       (first_library == ERR_LIB_ASN1 || first_library == ERR_LIB_X509))) {
        return first;
    }
    return error;
}

static enum ekb_err fail(struct ekb_endpoint *endpoint)
{
    endpoint->library_error = take_reason();
    // Asked only when verification failed: a context without X.509 methods asserts, and one that
    // did not get so far has no result.
    if (ERR_GET_LIB(endpoint->library_error) == ERR_LIB_SSL &&
        ERR_GET_REASON(endpoint->library_error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        endpoint->verify_result = (int)SSL_get_verify_result(endpoint->ssl);
    }
    endpoint->error = classify(endpoint);
    endpoint->state = EKB_ENDPOINT_FAILED;
    if (endpoint->error == EKB_VERIFY_PURPOSE && endpoint->alert_sent < 0) {
        // In TLS 1.2 the library sends none for key usage (tls/key_usage).
        (void)SSL_send_fatal_alert(endpoint->ssl, SSL_AD_UNSUPPORTED_CERTIFICATE);
        ERR_clear_error();
    }
    return endpoint->error;
}

// read_app takes what follows the handshake, until the library asks for more wire bytes.
static enum ekb_err read_app(struct ekb_endpoint *endpoint)
{
    uint8_t scratch[1024];
    for (;;) {
        const int count = SSL_read(endpoint->ssl, scratch, (int)sizeof scratch);
        if (count > 0) {
            if (endpoint->app_len < EKB_ENDPOINT_APP_LEN) {
                const size_t room = EKB_ENDPOINT_APP_LEN - endpoint->app_len;
                memcpy(endpoint->app + endpoint->app_len, scratch,
                       (size_t)count < room ? (size_t)count : room);
            }
            endpoint->app_len += (size_t)count;
            continue;
        }
        switch (SSL_get_error(endpoint->ssl, count)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return EKB_OK;
        case SSL_ERROR_ZERO_RETURN:
            endpoint->state = EKB_ENDPOINT_CLOSED;
            return EKB_OK;
        default:
            return fail(endpoint);
        }
    }
}

static enum ekb_err drive(struct ekb_endpoint *endpoint)
{
    if (endpoint->state == EKB_ENDPOINT_HANDSHAKING) {
        const int done = SSL_do_handshake(endpoint->ssl);
        if (done != 1) {
            const int reason = SSL_get_error(endpoint->ssl, done);
            if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
                return EKB_OK;
            }
            return fail(endpoint);
        }
        endpoint->state = EKB_ENDPOINT_READY;
    }
    return endpoint->rx_len > 0 ? read_app(endpoint) : EKB_OK;
}

// drive_all drives and then forgets the wire bytes, unless a blocked flight must go out before the
// rest of them.
static enum ekb_err drive_all(struct ekb_endpoint *endpoint)
{
    const enum ekb_err err = drive(endpoint);
    if (err == EKB_OK && endpoint->tx_blocked) {
        return err;
    }
    // What is left was refused (failure) or follows the peer's close.
    EKB_CHECK(err != EKB_OK || endpoint->rx_len == 0 || endpoint->state == EKB_ENDPOINT_CLOSED);
    endpoint->rx_len = 0;
    return err;
}

// Bare endpoints: the lengths of flights without what is in them.

static void bare_send(struct ekb_endpoint *endpoint)
{
    endpoint->tx_end += endpoint->flights->len[endpoint->flight++];
}

static uint32_t longest_flight(const struct ekb_flights *flights, enum ekb_role role)
{
    uint32_t longest = 0;
    for (uint32_t i = role == EKB_ROLE_CLIENT ? 0 : 1; i < flights->num; i += 2) {
        longest = flights->len[i] > longest ? flights->len[i] : longest;
    }
    return longest;
}

static void bare_start(struct ekb_endpoint *endpoint, const struct ekb_tls_config *config)
{
    endpoint->flights = &config->flights;
    endpoint->flight = 0;
    endpoint->flight_received = 0;
    // What is sent is nobody's secret: the buffer may hold what was sent before.
    memset(endpoint->tx, 0, longest_flight(&config->flights, config->role));
    if (config->role == EKB_ROLE_CLIENT) {
        bare_send(endpoint);
    }
}

// bare_feed takes bytes; when a flight is complete the next one goes out, but for the server's
// last, which waits for ekb_endpoint_write. There is no flight to expect once it is ready: what
// comes then, from whoever it is, is nothing.
static enum ekb_err bare_feed(struct ekb_endpoint *endpoint, size_t wire_len)
{
    const struct ekb_flights *flights = endpoint->flights;
    if (endpoint->state == EKB_ENDPOINT_READY) {
        return EKB_OK;
    }
    endpoint->flight_received += wire_len;
    if (endpoint->flight_received < flights->len[endpoint->flight]) {
        return EKB_OK;
    }
    endpoint->flight_received = 0;
    endpoint->flight++;
    if (endpoint->flight == flights->num) {
        endpoint->state = EKB_ENDPOINT_READY;
        endpoint->app_len = 1;
    } else if (endpoint->flight == flights->num - 1) {
        endpoint->state = EKB_ENDPOINT_READY;
    } else {
        bare_send(endpoint);
    }
    return EKB_OK;
}

// extra_work makes a build that is known to be slower, by -DEKUBENCH_EXTRA_WORK=N turns of a loop
// of three instructions in every handshake: for trying what finds regressions.
static void extra_work(void)
{
#ifdef EKB_EXTRA_WORK
    for (uint32_t i = 0; i < EKB_EXTRA_WORK; i++) {
        __asm__ volatile("" : "+r"(i));
    }
#endif
}

// apply makes a client's connection what distinguishes it.
static bool apply(struct ekb_endpoint *endpoint, const struct ekb_tls_config *config,
                  const struct ekb_endpoint_choice *choice)
{
    if (config->sni != NULL && SSL_set_tlsext_host_name(endpoint->ssl, config->sni) != 1) {
        return false;
    }
    if (config->identities != NULL) {
        assert(choice->identity < config->identities->num);
        if (!ekb_credential_present(endpoint->ssl, &config->identities->all[choice->identity])) {
            return false;
        }
    }
    return choice->session == NULL ||
           SSL_set_session(endpoint->ssl, (SSL_SESSION *)(uintptr_t)choice->session) == 1;
}

enum ekb_err ekb_endpoint_start(struct ekb_endpoint *endpoint, const struct ekb_tls_config *config)
{
    const struct ekb_endpoint_choice none = {.identity = 0};
    return ekb_endpoint_start_as(endpoint, config, &none);
}

enum ekb_err ekb_endpoint_start_as(struct ekb_endpoint *endpoint,
                                   const struct ekb_tls_config *config,
                                   const struct ekb_endpoint_choice *choice)
{
    assert(endpoint->state == EKB_ENDPOINT_IDLE);
    extra_work();
    endpoint->error = EKB_OK;
    endpoint->alert_received = -1;
    endpoint->alert_sent = -1;
    endpoint->verify_result = 0;
    endpoint->library_error = 0;
    endpoint->num_tickets = 0;
    endpoint->rx_len = 0;
    endpoint->tx_begin = 0;
    endpoint->tx_end = 0;
    endpoint->tx_blocked = false;
    endpoint->app_len = 0;
    endpoint->state = EKB_ENDPOINT_HANDSHAKING;
    if (config->context == NULL) {
        bare_start(endpoint, config);
        return EKB_OK;
    }

    endpoint->ssl = SSL_new(config->context);
    if (endpoint->ssl == NULL) {
        endpoint->error = EKB_NOMEM;
        endpoint->state = EKB_ENDPOINT_FAILED;
        ERR_clear_error();
        return EKB_NOMEM;
    }
    BIO_up_ref(endpoint->bio); // SSL_set_bio takes one reference when both sides are the same BIO.
    SSL_set_bio(endpoint->ssl, endpoint->bio, endpoint->bio);
    if (config->role == EKB_ROLE_SERVER) {
        SSL_set_accept_state(endpoint->ssl);
        return EKB_OK;
    }
    SSL_set_connect_state(endpoint->ssl);
    if (!apply(endpoint, config, choice)) {
        (void)fail(endpoint);
        endpoint->error = EKB_USAGE; // Ours, not the peer's.
        return endpoint->error;
    }
    return drive(endpoint);
}

enum ekb_err ekb_endpoint_feed(struct ekb_endpoint *endpoint, const uint8_t *wire, size_t wire_len)
{
    assert(endpoint->state != EKB_ENDPOINT_IDLE);
    if (endpoint->state == EKB_ENDPOINT_FAILED) {
        return endpoint->error;
    }
    if (endpoint->state == EKB_ENDPOINT_CLOSED) {
        return EKB_OK;
    }
    if (endpoint->flights != NULL) {
        return bare_feed(endpoint, wire_len);
    }
    assert(!endpoint->tx_blocked);
    endpoint->rx = wire;
    endpoint->rx_len = wire_len;
    return drive_all(endpoint);
}

const uint8_t *ekb_endpoint_pending(const struct ekb_endpoint *endpoint, size_t *out_len)
{
    *out_len = endpoint->tx_end - endpoint->tx_begin;
    return *out_len > 0 ? endpoint->tx + endpoint->tx_begin : NULL;
}

enum ekb_err ekb_endpoint_sent(struct ekb_endpoint *endpoint, size_t wire_len)
{
    assert(wire_len <= endpoint->tx_end - endpoint->tx_begin);
    endpoint->tx_begin += wire_len;
    if (endpoint->tx_begin < endpoint->tx_end) {
        return endpoint->error;
    }
    endpoint->tx_begin = 0;
    endpoint->tx_end = 0;
    if (!endpoint->tx_blocked) {
        return endpoint->error;
    }
    endpoint->tx_blocked = false;
    return endpoint->state == EKB_ENDPOINT_FAILED ? endpoint->error : drive_all(endpoint);
}

enum ekb_err ekb_endpoint_write(struct ekb_endpoint *endpoint, const uint8_t *data, size_t data_len)
{
    assert((endpoint->state == EKB_ENDPOINT_READY || endpoint->state == EKB_ENDPOINT_CLOSED) &&
           data_len <= 1024);
    if (endpoint->flights != NULL) {
        bare_send(endpoint); // The last flight, whatever its length.
        return EKB_OK;
    }
    const int count = SSL_write(endpoint->ssl, data, (int)data_len);
    if (count == (int)data_len) {
        return EKB_OK;
    }
    return fail(endpoint);
}

void ekb_endpoint_close(struct ekb_endpoint *endpoint)
{
    assert(endpoint->state == EKB_ENDPOINT_READY && endpoint->flights == NULL);
    (void)SSL_shutdown(endpoint->ssl); // It has not failed, and there is room: it cannot fail.
    ERR_clear_error();
}

enum ekb_endpoint_state ekb_endpoint_state(const struct ekb_endpoint *endpoint)
{
    return endpoint->state;
}

enum ekb_err ekb_endpoint_error(const struct ekb_endpoint *endpoint)
{
    return endpoint->error;
}

int ekb_endpoint_alert_received(const struct ekb_endpoint *endpoint)
{
    return endpoint->alert_received;
}

int ekb_endpoint_alert_sent(const struct ekb_endpoint *endpoint)
{
    return endpoint->alert_sent;
}

int ekb_endpoint_verify_result(const struct ekb_endpoint *endpoint)
{
    return endpoint->verify_result;
}

const char *ekb_endpoint_library_reason(const struct ekb_endpoint *endpoint)
{
    const char *reason =
        endpoint->library_error != 0 ? ERR_reason_error_string(endpoint->library_error) : NULL;
    return reason != NULL ? reason : "";
}

size_t ekb_endpoint_app_len(const struct ekb_endpoint *endpoint)
{
    return endpoint->app_len;
}

const uint8_t *ekb_endpoint_app(const struct ekb_endpoint *endpoint)
{
    return endpoint->app;
}

bool ekb_endpoint_is_resumed(const struct ekb_endpoint *endpoint)
{
    return endpoint->ssl != NULL && SSL_session_reused(endpoint->ssl) == 1;
}

uint32_t ekb_endpoint_num_tickets(const struct ekb_endpoint *endpoint)
{
    return endpoint->num_tickets;
}

struct ekb_tls_session *ekb_endpoint_take_session(struct ekb_endpoint *endpoint)
{
    SSL_SESSION *session = endpoint->session;
    endpoint->session = NULL;
    return (struct ekb_tls_session *)session;
}

void ekb_tls_session_destroy(struct ekb_tls_session *session)
{
    SSL_SESSION_free((SSL_SESSION *)session);
}

bool ekb_tls_session_is_single_use(const struct ekb_tls_session *session)
{
    return SSL_SESSION_should_be_single_use((const SSL_SESSION *)session) == 1;
}

SSL *ekb_endpoint_ssl(const struct ekb_endpoint *endpoint)
{
    return endpoint->ssl;
}

void ekb_endpoint_watch(struct ekb_endpoint *endpoint, struct ekb_tls_trace *trace)
{
    endpoint->trace = trace;
}

void ekb_endpoint_note_message(const SSL *ssl, uint8_t type, bool sent)
{
    const struct ekb_endpoint *endpoint = BIO_get_data(SSL_get_rbio(ssl));
    struct ekb_tls_trace *trace = endpoint->trace;
    if (trace != NULL && trace->num < EKB_TLS_TRACE_MAX) {
        trace->messages[trace->num].type = type;
        trace->messages[trace->num++].sent = sent;
    }
}
