#include "support/tls_link.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ekb_tls_config *tls_config(const struct ekb_tls_options *options)
{
    struct ekb_tls_config *config = NULL;
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_tls_config_create(&config, options, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return config;
}

// Bytes.

void tls_bytes_add(struct tls_bytes *bytes, const void *data, size_t len)
{
    if (bytes->end + len > bytes->capacity) {
        bytes->capacity = 2 * (bytes->end + len);
        bytes->data = realloc(bytes->data, bytes->capacity);
        cr_assert_not_null(bytes->data);
    }
    if (len > 0) {
        memcpy(bytes->data + bytes->end, data, len);
        bytes->end += len;
    }
}

size_t tls_bytes_len(const struct tls_bytes *bytes)
{
    return bytes->end - bytes->begin;
}

void tls_bytes_deinit(struct tls_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct tls_bytes){0};
}

static size_t cut_len(const struct tls_cut *cut, size_t len)
{
    if (cut->rng != NULL && len > 0) {
        return 1 + (size_t)ekb_rng_below(cut->rng, len < 600 ? len : 600);
    }
    return cut->max_len != 0 && len > cut->max_len ? cut->max_len : len;
}

size_t tls_flush(struct ekb_endpoint *endpoint, struct tls_bytes *out, const struct tls_cut *cut)
{
    size_t num_parts = 0;
    size_t expected_len = 0; // Of what is left of a part.
    size_t pending_len;
    const uint8_t *pending;
    while ((pending = ekb_endpoint_pending(endpoint, &pending_len)) != NULL) {
        cr_assert_leq(pending_len, (size_t)EKB_ENDPOINT_TX_LEN, "%zu", pending_len);
        if (expected_len == 0) {
            num_parts++;
        } else {
            cr_assert_eq(pending_len, expected_len, "%zu, not %zu", pending_len, expected_len);
        }
        const size_t len = cut->rng != NULL ? cut_len(cut, pending_len) : pending_len;
        tls_bytes_add(out, pending, len);
        expected_len = pending_len - len;
        (void)ekb_endpoint_sent(endpoint, len);
    }
    cr_assert_eq(pending_len, 0u);
    return num_parts;
}

// feed feeds the next bytes of `in` and returns how many parts the answer had; -1 without bytes.
static int feed(struct ekb_endpoint *endpoint, struct tls_bytes *in, struct tls_bytes *out,
                const struct tls_cut *cut)
{
    const size_t len = cut_len(cut, tls_bytes_len(in));
    if (len == 0) {
        return -1;
    }
    // Of its own, so that reading beyond it, or after it was given back, is seen.
    uint8_t *fed = malloc(len);
    cr_assert_not_null(fed);
    memcpy(fed, in->data + in->begin, len);
    in->begin += len;
    (void)ekb_endpoint_feed(endpoint, fed, len);
    const size_t num_parts = tls_flush(endpoint, out, cut);
    free(fed);
    return (int)num_parts;
}

bool tls_deliver(struct ekb_endpoint *endpoint, struct tls_bytes *in, struct tls_bytes *out,
                 const struct tls_cut *cut)
{
    return feed(endpoint, in, out, cut) >= 0;
}

// Links.

void tls_link_init(struct tls_link *out_link, const struct ekb_tls_config *client,
                   const struct ekb_tls_config *server)
{
    *out_link = (struct tls_link){0};
    cr_assert_eq(ekb_endpoint_create(&out_link->client), EKB_OK);
    cr_assert_eq(ekb_endpoint_create(&out_link->server), EKB_OK);
    tls_link_restart(out_link, client, server);
}

void tls_link_restart(struct tls_link *link, const struct ekb_tls_config *client,
                      const struct ekb_tls_config *server)
{
    const struct ekb_endpoint_choice none = {.identity = 0};
    tls_link_restart_as(link, client, &none, server);
}

void tls_link_restart_as(struct tls_link *link, const struct ekb_tls_config *client,
                         const struct ekb_endpoint_choice *choice,
                         const struct ekb_tls_config *server)
{
    ekb_endpoint_stop(link->client);
    ekb_endpoint_stop(link->server);
    tls_bytes_deinit(&link->to_server);
    tls_bytes_deinit(&link->to_client);
    cr_assert_eq(ekb_endpoint_start_as(link->client, client, choice), EKB_OK);
    cr_assert_eq(ekb_endpoint_start(link->server, server), EKB_OK);
}

static void note_parts(struct tls_link *link, size_t num_parts)
{
    if (num_parts > link->max_parts) {
        link->max_parts = num_parts;
    }
}

static bool carry(struct tls_link *link, struct ekb_endpoint *to, struct tls_bytes *in,
                  struct tls_bytes *out)
{
    const int num_parts = feed(to, in, out, &link->cut);
    note_parts(link, num_parts > 0 ? (size_t)num_parts : 0);
    return num_parts >= 0;
}

