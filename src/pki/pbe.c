// IMPLEMENTATION NOTES
//
// The library has all of this, but opens a PKCS #12 file as a whole only: with every key in it, and
// going along up to 100 million iterations for each, which is a quarter of a minute for a file of
// two kilobytes. How many are wanted inside of what is encrypted is not known before it is
// decrypted. So the two key derivations are here, where each says first what it is going to cost.

#include "ekubench/base/file.h"
#include "ekubench/base/utf8.h"
#include "pki/pkcs12_internal.h"

#include <openssl/bytestring.h>
#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>

#include <stdlib.h>
#include <string.h>

// What a derivation starts from.
struct salted {
    const EVP_MD *md;
    CBS salt;
    unsigned iterations;
};

struct cipher_key {
    const EVP_CIPHER *cipher;
    uint8_t key[EVP_MAX_KEY_LENGTH];
    uint8_t iv[EVP_MAX_IV_LENGTH];
};

struct oid {
    uint8_t bytes[10];
    uint8_t len;
};

static bool is_oid(const CBS *cbs, const struct oid *oid)
{
    return CBS_mem_equal(cbs, oid->bytes, oid->len) == 1;
}

// spend takes `wanted` iterations from those that are left.
static enum ekb_err spend(struct salted *salted, uint64_t wanted, const struct ekb_pbe *pbe)
{
    if (wanted == 0) {
        return EKB_PARSE;
    }
    if (wanted > *pbe->iterations_left || wanted > UINT32_MAX) {
        return EKB_TOO_BIG;
    }
    *pbe->iterations_left -= wanted;
    salted->iterations = (unsigned)wanted;
    return EKB_OK;
}

// PKCS #12's own derivation (RFC 7292, appendix B), by its names.

enum purpose {
    PURPOSE_KEY = 1,
    PURPOSE_IV = 2,
    PURPOSE_MAC = 3,
};

// to_bmp writes the password as a BMPString with a zero at its end; none has not even that.
static enum ekb_err to_bmp(uint8_t **out_text, size_t *out_len, const char *password)
{
    const size_t len = password != NULL ? strlen(password) : 0;
    const uint8_t *bytes = (const uint8_t *)password;
    CBB cbb;
    if (CBB_init(&cbb, 2 * len + 2) != 1) {
        return EKB_NOMEM;
    }
    size_t at = 0;
    while (at < len) {
        uint32_t code = 0;
        const size_t one = ekb_utf8_next(&code, bytes + at, len - at);
        bool added = one > 0;
        if (added && code >= 0x10000) { // As others do: two surrogates.
            added = CBB_add_u16(&cbb, (uint16_t)(0xd7c0 + (code >> 10))) == 1;
            code = 0xdc00 + (code & 0x3ff);
        }
        if (!added || CBB_add_u16(&cbb, (uint16_t)code) != 1) {
            CBB_cleanup(&cbb);
            return one > 0 ? EKB_NOMEM : EKB_NEED_PASSWORD;
        }
        at += one;
    }
    if ((password != NULL && CBB_add_u16(&cbb, 0) != 1) ||
        CBB_finish(&cbb, out_text, out_len) != 1) {
        CBB_cleanup(&cbb);
        return EKB_NOMEM;
    }
    return EKB_OK;
}

static size_t round_up(size_t len, size_t block_len)
{
    return (len + block_len - 1) / block_len * block_len;
}

static void repeat(uint8_t *out, size_t out_len, const uint8_t *what, size_t what_len)
{
    for (size_t i = 0; i < out_len; i++) {
        out[i] = what[i % what_len];
    }
}

static bool hash_often(uint8_t out_hash[EVP_MAX_MD_SIZE], const struct salted *salted,
                       const uint8_t *input, size_t input_len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const size_t hash_len = EVP_MD_size(salted->md);
    bool done = context != NULL;
    for (unsigned i = 0; i < salted->iterations && done; i++) {
        done = EVP_DigestInit_ex(context, salted->md, NULL) == 1 &&
               EVP_DigestUpdate(context, i == 0 ? input : out_hash,
                                i == 0 ? input_len : hash_len) == 1 &&
               EVP_DigestFinal_ex(context, out_hash, NULL) == 1;
    }
    EVP_MD_CTX_free(context);
    return done;
}

