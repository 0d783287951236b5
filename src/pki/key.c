#include "ekubench/pki/key.h"

#include "ekubench/base/file.h"
#include "pki/pki_internal.h"

#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PKCS8_LABEL "PRIVATE KEY"

// `curve` is used by EC, `bits` by RSA.
static const struct {
    const char *name;
    int id;
    int curve;
    int bits;
} types[EKB_KEY_NUM_KNOWN] = {
    [EKB_KEY_P256] = {"p256", EVP_PKEY_EC, NID_X9_62_prime256v1, 0},
    [EKB_KEY_P384] = {"p384", EVP_PKEY_EC, NID_secp384r1, 0},
    [EKB_KEY_RSA2048] = {"rsa2048", EVP_PKEY_RSA, 0, 2048},
    [EKB_KEY_RSA3072] = {"rsa3072", EVP_PKEY_RSA, 0, 3072},
    [EKB_KEY_RSA4096] = {"rsa4096", EVP_PKEY_RSA, 0, 4096},
    [EKB_KEY_ED25519] = {"ed25519", EVP_PKEY_ED25519, 0, 0},
    [EKB_KEY_P521] = {"p521", EVP_PKEY_EC, NID_secp521r1, 0},
    [EKB_KEY_RSA] = {"rsa", EVP_PKEY_RSA, 0, 0}, // After those of a size: any.
};

const char *ekb_key_type_name(enum ekb_key_type type)
{
    assert(type < EKB_KEY_NUM_KNOWN);
    return types[type].name;
}

