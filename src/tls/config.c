#include "ekubench/tls/config.h"

#include "ekubench/tls/endpoint.h"
#include "pki/pki_internal.h"
#include "tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const version_names[EKB_TLS_NUM_VERSIONS] = {
    [EKB_TLS_1_2] = "1.2", [EKB_TLS_1_3] = "1.3", [EKB_TLS_ANY] = "any"};

const char *ekb_tls_version_name(enum ekb_tls_version version)
{
    assert(version < EKB_TLS_NUM_VERSIONS);
    return version_names[version];
}

enum ekb_err ekb_tls_version_parse(enum ekb_tls_version *out_version, const char *text)
{
    for (unsigned version = 0; version < EKB_TLS_NUM_VERSIONS; version++) {
        if (strcmp(text, version_names[version]) == 0) {
            *out_version = (enum ekb_tls_version)version;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

// library_fail reports the first error that the library queued, and clears the queue.
static enum ekb_err library_fail(struct ekb_fail *reterr_fail, enum ekb_err err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    (void)ekb_fail_set(reterr_fail, err, 0, "%s: %s", what,
                       reason != NULL ? reason : "no reason given");
    ERR_clear_error();
    return err;
}

// limit_session ends what was verified now with its first ticket, or after `most_s` seconds if that
// is sooner: the library would renew tickets for two days in TLS 1.3.
static void limit_session(SSL *ssl, uint64_t most_s)
{
    if (SSL_is_server(ssl)) {
        (void)SSL_SESSION_set_timeout(
            SSL_get_session(ssl), most_s < EKB_TLS_TICKET_S ? (uint32_t)most_s : EKB_TLS_TICKET_S);
    }
}

static enum ssl_verify_result_t accept_unseen(SSL *ssl, uint8_t *out_alert)
{
    limit_session(ssl, EKB_TLS_TICKET_S);
    (void)out_alert;
    return ssl_verify_ok;
}

// What judges the peers of a context. It belongs to the library's context and goes with it, which
// is after the last connection: a configuration may be destroyed before.
struct judge {
    struct ekb_verifier *verifier;
    const struct ekb_tls_observer *observer;
    bool probe;
    bool resumes; // A ticket may follow.
};

static void free_judge(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long argl,
                       void *argp)
{
    struct judge *judge = pointer;
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    if (judge != NULL) {
        ekb_verifier_destroy(judge->verifier);
        free(judge);
    }
}

// judge_index returns the place of the judge in a context, -1 if out of memory.
static int judge_index(void)
{
    static int index = -1; // The library's registry is as global as this.
    if (index < 0) {
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_judge);
    }
    return index;
}

// verify_chain judges the peer's chain in the place of the library, by which it is called.
static int verify_chain(X509_STORE_CTX *store_context, void *arg)
{
    const struct judge *judge = arg;
    int depth = -1;
    if (judge->observer != NULL) {
        judge->observer->verify_begin(judge->observer->context);
    }
    const bool accepted = ekb_verifier_run(judge->verifier, store_context, &depth);
    if (judge->observer != NULL) {
        judge->observer->verify_end(judge->observer->context);
        if (judge->probe && accepted) {
            judge->observer->verified(judge->observer->context, store_context);
        }
    }
    if (judge->resumes && accepted) {
        limit_session(
            X509_STORE_CTX_get_ex_data(store_context, SSL_get_ex_data_X509_STORE_CTX_idx()),
            ekb_verifier_remaining(judge->verifier, store_context));
    }
    return accepted ? 1 : 0;
}

static bool set_common(SSL_CTX *context, enum ekb_tls_version version)
{
    const uint16_t lowest = version == EKB_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    const uint16_t highest = version == EKB_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;

    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_info_callback(context, ekb_endpoint_note_event);
    SSL_CTX_set_msg_callback(context, ekb_tls_look_at_message);
    return SSL_CTX_set_min_proto_version(context, lowest) == 1 &&
           SSL_CTX_set_max_proto_version(context, highest) == 1;
}

// set_resumption leaves the key of the tickets to the library, which makes one for each context,
// unless set_ticket_key has one.
static bool set_resumption(SSL_CTX *context, const struct ekb_tls_options *options)
{
    static const uint8_t name[] = "ekubench";
    if (options->resumption == EKB_TLS_RESUME_OFF) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        return true;
    }
    if (options->role == EKB_ROLE_CLIENT) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(context, ekb_endpoint_note_session);
        return true;
    }
    SSL_CTX_set_timeout(context, EKB_TLS_TICKET_S);
    SSL_CTX_set_session_psk_dhe_timeout(context, EKB_TLS_TICKET_S);
    // Without a name the library refuses to resume where it asks for certificates.
    return SSL_CTX_set_session_id_context(context, name, sizeof name - 1) == 1;
}