// add_hash adds the repeated hash and one to each block.
static void add_hash(uint8_t *blocks, size_t len, const uint8_t *hash, const EVP_MD *md)
{
    const size_t block_len = EVP_MD_block_size(md);
    for (size_t block = 0; block < len; block += block_len) {
        unsigned carry = 1;
        for (size_t i = block_len; i-- > 0;) {
            carry += (unsigned)blocks[block + i] + hash[i % EVP_MD_size(md)];
            blocks[block + i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
}

// derive fills `out` for a purpose.
static enum ekb_err derive(enum purpose purpose, uint8_t *out, size_t out_len,
                           const struct salted *salted, const char *password)
{
    const uint8_t diversifier = (uint8_t)purpose;
    const size_t block_len = EVP_MD_block_size(salted->md);
    const size_t salt_len = round_up(CBS_len(&salted->salt), block_len);
    uint8_t *bmp = NULL;
    size_t bmp_len = 0;
    enum ekb_err err = to_bmp(&bmp, &bmp_len, password);
    if (err != EKB_OK) {
        return err;
    }
    const size_t len = block_len + salt_len + round_up(bmp_len, block_len);
    uint8_t *input = calloc(1, len);
    if (input == NULL) {
        OPENSSL_free(bmp);
        return EKB_NOMEM;
    }
    repeat(input, block_len, &diversifier, 1);
    repeat(input + block_len, salt_len, CBS_data(&salted->salt), CBS_len(&salted->salt));
    repeat(input + block_len + salt_len, len - block_len - salt_len, bmp, bmp_len);
    OPENSSL_free(bmp);
    for (size_t at = 0; at < out_len && err == EKB_OK;) {
        uint8_t hash[EVP_MAX_MD_SIZE] = {0};
        const size_t rest = out_len - at;
        const size_t part = rest < EVP_MD_size(salted->md) ? rest : EVP_MD_size(salted->md);
        if (hash_often(hash, salted, input, len)) {
            memcpy(out + at, hash, part);
            add_hash(input + block_len, len - block_len, hash, salted->md);
        } else {
            err = EKB_NOMEM;
        }
        at += part;
        OPENSSL_cleanse(hash, sizeof hash);
    }
    ekb_file_free_secret(input, len);
    return err;
}

static enum ekb_err derive_own(struct cipher_key *key, CBS *parameters, const struct ekb_pbe *pbe)
{
    struct salted salted = {.md = EVP_sha1()};
    CBS content;
    uint64_t iterations = 0;
    if (CBS_get_asn1(parameters, &content, CBS_ASN1_SEQUENCE) != 1 || CBS_len(parameters) != 0 ||
        CBS_get_asn1(&content, &salted.salt, CBS_ASN1_OCTETSTRING) != 1 ||
        CBS_get_asn1_uint64(&content, &iterations) != 1 || CBS_len(&content) != 0) {
        return EKB_PARSE;
    }
    enum ekb_err err = spend(&salted, iterations, pbe);
    if (err == EKB_OK) {
        err = derive(PURPOSE_KEY, key->key, EVP_CIPHER_key_length(key->cipher), &salted,
                     pbe->password);
    }
    if (err == EKB_OK) {
        err =
            derive(PURPOSE_IV, key->iv, EVP_CIPHER_iv_length(key->cipher), &salted, pbe->password);
    }
    return err;
}

// PBES2 with PBKDF2.

static const EVP_CIPHER *find_cipher(const CBS *oid)
{
    static const struct {
        struct oid oid;
        const EVP_CIPHER *(*cipher)(void);
    } ciphers[] = {
        {{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07}, 8}, EVP_des_ede3_cbc},
        {{{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02}, 9}, EVP_aes_128_cbc},
        {{{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16}, 9}, EVP_aes_192_cbc},
        {{{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a}, 9}, EVP_aes_256_cbc},
    };
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
        if (is_oid(oid, &ciphers[i].oid)) {
            return ciphers[i].cipher();
        }
    }
    return NULL;
}

// find_prf returns the digest of an HMAC.
static const EVP_MD *find_prf(const CBS *oid)
{
    // 1.2.840.113549.2, and the last number.
    static const uint8_t hmac[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02};
    if (CBS_len(oid) != sizeof hmac + 1 || memcmp(CBS_data(oid), hmac, sizeof hmac) != 0) {
        return NULL;
    }
    switch (CBS_data(oid)[sizeof hmac]) {
    case 7:
        return EVP_sha1();
    case 8:
        return EVP_sha224();
    case 9:
        return EVP_sha256();
    case 10:
        return EVP_sha384();
    case 11:
        return EVP_sha512();
    default:
        return NULL;
    }
}

// parse_pbkdf2 parses the parameters of PBKDF2; a length of the key is that of the cipher.
static enum ekb_err parse_pbkdf2(struct salted *out_salted, uint64_t *out_iterations, CBS *kdf)
{
    CBS parameters;
    CBS prf;
    CBS oid;
    uint64_t key_len = 0;
    if (CBS_get_asn1(kdf, &parameters, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&parameters, &out_salted->salt, CBS_ASN1_OCTETSTRING) != 1 ||
        CBS_get_asn1_uint64(&parameters, out_iterations) != 1 ||
        (CBS_peek_asn1_tag(&parameters, CBS_ASN1_INTEGER) == 1 &&
         CBS_get_asn1_uint64(&parameters, &key_len) != 1)) {
        return EKB_PARSE;
    }
    out_salted->md = EVP_sha1();
    if (CBS_len(&parameters) > 0) {
        if (CBS_get_asn1(&parameters, &prf, CBS_ASN1_SEQUENCE) != 1 ||
            CBS_get_asn1(&prf, &oid, CBS_ASN1_OBJECT) != 1 || CBS_len(&parameters) != 0) {
            return EKB_PARSE;
        }
        out_salted->md = find_prf(&oid);
    }
    return out_salted->md != NULL ? EKB_OK : EKB_UNSUPPORTED;
}

static enum ekb_err derive_pbes2(struct cipher_key *key, CBS *parameters, const struct ekb_pbe *pbe)
{
    static const struct oid pbkdf2 = {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c}, 9};
    struct salted salted;
    CBS content;
    CBS kdf;
    CBS scheme;
    CBS kdf_oid;
    CBS scheme_oid;
    CBS iv;
    uint64_t iterations = 0;
    if (CBS_get_asn1(parameters, &content, CBS_ASN1_SEQUENCE) != 1 || CBS_len(parameters) != 0 ||
        CBS_get_asn1(&content, &kdf, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&content, &scheme, CBS_ASN1_SEQUENCE) != 1 || CBS_len(&content) != 0 ||
        CBS_get_asn1(&kdf, &kdf_oid, CBS_ASN1_OBJECT) != 1 ||
        CBS_get_asn1(&scheme, &scheme_oid, CBS_ASN1_OBJECT) != 1) {
        return EKB_PARSE;
    }
    key->cipher = find_cipher(&scheme_oid);
    if (!is_oid(&kdf_oid, &pbkdf2) || key->cipher == NULL) {
        return EKB_UNSUPPORTED;
    }
    if (CBS_get_asn1(&scheme, &iv, CBS_ASN1_OCTETSTRING) != 1 ||
        CBS_copy_bytes(&iv, key->iv, EVP_CIPHER_iv_length(key->cipher)) != 1 || CBS_len(&iv) != 0) {
        return EKB_PARSE;
    }
    enum ekb_err err = parse_pbkdf2(&salted, &iterations, &kdf);
    if (err == EKB_OK) {
        err = spend(&salted, iterations, pbe);
    }
    const char *password = pbe->password != NULL ? pbe->password : "";
    if (err == EKB_OK && PKCS5_PBKDF2_HMAC(password, strlen(password), CBS_data(&salted.salt),
                                           CBS_len(&salted.salt), salted.iterations, salted.md,
                                           EVP_CIPHER_key_length(key->cipher), key->key) != 1) {
        err = EKB_NOMEM;
    }
    return err;
}

