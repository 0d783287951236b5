// IMPLEMENTATION NOTES
//
// Which of two certificates a server presents, the client decides (RFC 8446 section 4.4.2.2, RFC
// 5246 section 7.4.2): in TLS 1.3 by the order of its signature algorithms, in TLS 1.2 by that of
// its cipher suites, each of which names the kind of key, as far as it can verify what that key
// signs and knows its curve (RFC 8422 section 5.1). The library of some versions knows one
// certificate per context, so the choice is made in its callback for the ClientHello.

#include "tls/tls_internal.h"

#include "pki/pki_internal.h"

#include <openssl/bytestring.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/ssl.h>

#include <stdlib.h>

enum ekb_err ekb_credentials_create(struct ekb_credentials **out_credentials,
                                    const struct ekb_identity *identities, size_t num_identities)
{
    struct ekb_credentials *credentials =
        calloc(1, sizeof *credentials + num_identities * sizeof credentials->all[0]);
    if (credentials == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < num_identities; i++) {
        struct ekb_credential *credential = &credentials->all[i];
        const size_t num_certs = ekb_chain_len(identities[i].chain);
        credential->certs = calloc(num_certs, sizeof(CRYPTO_BUFFER *));
        if (credential->certs == NULL) {
            ekb_credentials_destroy(credentials);
            return EKB_NOMEM;
        }
        credentials->num = i + 1;
        for (size_t j = 0; j < num_certs; j++) {
            credential->certs[j] = ekb_chain_buffer(identities[i].chain, j);
            (void)CRYPTO_BUFFER_up_ref(credential->certs[j]);
            credential->num_certs++;
        }
        credential->key = ekb_key_pkey(identities[i].key);
        (void)EVP_PKEY_up_ref(credential->key);
    }
    *out_credentials = credentials;
    return EKB_OK;
}

void ekb_credentials_destroy(struct ekb_credentials *credentials)
{
    for (size_t i = 0; credentials != NULL && i < credentials->num; i++) {
        struct ekb_credential *credential = &credentials->all[i];
        for (size_t j = 0; j < credential->num_certs; j++) {
            CRYPTO_BUFFER_free(credential->certs[j]);
        }
        EVP_PKEY_free(credential->key);
        free(credential->certs);
    }
    free(credentials);
}

bool ekb_credential_present(SSL *ssl, const struct ekb_credential *credential)
{
    return SSL_set_chain_and_key(ssl, credential->certs, credential->num_certs, credential->key,
                                 NULL) == 1;
}

static void free_credentials(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index,
                             long argl, void *argp)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    ekb_credentials_destroy(pointer);
}

// credentials_index returns the place of a server's two credentials in a context, -1 if out of
// memory.
static int credentials_index(void)
{
    static int index = -1; // The library's registry is as global as this.
    if (index < 0) {
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_credentials);
    }
    return index;
}

// has_word is true if the list of 16-bit words in `cbs` holds `word`.
static bool has_word(CBS cbs, uint16_t word)
{
    uint16_t found = 0;
    while (CBS_get_u16(&cbs, &found) == 1) {
        if (found == word) {
            return true;
        }
    }
    return false;
}

// extension finds the list of words of an extension of the ClientHello, of which `prefix_len` bytes
// (1 or 2) say how long it is. Empty if there is none.
static CBS extension(const SSL_CLIENT_HELLO *hello, uint16_t type, int prefix_len)
{
    const uint8_t *data = NULL;
    size_t data_len = 0;
    CBS cbs;
    CBS list;
    CBS_init(&list, NULL, 0);
    if (SSL_early_callback_ctx_extension_get(hello, type, &data, &data_len) == 1) {
        CBS_init(&cbs, data, data_len);
        const int got = prefix_len == 1 ? CBS_get_u8_length_prefixed(&cbs, &list)
                                        : CBS_get_u16_length_prefixed(&cbs, &list);
        if (got != 1) {
            CBS_init(&list, NULL, 0);
        }
    }
    return list;
}

static int curve_of(const EVP_PKEY *key)
{
    return EVP_PKEY_id(key) == EVP_PKEY_EC
               ? EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)))
               : NID_undef;
}