enum ekb_err ekb_ticket_key_make(struct ekb_ticket_key *out_key)
{
    struct ekb_ticket_key key = {.set = true};
    if (RAND_bytes(key.bytes, sizeof key.bytes) != 1) {
        return EKB_TLS_INTERNAL;
    }
    *out_key = key;
    return EKB_OK;
}

static bool set_ticket_key(SSL_CTX *context, const struct ekb_ticket_key *key)
{
    return key == NULL || !key->set ||
           SSL_CTX_set_tlsext_ticket_keys(context, key->bytes, sizeof key->bytes) == 1;
}

// set_identity uses the buffer form, which works with and without the X.509 methods of a context.
static enum ekb_err set_identity(SSL_CTX *context, const struct ekb_identity *identity,
                                 struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    const size_t num_certs = ekb_chain_len(identity->chain);
    CRYPTO_BUFFER **buffers = calloc(num_certs, sizeof(CRYPTO_BUFFER *));
    if (buffers == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "certificate chain");
    }
    for (size_t i = 0; i < num_certs; i++) {
        buffers[i] = ekb_chain_buffer(identity->chain, i);
    }
    if (SSL_CTX_set_chain_and_key(context, buffers, num_certs, ekb_key_pkey(identity->key), NULL) !=
        1) {
        err = library_fail(reterr_fail, EKB_TLS_BAD_CERTIFICATE,
                           "the TLS library refuses the certificate and key");
    }
    free(buffers);
    return err;
}

// offer_both makes a server present the one or the other, as its client prefers.
static enum ekb_err offer_both(SSL_CTX *context, const struct ekb_tls_options *options,
                               struct ekb_fail *reterr_fail)
{
    const struct ekb_identity both[] = {*options->identity, *options->second_identity};
    struct ekb_credentials *credentials = NULL;
    // The library judges the second one here, not in the first handshake.
    enum ekb_err err = set_identity(context, &both[1], reterr_fail);
    if (err == EKB_OK) {
        err = set_identity(context, &both[0], reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    if (ekb_credentials_create(&credentials, both, 2) != EKB_OK ||
        ekb_credentials_offer(context, credentials) != EKB_OK) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "certificate chain");
    }
    return EKB_OK;
}

static enum ekb_err set_identities(struct ekb_tls_config *config,
                                   const struct ekb_tls_options *options,
                                   struct ekb_fail *reterr_fail)
{
    if (options->second_identity != NULL) {
        return offer_both(config->context, options, reterr_fail);
    }
    if (options->identities != NULL) {
        const enum ekb_err err = ekb_credentials_create(&config->identities, options->identities,
                                                        options->num_identities);
        return err == EKB_OK ? err : ekb_fail_set(reterr_fail, err, 0, "certificates of clients");
    }
    if (options->identity != NULL && options->identity->chain != NULL) {
        return set_identity(config->context, options->identity, reterr_fail);
    }
    return EKB_OK;
}

// set_judge gives the context its judge. A client verifies servers: for serverAuth, unless it is
// told otherwise.
static enum ekb_err set_judge(SSL_CTX *context, const struct ekb_tls_options *options,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_verify_options verify = {.trust = options->trust,
                                        .crls = options->crls,
                                        .policy = options->policy,
                                        .at = options->verify_at};
    if (options->role == EKB_ROLE_CLIENT && !options->goes_by_mode) {
        verify.policy.eku = EKB_EKU_OFF;
    }
    struct judge *judge = calloc(1, sizeof *judge);
    if (judge == NULL || judge_index() < 0 ||
        SSL_CTX_set_ex_data(context, judge_index(), judge) != 1) {
        free(judge);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "certificate verification");
    }
    judge->observer = options->observer;
    judge->resumes = options->resumption == EKB_TLS_RESUME_ON;
    judge->probe = options->probe && options->observer != NULL;
    const enum ekb_err err = ekb_verifier_create(&judge->verifier, &verify, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    X509_STORE *store = ekb_verifier_store(judge->verifier);
    X509_STORE_up_ref(store);
    SSL_CTX_set_cert_store(context, store); // Takes the reference.
    SSL_CTX_set_cert_verify_callback(context, verify_chain, judge);
    return EKB_OK;
}