// Both.

static enum ekb_err derive_key(struct cipher_key *out_key, const CBS *algorithm,
                               const struct ekb_pbe *pbe)
{
    static const struct oid pbes2 = {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d}, 9};
    static const struct {
        struct oid oid;
        const EVP_CIPHER *(*cipher)(void);
    } own[] = {
        {{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x01}, 10}, EVP_rc4},
        {{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03}, 10}, EVP_des_ede3_cbc},
        {{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x06}, 10}, EVP_rc2_40_cbc},
    };
    CBS parameters = *algorithm;
    CBS oid;
    if (CBS_get_asn1(&parameters, &oid, CBS_ASN1_OBJECT) != 1) {
        return EKB_PARSE;
    }
    if (is_oid(&oid, &pbes2)) {
        return derive_pbes2(out_key, &parameters, pbe);
    }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (is_oid(&oid, &own[i].oid)) {
            out_key->cipher = own[i].cipher();
            return derive_own(out_key, &parameters, pbe);
        }
    }
    return EKB_UNSUPPORTED;
}

static enum ekb_err decrypt(uint8_t *out_text, size_t *out_len, const CBS *data,
                            const struct cipher_key *key)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    enum ekb_err err = EKB_NOMEM;
    int len = 0;
    int rest = 0;
    if (context != NULL && EVP_DecryptInit_ex(context, key->cipher, NULL, key->key, key->iv) == 1) {
        err = EVP_DecryptUpdate(context, out_text, &len, CBS_data(data), (int)CBS_len(data)) == 1 &&
                      EVP_DecryptFinal_ex(context, out_text + len, &rest) == 1
                  ? EKB_OK
                  : EKB_NEED_PASSWORD;
    }
    EVP_CIPHER_CTX_free(context);
    *out_len = (size_t)len + (size_t)rest;
    return err;
}