// signs_with is true if `key` can make signatures of that algorithm of TLS 1.3, where the curve is
// part of the name.
static bool signs_with(const EVP_PKEY *key, uint16_t algorithm)
{
    const int curve = curve_of(key);
    switch (algorithm) {
    case SSL_SIGN_ECDSA_SECP256R1_SHA256:
        return curve == NID_X9_62_prime256v1;
    case SSL_SIGN_ECDSA_SECP384R1_SHA384:
        return curve == NID_secp384r1;
    case SSL_SIGN_ECDSA_SECP521R1_SHA512:
        return curve == NID_secp521r1;
    case SSL_SIGN_ED25519:
        return EVP_PKEY_id(key) == EVP_PKEY_ED25519;
    case SSL_SIGN_RSA_PSS_RSAE_SHA256:
    case SSL_SIGN_RSA_PSS_RSAE_SHA384:
    case SSL_SIGN_RSA_PSS_RSAE_SHA512:
        return EVP_PKEY_id(key) == EVP_PKEY_RSA;
    default:
        return false;
    }
}

// authenticates is true if `key` is of the kind that the suite of TLS 1.2 wants, and the server has
// the suite.
static bool authenticates(SSL *ssl, const EVP_PKEY *key, uint16_t suite)
{
    const STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(ssl);
    for (size_t i = 0; i < sk_SSL_CIPHER_num(ours); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ours, i);
        if (SSL_CIPHER_get_protocol_id(cipher) == suite) {
            const int auth = SSL_CIPHER_get_auth_nid(cipher);
            return EVP_PKEY_id(key) == EVP_PKEY_RSA ? auth == NID_auth_rsa : auth == NID_auth_ecdsa;
        }
    }
    return false;
}

// group_of returns the group that is the curve of an ECDSA key; 0 for other keys.
static uint16_t group_of(const EVP_PKEY *key)
{
    switch (curve_of(key)) {
    case NID_X9_62_prime256v1:
        return SSL_CURVE_SECP256R1;
    case NID_secp384r1:
        return SSL_CURVE_SECP384R1;
    case NID_secp521r1:
        return SSL_CURVE_SECP521R1;
    default:
        return 0;
    }
}

// is_verifiable is true if a client of TLS 1.2, where algorithms leave the curve open, can verify
// what `key` signs. One that names no algorithms or no groups takes what comes.
static bool is_verifiable(const SSL_CLIENT_HELLO *hello, const EVP_PKEY *key)
{
    const CBS groups = extension(hello, TLSEXT_TYPE_supported_groups, 2);
    const uint16_t group = group_of(key);
    uint16_t algorithm = 0;
    CBS algorithms = extension(hello, TLSEXT_TYPE_signature_algorithms, 2);
    bool knows_kind = CBS_len(&algorithms) == 0;
    while (CBS_get_u16(&algorithms, &algorithm) == 1) {
        knows_kind =
            knows_kind || SSL_get_signature_algorithm_key_type(algorithm) == EVP_PKEY_id(key);
    }
    return knows_kind && (group == 0 || CBS_len(&groups) == 0 || has_word(groups, group));
}

// choose returns the first credential that the client's foremost possible wish fits; the first of
// all if there is none.
static const struct ekb_credential *choose(const struct ekb_credentials *credentials,
                                           const SSL_CLIENT_HELLO *hello)
{
    const bool is_1_3 =
        SSL_get_max_proto_version(hello->ssl) >= TLS1_3_VERSION &&
        has_word(extension(hello, TLSEXT_TYPE_supported_versions, 1), TLS1_3_VERSION);
    uint16_t wish = 0;
    CBS wishes = extension(hello, TLSEXT_TYPE_signature_algorithms, 2);
    if (!is_1_3) {
        CBS_init(&wishes, hello->cipher_suites, hello->cipher_suites_len);
    }
    while (CBS_get_u16(&wishes, &wish) == 1) {
        for (size_t i = 0; i < credentials->num; i++) {
            const struct ekb_credential *credential = &credentials->all[i];
            if (is_1_3 ? signs_with(credential->key, wish)
                       : authenticates(hello->ssl, credential->key, wish) &&
                             is_verifiable(hello, credential->key)) {
                return credential;
            }
        }
    }
    return &credentials->all[0];
}

static enum ssl_select_cert_result_t present_wished(const SSL_CLIENT_HELLO *hello)
{
    const struct ekb_credentials *credentials =
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(hello->ssl), credentials_index());
    return ekb_credential_present(hello->ssl, choose(credentials, hello)) ? ssl_select_cert_success
                                                                          : ssl_select_cert_error;
}

enum ekb_err ekb_credentials_offer(SSL_CTX *context, struct ekb_credentials *credentials)
{
    if (credentials_index() < 0 ||
        SSL_CTX_set_ex_data(context, credentials_index(), credentials) != 1) {
        ekb_credentials_destroy(credentials);
        return EKB_NOMEM;
    }
    SSL_CTX_set_select_certificate_cb(context, present_wished);
    return EKB_OK;
}