enum ekb_err ekb_key_type_parse(enum ekb_key_type *out_type, const char *text)
{
    for (unsigned type = 0; type < EKB_KEY_NUM_TYPES; type++) {
        if (strcmp(text, types[type].name) == 0) {
            *out_type = (enum ekb_key_type)type;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

enum ekb_key_type ekb_key_type_of(const struct ekb_key *key)
{
    return key->type;
}

EVP_PKEY *ekb_key_pkey(const struct ekb_key *key)
{
    return key->pkey;
}

const EVP_MD *ekb_pki_digest(const struct ekb_key *key)
{
    if (key->type == EKB_KEY_ED25519) {
        return NULL;
    }
    if (key->type == EKB_KEY_P521) {
        return EVP_sha512();
    }
    return key->type == EKB_KEY_P384 ? EVP_sha384() : EVP_sha256();
}

void ekb_key_destroy(struct ekb_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

// Errors of the library.

const char *ekb_pki_take_reason(void)
{
    const uint32_t latest = ERR_peek_last_error();
    const char *reason = latest != 0 ? ERR_reason_error_string(latest) : NULL;
    ERR_clear_error();
    return reason != NULL ? reason : "trailing or missing data";
}

enum ekb_err ekb_pki_fail(struct ekb_fail *reterr_fail, const char *doing)
{
    const bool no_memory = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
    return ekb_fail_set(reterr_fail, no_memory ? EKB_NOMEM : EKB_TLS_INTERNAL, 0, "%s: %s", doing,
                        ekb_pki_take_reason());
}

// Making a key.

// wrap gives `pkey`, of which it takes ownership whatever happens, to a new key.
static enum ekb_err wrap(struct ekb_key **out_key, EVP_PKEY *pkey, enum ekb_key_type type,
                         struct ekb_fail *reterr_fail)
{
    struct ekb_key *key = malloc(sizeof *key);
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a key");
    }
    *key = (struct ekb_key){.pkey = pkey, .type = type};
    *out_key = key;
    return EKB_OK;
}

enum ekb_err ekb_key_generate(struct ekb_key **out_key, enum ekb_key_type type,
                              struct ekb_fail *reterr_fail)
{
    assert(type < EKB_KEY_NUM_TYPES);
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(types[type].id, NULL);
    bool made = context != NULL && EVP_PKEY_keygen_init(context) == 1;
    if (made && types[type].id == EVP_PKEY_EC) {
        made = EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, types[type].curve) == 1;
    } else if (made && types[type].id == EVP_PKEY_RSA) {
        made = EVP_PKEY_CTX_set_rsa_keygen_bits(context, types[type].bits) == 1;
    }
    made = made && EVP_PKEY_keygen(context, &pkey) == 1;
    EVP_PKEY_CTX_free(context);
    if (!made) {
        return ekb_pki_fail(reterr_fail, "generating a key");
    }
    return wrap(out_key, pkey, type, reterr_fail);
}

// Reading one.

static EVP_PKEY *parse_ec(CBS *der)
{
    EVP_PKEY *pkey = EVP_PKEY_new();
    EC_KEY *ec_key = EC_KEY_parse_private_key(der, NULL);
    if (pkey == NULL || ec_key == NULL || !EVP_PKEY_assign_EC_KEY(pkey, ec_key)) {
        EC_KEY_free(ec_key);
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

static EVP_PKEY *parse_rsa(CBS *der)
{
    EVP_PKEY *pkey = EVP_PKEY_new();
    RSA *rsa = RSA_parse_private_key(der);
    if (pkey == NULL || rsa == NULL || !EVP_PKEY_assign_RSA(pkey, rsa)) {
        RSA_free(rsa);
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

static const struct {
    const char *label;
    EVP_PKEY *(*parse)(CBS *der);
} forms[] = {
    {PKCS8_LABEL, EVP_parse_private_key}, // PKCS #8, RFC 5958
    {"EC PRIVATE KEY", parse_ec},         // SEC 1, RFC 5915
    {"RSA PRIVATE KEY", parse_rsa},       // PKCS #1, RFC 8017
};

#define NUM_FORMS (sizeof forms / sizeof forms[0])

// find_block finds the first private key in `text`, of whatever form.
static enum ekb_err find_block(struct ekb_pem_block *out_block, uint8_t *text, size_t text_len,
                               const char *path, struct ekb_fail *reterr_fail)
{
    struct ekb_pem_reader reader = {.next = text, .remaining_len = text_len};
    enum ekb_err err = EKB_OK;

    do {
        err = ekb_pem_next(out_block, &reader);
    } while (err == EKB_OK && !ekb_pem_label_ends_with(out_block, PKCS8_LABEL));
    if (err == EKB_NOT_FOUND) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s holds no private key", path);
    }
    if (err != EKB_OK) {
        return ekb_fail_say(reterr_fail, err, "%s: a PEM block has no end", path);
    }
    // The body of the older forms says so in a header: "Proc-Type: 4,ENCRYPTED". Base64 has no
    // colon.
    if (ekb_pem_label_is(out_block, "ENCRYPTED " PKCS8_LABEL) ||
        memchr(out_block->body, ':', out_block->body_len) != NULL) {
        return ekb_fail_say(reterr_fail, EKB_PARSE,
                            "%s: the private key is encrypted; decrypt it first", path);
    }
    return EKB_OK;
}

// decode turns `block` into the library's key; the whole of the block must be one key.
static enum ekb_err decode(EVP_PKEY **out_pkey, struct ekb_pem_block *block, const char *path,
                           struct ekb_fail *reterr_fail)
{
    uint8_t *der = NULL;
    size_t der_len = 0;
    size_t form = 0;
    CBS cbs;
    assert(block->label != NULL);

    while (form < NUM_FORMS && !ekb_pem_label_is(block, forms[form].label)) {
        form++;
    }
    if (form == NUM_FORMS) {
        return ekb_fail_say(reterr_fail, EKB_UNSUPPORTED,
                            "%s: a private key of this form cannot be read; PKCS #8 can", path);
    }
    const enum ekb_err err = ekb_pem_decode(&der, &der_len, block);
    if (err != EKB_OK) {
        return ekb_fail_say(reterr_fail, err, "%s: the private key is not base64", path);
    }
    CBS_init(&cbs, der, der_len);
    EVP_PKEY *pkey = forms[form].parse(&cbs);
    const bool whole = pkey != NULL && CBS_len(&cbs) == 0;
    ekb_file_free_secret(der, der_len);
    if (!whole) {
        EVP_PKEY_free(pkey);
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s: the private key is malformed (%s)", path,
                            ekb_pki_take_reason());
    }
    *out_pkey = pkey;
    return EKB_OK;
}

static bool is_type(const EVP_PKEY *pkey, enum ekb_key_type type)
{
    if (EVP_PKEY_id(pkey) != types[type].id) {
        return false;
    }
    if (types[type].id == EVP_PKEY_EC) {
        const EC_GROUP *group = EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(pkey));
        return EC_GROUP_get_curve_name(group) == types[type].curve;
    }
    return types[type].id != EVP_PKEY_RSA || types[type].bits == 0 ||
           EVP_PKEY_bits(pkey) == types[type].bits;
}

enum ekb_err ekb_key_wrap(struct ekb_key **out_key, EVP_PKEY *pkey, const char *what,
                          struct ekb_fail *reterr_fail)
{
    unsigned type = 0;
    while (type < EKB_KEY_NUM_KNOWN && !is_type(pkey, (enum ekb_key_type)type)) {
        type++;
    }
    if (type == EKB_KEY_NUM_KNOWN) {
        EVP_PKEY_free(pkey);
        return ekb_fail_say(reterr_fail, EKB_UNSUPPORTED,
                            "%s: the key is not RSA, P-256, P-384, P-521 or Ed25519", what);
    }
    return wrap(out_key, pkey, (enum ekb_key_type)type, reterr_fail);
}

enum ekb_err ekb_key_from_pem(struct ekb_key **out_key, uint8_t *text, size_t text_len,
                              const char *path, struct ekb_fail *reterr_fail)
{
    struct ekb_pem_block block = {0};
    EVP_PKEY *pkey = NULL;
    enum ekb_err err = find_block(&block, text, text_len, path, reterr_fail);
    if (err == EKB_OK) {
        err = decode(&pkey, &block, path, reterr_fail);
    }
    return err == EKB_OK ? ekb_key_wrap(out_key, pkey, path, reterr_fail) : err;
}

enum ekb_err ekb_key_read_pem(struct ekb_key **out_key, const char *path,
                              struct ekb_fail *reterr_fail)
{
    uint8_t *text = NULL;
    size_t text_len = 0;
    enum ekb_err err = ekb_file_read(&text, &text_len, path, EKB_KEY_MAX_FILE_LEN, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_key_from_pem(out_key, text, text_len, path, reterr_fail);
    }
    ekb_file_free_secret(text, text_len);
    return err;
}

enum ekb_err ekb_key_to_pem(uint8_t **out_text, size_t *out_len, const struct ekb_key *key,
                            struct ekb_fail *reterr_fail)
{
    CBB cbb;
    uint8_t *der = NULL;
    size_t der_len = 0;

    // Memory of the library's allocator is overwritten when it is freed or grows.
    if (!CBB_init(&cbb, 0) || !EVP_marshal_private_key(&cbb, key->pkey) ||
        !CBB_finish(&cbb, &der, &der_len)) {
        CBB_cleanup(&cbb);
        return ekb_pki_fail(reterr_fail, "encoding a key");
    }
    // Just as long as the text and its zero, so that who has the length can overwrite all of it.
    uint8_t *text = malloc(ekb_pem_encoded_len(PKCS8_LABEL, der_len));
    if (text != NULL) {
        *out_len = ekb_pem_encode(text, PKCS8_LABEL, der, der_len);
        *out_text = text;
    }
    OPENSSL_free(der);
    return text != NULL ? EKB_OK : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "encoding a key");
}

enum ekb_err ekb_key_write_pem(const struct ekb_key *key, const char *path,
                               struct ekb_fail *reterr_fail)
{
    uint8_t *text = NULL;
    size_t text_len = 0;
    enum ekb_err err = ekb_key_to_pem(&text, &text_len, key, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_file_write_atomic(path, text, text_len, 0600, reterr_fail);
    }
    ekb_file_free_secret(text, text_len);
    return err;
}