void tls_link_run(struct tls_link *link)
{
    bool moved = true;
    note_parts(link, tls_flush(link->client, &link->to_server, &link->cut));
    note_parts(link, tls_flush(link->server, &link->to_client, &link->cut));
    while (moved) {
        moved = carry(link, link->server, &link->to_server, &link->to_client);
        moved = carry(link, link->client, &link->to_client, &link->to_server) || moved;
    }
}

void tls_link_deinit(struct tls_link *link)
{
    ekb_endpoint_destroy(link->client);
    ekb_endpoint_destroy(link->server);
    tls_bytes_deinit(&link->to_server);
    tls_bytes_deinit(&link->to_client);
}

// Foreign peers.

static void foreign_drain(struct tls_foreign *foreign, struct tls_bytes *out)
{
    uint8_t buffer[4096];
    int count;
    while ((count = BIO_read(SSL_get_wbio(foreign->ssl), buffer, sizeof buffer)) > 0) {
        tls_bytes_add(out, buffer, (size_t)count);
    }
}

static void foreign_drive(struct tls_foreign *foreign)
{
    uint8_t buffer[1024];
    int result = 1;
    if (!foreign->done) {
        result = SSL_do_handshake(foreign->ssl);
        foreign->done = result == 1;
    }
    while (foreign->done && (result = SSL_read(foreign->ssl, buffer, sizeof buffer)) > 0) {
        foreign->num_read += (size_t)result;
    }
    const int error = SSL_get_error(foreign->ssl, result);
    if (!foreign->failed && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_NONE) {
        foreign->failed = true;
        foreign->reason = ERR_peek_error();
    }
    ERR_clear_error();
}

void tls_foreign_init(struct tls_foreign *out_foreign, SSL_CTX *context, enum ekb_role role,
                      struct tls_bytes *out)
{
    BIO *in_bio = BIO_new(BIO_s_mem());
    BIO *out_bio = BIO_new(BIO_s_mem());
    *out_foreign = (struct tls_foreign){.ssl = SSL_new(context)};
    SSL_CTX_free(context);
    cr_assert(in_bio != NULL && out_bio != NULL && out_foreign->ssl != NULL);
    // Empty is not the end.
    BIO_set_mem_eof_return(in_bio, -1);
    BIO_set_mem_eof_return(out_bio, -1);
    SSL_set_bio(out_foreign->ssl, in_bio, out_bio);
    if (role == EKB_ROLE_SERVER) {
        SSL_set_accept_state(out_foreign->ssl);
    } else {
        SSL_set_connect_state(out_foreign->ssl);
        foreign_drive(out_foreign);
    }
    foreign_drain(out_foreign, out);
}

void tls_foreign_step(struct tls_foreign *foreign, struct tls_bytes *in, struct tls_bytes *out)
{
    const size_t len = tls_bytes_len(in);
    if (len > 0) {
        cr_assert_eq(BIO_write(SSL_get_rbio(foreign->ssl), in->data + in->begin, (int)len),
                     (int)len);
        in->begin = in->end;
    }
    foreign_drive(foreign);
    foreign_drain(foreign, out);
}

void tls_foreign_run(struct tls_foreign *foreign, struct ekb_endpoint *endpoint,
                     struct tls_bytes *in)
{
    static const struct tls_cut uncut;
    struct tls_bytes to_foreign = {0};
    (void)tls_flush(endpoint, &to_foreign, &uncut);
    do {
        while (tls_deliver(endpoint, in, &to_foreign, &uncut)) {
        }
        tls_foreign_step(foreign, &to_foreign, in);
    } while (tls_bytes_len(in) > 0);
    tls_bytes_deinit(&to_foreign);
}

void tls_foreign_deinit(struct tls_foreign *foreign)
{
    SSL_free(foreign->ssl);
    *foreign = (struct tls_foreign){0};
}

// Identities.

static EVP_PKEY *make_pkey(enum ekb_key_type type)
{
    EVP_PKEY *pkey = EVP_PKEY_new();
    cr_assert_not_null(pkey);
    if (type == EKB_KEY_ED25519) {
        static const uint8_t seed[32] = "a seed that everybody may know.";
        EVP_PKEY_free(pkey);
        pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
        cr_assert_not_null(pkey);
    } else if (type == EKB_KEY_RSA2048) {
        RSA *rsa = RSA_new();
        BIGNUM *exponent = BN_new();
        cr_assert(BN_set_word(exponent, RSA_F4) == 1 &&
                  RSA_generate_key_ex(rsa, 2048, exponent, NULL) == 1 &&
                  EVP_PKEY_assign_RSA(pkey, rsa) == 1);
        BN_free(exponent);
    } else {
        EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
        cr_assert(EC_KEY_generate_key(ec) == 1 && EVP_PKEY_assign_EC_KEY(pkey, ec) == 1);
    }
    return pkey;
}