enum ekb_err ekb_pbe_decrypt(uint8_t **out_text, size_t *out_len, const CBS *algorithm,
                             const CBS *data, const struct ekb_pbe *pbe)
{
    struct cipher_key key = {.cipher = NULL};
    enum ekb_err err = derive_key(&key, algorithm, pbe);
    size_t len = 0;
    // A block more: the library wants it to be safe.
    uint8_t *text = OPENSSL_malloc(CBS_len(data) + EVP_MAX_BLOCK_LENGTH);
    if (text == NULL) {
        err = EKB_NOMEM;
    }
    if (err == EKB_OK) {
        err = decrypt(text, &len, data, &key);
    }
    OPENSSL_cleanse(&key, sizeof key);
    if (err != EKB_OK) {
        OPENSSL_free(text);
        return err;
    }
    *out_text = text;
    *out_len = len;
    return EKB_OK;
}

enum ekb_err ekb_pbe_check_mac(const CBS *mac_data, const CBS *content, const struct ekb_pbe *pbe)
{
    struct salted salted;
    CBS in = *mac_data;
    CBS info;
    CBS wanted;
    uint64_t iterations = 1;
    uint8_t key[EVP_MAX_MD_SIZE];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    if (CBS_get_asn1(&in, &info, CBS_ASN1_SEQUENCE) != 1) {
        return EKB_PARSE;
    }
    salted.md = EVP_parse_digest_algorithm(&info);
    if (salted.md == NULL) {
        return EKB_UNSUPPORTED;
    }
    if (CBS_get_asn1(&info, &wanted, CBS_ASN1_OCTETSTRING) != 1 ||
        CBS_get_asn1(&in, &salted.salt, CBS_ASN1_OCTETSTRING) != 1 ||
        (CBS_len(&in) > 0 && CBS_get_asn1_uint64(&in, &iterations) != 1)) {
        return EKB_PARSE;
    }
    enum ekb_err err = spend(&salted, iterations, pbe);
    if (err == EKB_OK) {
        err = derive(PURPOSE_MAC, key, EVP_MD_size(salted.md), &salted, pbe->password);
    }
    if (err == EKB_OK && HMAC(salted.md, key, EVP_MD_size(salted.md), CBS_data(content),
                              CBS_len(content), mac, &mac_len) == NULL) {
        err = EKB_NOMEM;
    }
    OPENSSL_cleanse(key, sizeof key);
    if (err == EKB_OK && CBS_mem_equal(&wanted, mac, mac_len) != 1) {
        err = EKB_NEED_PASSWORD;
    }
    return err;
}