// set_policy makes the context verify its peers as `options` says.
static enum ekb_err set_policy(SSL_CTX *context, const struct ekb_tls_options *options,
                               struct ekb_fail *reterr_fail)
{
    const bool required = options->policy.cert == EKB_CERT_REQUIRED;
    const int asked = SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);

    switch (options->policy.verify) {
    case EKB_VERIFY_ONE_WAY:
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return EKB_OK;
    case EKB_VERIFY_PARSE:
    case EKB_VERIFY_RAW:
        SSL_CTX_set_custom_verify(context, asked, accept_unseen);
        return EKB_OK;
    case EKB_VERIFY_FULL:
    case EKB_VERIFY_NUM_LEVELS:
        break;
    }
    SSL_CTX_set_verify(context, asked, NULL);
    return set_judge(context, options, reterr_fail);
}

static enum ekb_err check_options(const struct ekb_tls_options *options,
                                  struct ekb_fail *reterr_fail)
{
    const struct ekb_identity *identity = options->identity;
    const bool has_identity = identity != NULL && identity->chain != NULL && identity->key != NULL;
    if (options->role == EKB_ROLE_SERVER && !has_identity) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "a TLS server needs a certificate and a key");
    }
    if (identity != NULL && (identity->chain == NULL) != (identity->key == NULL)) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "a certificate and a key belong together");
    }
    const struct ekb_identity *second = options->second_identity;
    if (second != NULL && (second->chain == NULL || second->key == NULL)) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "a second certificate and its key belong together");
    }
    if (options->role == EKB_ROLE_CLIENT && second != NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "only a server has a second certificate");
    }
    if (options->role == EKB_ROLE_CLIENT && options->policy.verify != EKB_VERIFY_FULL &&
        options->policy.verify != EKB_VERIFY_RAW) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "a TLS client verifies fully or not at all");
    }
    // An empty list is one all the same: it trusts nobody.
    if (options->policy.verify == EKB_VERIFY_FULL && options->trust == NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "full verification needs a trusted CA list (ca.pem)");
    }
    if (options->policy.max_depth < 1) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "the depth limit must be at least 1");
    }
    return EKB_OK;
}

enum ekb_err ekb_tls_config_create(struct ekb_tls_config **out_config,
                                   const struct ekb_tls_options *options,
                                   struct ekb_fail *reterr_fail)
{
    enum ekb_err err = check_options(options, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }

    struct ekb_tls_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "TLS configuration");
    }
    config->role = options->role;
    // Without the X.509 methods the library keeps the peer's certificates as bytes and makes no
    // X509 objects.
    config->context = SSL_CTX_new(
        options->policy.verify == EKB_VERIFY_RAW ? TLS_with_buffers_method() : TLS_method());
    if (config->context == NULL || !set_common(config->context, options->version) ||
        !set_resumption(config->context, options) ||
        !set_ticket_key(config->context, options->ticket_key)) {
        err = library_fail(reterr_fail, EKB_TLS_INTERNAL, "TLS configuration");
        goto out;
    }
    err = ekb_tls_prefer(config->context, &options->preferences, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    if (options->sni != NULL && (config->sni = strdup(options->sni)) == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "TLS configuration");
        goto out;
    }
    err = set_identities(config, options, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    err = set_policy(config->context, options, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    *out_config = config;
    config = NULL;
out:
    ekb_tls_config_destroy(config);
    return err;
}

enum ekb_err ekb_tls_config_create_bare(struct ekb_tls_config **out_config, enum ekb_role role,
                                        const struct ekb_flights *flights)
{
    bool fits = flights->num > 0 && flights->num % 2 == 0 && flights->num <= EKB_FLIGHTS_MAX;
    for (uint32_t i = 0; fits && i < flights->num; i++) {
        fits = flights->len[i] > 0 && flights->len[i] <= EKB_ENDPOINT_TX_LEN;
    }
    if (!fits) {
        return EKB_USAGE;
    }
    struct ekb_tls_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        return EKB_NOMEM;
    }
    config->role = role;
    config->flights = *flights;
    *out_config = config;
    return EKB_OK;
}

void ekb_tls_config_destroy(struct ekb_tls_config *config)
{
    if (config != NULL) {
        SSL_CTX_free(config->context);
        ekb_credentials_destroy(config->identities);
        free((char *)(uintptr_t)config->sni);
        free(config);
    }
}

size_t ekb_tls_config_num_identities(const struct ekb_tls_config *config)
{
    return config->identities != NULL ? config->identities->num : 0;
}

enum ekb_role ekb_tls_config_role(const struct ekb_tls_config *config)
{
    return config->role;
}

unsigned ekb_tls_library_api(void)
{
    return BORINGSSL_API_VERSION;
}