static void add_eku(X509 *x509, unsigned eku)
{
    if (eku != EKB_EKU_ABSENT) {
        // X509_EXTENSION from the text of a configuration file; the library takes no const.
        X509_EXTENSION *extension =
            X509V3_EXT_nconf_nid(NULL, NULL, NID_ext_key_usage,
                                 eku == EKB_EKU_SERVER_AUTH ? "serverAuth" : "clientAuth");
        cr_assert(extension != NULL && X509_add_ext(x509, extension, -1) == 1);
        X509_EXTENSION_free(extension);
    }
}

void tls_self_signed_init(struct tls_self_signed *out_entity, enum ekb_key_type type, unsigned eku)
{
    EVP_PKEY *pkey = make_pkey(type);
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);
    cr_assert(X509_set_version(x509, X509_VERSION_3) == 1 &&
              ASN1_INTEGER_set(X509_get_serialNumber(x509), 1) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"self-signed",
                                         -1, -1, 0) == 1 &&
              X509_set_issuer_name(x509, name) == 1 && X509_set_pubkey(x509, pkey) == 1 &&
              ASN1_TIME_set_posix(X509_getm_notBefore(x509), FIXTURE_NOT_BEFORE) != NULL &&
              ASN1_TIME_set_posix(X509_getm_notAfter(x509), FIXTURE_NOT_AFTER) != NULL);
    add_eku(x509, eku);
    cr_assert_gt(X509_sign(x509, pkey, type == EKB_KEY_ED25519 ? NULL : EVP_sha256()), 0);
    *out_entity = (struct tls_self_signed){.pkey = pkey, .x509 = x509};
}

void tls_self_signed_deinit(struct tls_self_signed *entity)
{
    X509_free(entity->x509);
    EVP_PKEY_free(entity->pkey);
}

// write_pem writes one block.
static void write_pem(const char *path, const char *label, const uint8_t *der, size_t der_len)
{
    size_t text_len = 0;
    cr_assert_eq(EVP_EncodedLength(&text_len, der_len), 1);
    uint8_t *text = malloc(text_len);
    FILE *file = fopen(path, "we");
    cr_assert(text != NULL && file != NULL);
    const size_t len = EVP_EncodeBlock(text, der, der_len);
    cr_assert_gt(fprintf(file, "-----BEGIN %s-----\n", label), 0);
    for (size_t i = 0; i < len; i += 64) {
        cr_assert_gt(fprintf(file, "%.64s\n", (const char *)text + i), 0);
    }
    cr_assert_gt(fprintf(file, "-----END %s-----\n", label), 0);
    cr_assert_eq(fclose(file), 0);
    free(text);
}

static struct ekb_chain *chain_of_der(const uint8_t *der, size_t der_len)
{
    struct fixture_dir dir;
    char path[512];
    struct ekb_chain *chain = NULL;
    struct ekb_fail fail = {0};
    fixture_dir_init(&dir);
    write_pem(fixture_dir_file(path, &dir, "cert.pem"), "CERTIFICATE", der, der_len);
    const enum ekb_err err = ekb_chain_read_pem(&chain, path, &fail);
    fixture_dir_deinit(&dir);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return chain;
}

static struct ekb_key *key_of(const EVP_PKEY *pkey)
{
    CBB cbb;
    uint8_t *der = NULL;
    size_t der_len = 0;
    struct fixture_dir dir;
    char path[512];
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};
    cr_assert(CBB_init(&cbb, 0) && EVP_marshal_private_key(&cbb, pkey) &&
              CBB_finish(&cbb, &der, &der_len));
    fixture_dir_init(&dir);
    write_pem(fixture_dir_file(path, &dir, "key.pem"), "PRIVATE KEY", der, der_len);
    const enum ekb_err err = ekb_key_read_pem(&key, path, &fail);
    fixture_dir_deinit(&dir);
    OPENSSL_free(der);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    return key;
}

struct ekb_identity tls_self_signed_identity(const struct tls_self_signed *entity)
{
    uint8_t *der = NULL;
    const int der_len = i2d_X509(entity->x509, &der);
    cr_assert_gt(der_len, 0);
    const struct ekb_identity identity = {.chain = chain_of_der(der, (size_t)der_len),
                                          .key = key_of(entity->pkey)};
    OPENSSL_free(der);
    return identity;
}

void tls_identity_deinit(struct ekb_identity *identity)
{
    ekb_chain_destroy(identity->chain);
    ekb_key_destroy(identity->key);
    *identity = (struct ekb_identity){0};
}

struct ekb_chain *tls_with_broken_signature(const struct ekb_chain *chain)
{
    size_t der_len = 0;
    const uint8_t *der = ekb_chain_der(chain, 0, &der_len);
    uint8_t *changed = malloc(der_len);
    cr_assert_not_null(changed);
    memcpy(changed, der, der_len);
    changed[der_len - 1] ^= 1;
    struct ekb_chain *broken = chain_of_der(changed, der_len);
    free(changed);
    for (size_t i = 1; i < ekb_chain_len(chain); i++) {
        cr_assert_eq(ekb_chain_append(broken, chain, i), EKB_OK);
    }
    return broken;
}
