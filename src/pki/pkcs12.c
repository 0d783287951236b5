// IMPLEMENTATION NOTES
//
// PKCS #12 (RFC 7292) says itself how often a hash is iterated to make keys of its password: for
// the MAC, for each part that is encrypted, and for each key. A part that is encrypted may have
// keys in it, too. So nothing can be summed up beforehand; what is to be done is taken from what
// may be done when it is come to (pki/pbe.c). Certificates are read first, and a key only for who
// asks for it: those who want certificates get them beside any number of keys.
//
// The file may be BER, of indefinite lengths and strings in pieces, as Mozilla's are: it is turned
// into DER first, and so is each part, since what is in a string is not seen from outside.

#include "pki/pkcs12_internal.h"

#include "ekubench/pki/bundle.h"
#include "pki/pki_internal.h"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>

#include <assert.h>
#include <string.h>

// As deep as the library looks.
#define MAX_DEPTH 2048

// DER.

static bool is_string(CBS_ASN1_TAG tag)
{
    const CBS_ASN1_TAG plain = tag & ~CBS_ASN1_CONSTRUCTED;
    return plain == CBS_ASN1_OCTETSTRING || plain == CBS_ASN1_BITSTRING;
}

static bool take_end(CBS *in)
{
    return CBS_len(in) >= 2 && CBS_data(in)[0] == 0 && CBS_data(in)[1] == 0 && CBS_skip(in, 2) == 1;
}

static bool convert(CBB *out, CBS *in, CBS_ASN1_TAG piece_of, bool indefinite, unsigned depth);

// convert_next converts one element. `piece_of` is the tag of the string of which it is a piece; 0:
// of none.
static bool convert_next(CBB *out, CBS *in, CBS_ASN1_TAG piece_of, unsigned depth)
{
    CBS element;
    CBS_ASN1_TAG tag = 0;
    size_t header_len = 0;
    int ber_found = 0;
    int indefinite = 0;
    CBB child;
    CBB *content = out;
    CBS_ASN1_TAG pieces = piece_of;
    if (CBS_get_any_ber_asn1_element(in, &element, &tag, &header_len, &ber_found, &indefinite) !=
        1) {
        return false;
    }
    if (piece_of != 0 && (tag & ~CBS_ASN1_CONSTRUCTED) != piece_of) {
        return false;
    }
    if (piece_of == 0) {
        pieces =
            (tag & CBS_ASN1_CONSTRUCTED) != 0 && is_string(tag) ? tag & ~CBS_ASN1_CONSTRUCTED : 0;
        if (CBB_add_asn1(out, &child, pieces != 0 ? pieces : tag) != 1) {
            return false;
        }
        content = &child;
    }
    if (indefinite == 1) {
        return convert(content, in, pieces, true, depth + 1) && CBB_flush(out) == 1;
    }
    if (CBS_skip(&element, header_len) != 1) {
        return false;
    }
    const bool converted = (tag & CBS_ASN1_CONSTRUCTED) != 0
                               ? convert(content, &element, pieces, false, depth + 1)
                               : CBB_add_bytes(content, CBS_data(&element), CBS_len(&element)) == 1;
    return converted && CBB_flush(out) == 1;
}

// convert writes what is in `in`, up to the end of contents if its length is `indefinite`, as DER.
static bool convert(CBB *out, CBS *in, CBS_ASN1_TAG piece_of, bool indefinite, unsigned depth)
{
    if (depth > MAX_DEPTH) {
        return false;
    }
    while (CBS_len(in) > 0) {
        if (indefinite && take_end(in)) {
            return true;
        }
        if (!convert_next(out, in, piece_of, depth)) {
            return false;
        }
    }
    return !indefinite;
}

// to_der turns `ber` into DER, newly allocated in `*out_der`; `*out_in` is all of it.
static enum ekb_err to_der(uint8_t **out_der, CBS *out_in, const CBS *ber)
{
    CBB cbb;
    CBS in = *ber;
    size_t der_len = 0;
    if (CBB_init(&cbb, CBS_len(ber)) != 1) {
        return EKB_NOMEM;
    }
    if (!convert(&cbb, &in, 0, false, 0) || CBB_finish(&cbb, out_der, &der_len) != 1) {
        CBB_cleanup(&cbb);
        return EKB_PARSE;
    }
    CBS_init(out_in, *out_der, der_len);
    return EKB_OK;
}

// Opening.

// What the parts of an opening share.
struct opening {
    struct ekb_pkcs12 *pkcs12;
    struct ekb_pbe pbe;
    bool is_authentic; // There was a MAC, so that the password is right.
};

typedef enum ekb_err take(CBS *element, struct opening *opening);

// is_id is true for 1.2.840.113549.1 and `last`, the numbers below it.
static bool is_id(const CBS *oid, const char *last)
{
    static const uint8_t pkcs[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01};
    const size_t len = strlen(last);
    return CBS_len(oid) == sizeof pkcs + len && memcmp(CBS_data(oid), pkcs, sizeof pkcs) == 0 &&
           memcmp(CBS_data(oid) + sizeof pkcs, last, len) == 0;
}

#define CONTENT_DATA "\x07\x01"
#define CONTENT_ENCRYPTED_DATA "\x07\x06"
#define BAG_KEY "\x0c\x0a\x01\x01"
#define BAG_SHROUDED_KEY "\x0c\x0a\x01\x02"
#define BAG_CERTIFICATE "\x0c\x0a\x01\x03"
#define CERTIFICATE_X509 "\x09\x16\x01"

#define EXPLICIT_0 (CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0)

// for_each takes each SEQUENCE of the SEQUENCE that fills `ber`.
static enum ekb_err for_each(const CBS *ber, take *take_one, struct opening *opening)
{
    uint8_t *der = NULL;
    CBS in;
    CBS list;
    enum ekb_err err = to_der(&der, &in, ber);
    if (err == EKB_OK && (CBS_get_asn1(&in, &list, CBS_ASN1_SEQUENCE) != 1 || CBS_len(&in) != 0)) {
        err = EKB_PARSE;
    }
    while (err == EKB_OK && CBS_len(&list) > 0) {
        CBS element;
        err = CBS_get_asn1(&list, &element, CBS_ASN1_SEQUENCE) == 1 ? take_one(&element, opening)
                                                                    : EKB_PARSE;
    }
    OPENSSL_free(der);
    return err;
}

// keep_key keeps the first key, as it stands there.
static enum ekb_err keep_key(struct ekb_pkcs12 *pkcs12, const CBS *key, bool is_encrypted)
{
    if (pkcs12->num_keys++ > 0) {
        return EKB_OK;
    }
    pkcs12->key_is_encrypted = is_encrypted;
    return CBS_stow(key, &pkcs12->key, &pkcs12->key_len) == 1 ? EKB_OK : EKB_NOMEM;
}

static enum ekb_err take_certificate(struct ekb_pkcs12 *pkcs12, CBS *value)
{
    CBS bag;
    CBS type;
    CBS wrapped;
    CBS der;
    if (CBS_get_asn1(value, &bag, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&bag, &type, CBS_ASN1_OBJECT) != 1 ||
        CBS_get_asn1(&bag, &wrapped, EXPLICIT_0) != 1 ||
        CBS_get_asn1(&wrapped, &der, CBS_ASN1_OCTETSTRING) != 1) {
        return EKB_PARSE;
    }
    if (!is_id(&type, CERTIFICATE_X509)) {
        return EKB_OK;
    }
    if (ekb_chain_len(pkcs12->chain) == EKB_CHAIN_MAX_CERTS) {
        pkcs12->has_more = true;
        return EKB_OK;
    }
    const enum ekb_err err = ekb_chain_append_der(pkcs12->chain, CBS_data(&der), CBS_len(&der));
    pkcs12->num_malformed += err == EKB_PARSE ? 1 : 0;
    return err == EKB_PARSE ? EKB_OK : err;
}

// take_bag takes a SafeBag. What is of another type is left out, as the library does.
static enum ekb_err take_bag(CBS *bag, struct opening *opening)
{
    CBS id;
    CBS value;
    if (CBS_get_asn1(bag, &id, CBS_ASN1_OBJECT) != 1 ||
        CBS_get_asn1(bag, &value, EXPLICIT_0) != 1) {
        return EKB_PARSE;
    }
    if (is_id(&id, BAG_KEY) || is_id(&id, BAG_SHROUDED_KEY)) {
        return keep_key(opening->pkcs12, &value, is_id(&id, BAG_SHROUDED_KEY));
    }
    return is_id(&id, BAG_CERTIFICATE) ? take_certificate(opening->pkcs12, &value) : EKB_OK;
}

// get_encrypted takes the content of [0] IMPLICIT OCTET STRING from `in`, in one piece or in many;
// then it is in `*out_pieces`, newly allocated.
static bool get_encrypted(uint8_t **out_pieces, CBS *out_data, CBS *in)
{
    CBS list;
    CBB cbb;
    size_t len = 0;
    if (CBS_peek_asn1_tag(in, CBS_ASN1_CONTEXT_SPECIFIC | 0) == 1) {
        return CBS_get_asn1(in, out_data, CBS_ASN1_CONTEXT_SPECIFIC | 0) == 1;
    }
    if (CBS_get_asn1(in, &list, EXPLICIT_0) != 1 || CBB_init(&cbb, CBS_len(&list)) != 1) {
        return false;
    }
    while (CBS_len(&list) > 0) {
        CBS piece;
        if (CBS_get_asn1(&list, &piece, CBS_ASN1_OCTETSTRING) != 1 ||
            CBB_add_bytes(&cbb, CBS_data(&piece), CBS_len(&piece)) != 1) {
            CBB_cleanup(&cbb);
            return false;
        }
    }
    if (CBB_finish(&cbb, out_pieces, &len) != 1) {
        CBB_cleanup(&cbb);
        return false;
    }
    CBS_init(out_data, *out_pieces, len);
    return true;
}

// take_encrypted takes an EncryptedData.
static enum ekb_err take_encrypted(CBS *wrapped, struct opening *opening)
{
    CBS content;
    CBS version;
    CBS info;
    CBS type;
    CBS algorithm;
    CBS data;
    CBS bags;
    uint8_t *pieces = NULL;
    uint8_t *text = NULL;
    size_t len = 0;
    if (CBS_get_asn1(wrapped, &content, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&content, &version, CBS_ASN1_INTEGER) != 1 ||
        CBS_get_asn1(&content, &info, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&info, &type, CBS_ASN1_OBJECT) != 1 || !is_id(&type, CONTENT_DATA) ||
        CBS_get_asn1(&info, &algorithm, CBS_ASN1_SEQUENCE) != 1 ||
        !get_encrypted(&pieces, &data, &info)) {
        return EKB_PARSE;
    }
    enum ekb_err err = ekb_pbe_decrypt(&text, &len, &algorithm, &data, &opening->pbe);
    OPENSSL_free(pieces);
    if (err != EKB_OK) {
        return err;
    }
    CBS_init(&bags, text, len);
    err = for_each(&bags, take_bag, opening);
    OPENSSL_free(text);
    // One wrong password of 256 leaves what looks like padding.
    return err == EKB_PARSE && !opening->is_authentic ? EKB_NEED_PASSWORD : err;
}

// take_part takes a ContentInfo of authSafe.
static enum ekb_err take_part(CBS *part, struct opening *opening)
{
    CBS type;
    CBS wrapped;
    CBS bags;
    if (CBS_get_asn1(part, &type, CBS_ASN1_OBJECT) != 1 ||
        CBS_get_asn1(part, &wrapped, EXPLICIT_0) != 1) {
        return EKB_PARSE;
    }
    if (is_id(&type, CONTENT_ENCRYPTED_DATA)) {
        return take_encrypted(&wrapped, opening);
    }
    if (!is_id(&type, CONTENT_DATA)) {
        return EKB_OK; // Encrypted for a public key.
    }
    return CBS_get_asn1(&wrapped, &bags, CBS_ASN1_OCTETSTRING) == 1
               ? for_each(&bags, take_bag, opening)
               : EKB_PARSE;
}

// The file as such.
struct pfx {
    CBS content; // Of authSafe.
    CBS mac_data;
    bool has_mac;
};

static bool parse_pfx(struct pfx *out_pfx, CBS *der)
{
    CBS content;
    CBS auth_safe;
    CBS type;
    CBS wrapped;
    uint64_t version = 0;
    if (CBS_get_asn1(der, &content, CBS_ASN1_SEQUENCE) != 1 || CBS_len(der) != 0 ||
        CBS_get_asn1_uint64(&content, &version) != 1 || version < 3 ||
        CBS_get_asn1(&content, &auth_safe, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&auth_safe, &type, CBS_ASN1_OBJECT) != 1 || !is_id(&type, CONTENT_DATA) ||
        CBS_get_asn1(&auth_safe, &wrapped, EXPLICIT_0) != 1 ||
        CBS_get_asn1(&wrapped, &out_pfx->content, CBS_ASN1_OCTETSTRING) != 1) {
        return false;
    }
    out_pfx->has_mac = CBS_len(&content) > 0;
    return !out_pfx->has_mac || CBS_get_asn1(&content, &out_pfx->mac_data, CBS_ASN1_SEQUENCE) == 1;
}

// empty forgets what has been read, but not what it took.
static void empty(struct ekb_pkcs12 *pkcs12)
{
    const uint64_t iterations_left = pkcs12->iterations_left;
    ekb_pkcs12_deinit(pkcs12);
    pkcs12->iterations_left = iterations_left;
}

// try_password reads all that is no key.
static enum ekb_err try_password(struct ekb_pkcs12 *pkcs12, const struct pfx *pfx,
                                 const char *password)
{
    struct opening opening = {
        .pkcs12 = pkcs12,
        .pbe = {.password = password, .iterations_left = &pkcs12->iterations_left}};
    enum ekb_err err = EKB_OK;
    if (pfx->has_mac) {
        err = ekb_pbe_check_mac(&pfx->mac_data, &pfx->content, &opening.pbe);
        opening.is_authentic = err == EKB_OK;
    }
    if (err == EKB_OK) {
        pkcs12->password = password;
        pkcs12->chain = ekb_chain_create();
        err = pkcs12->chain != NULL ? for_each(&pfx->content, take_part, &opening) : EKB_NOMEM;
    }
    if (err != EKB_OK) {
        empty(pkcs12);
    }
    return err;
}

// try_passwords tries the one that is given, and then what stands for none: the empty one, and not
// even that. What goes wrong with the first is what is told.
static enum ekb_err try_passwords(struct ekb_pkcs12 *pkcs12, const struct pfx *pfx,
                                  const char *password)
{
    const char *const passwords[] = {password, "", NULL};
    const bool is_empty = password == NULL || password[0] == '\0';
    enum ekb_err first = EKB_OK;
    for (size_t i = is_empty ? 1 : 0; i < sizeof passwords / sizeof passwords[0]; i++) {
        const enum ekb_err err = try_password(pkcs12, pfx, passwords[i]);
        if (err == EKB_OK || err == EKB_NOMEM) {
            return err;
        }
        first = first == EKB_OK ? err : first;
        if (err != EKB_NEED_PASSWORD) {
            break;
        }
    }
    return first;
}

enum ekb_err ekb_pkcs12_open(struct ekb_pkcs12 *out_pkcs12, const uint8_t *ber, size_t ber_len,
                             const char *password)
{
    struct ekb_pkcs12 pkcs12 = {.iterations_left = EKB_BUNDLE_MAX_ITERATIONS};
    struct pfx pfx;
    uint8_t *der = NULL;
    CBS in;
    CBS_init(&in, ber, ber_len);
    enum ekb_err err = to_der(&der, &in, &in);
    if (err == EKB_OK) {
        err = parse_pfx(&pfx, &in) ? try_passwords(&pkcs12, &pfx, password) : EKB_PARSE;
    }
    OPENSSL_free(der);
    ERR_clear_error();
    if (err == EKB_OK) {
        *out_pkcs12 = pkcs12;
    }
    return err;
}

void ekb_pkcs12_deinit(struct ekb_pkcs12 *pkcs12)
{
    ekb_chain_destroy(pkcs12->chain);
    OPENSSL_free(pkcs12->key); // Which overwrites it.
    *pkcs12 = (struct ekb_pkcs12){.chain = NULL};
}

// parse_key parses a PKCS #8 key that fills `der`.
static enum ekb_err parse_key(EVP_PKEY **out_key, CBS *der)
{
    EVP_PKEY *key = EVP_parse_private_key(der);
    if (key == NULL || CBS_len(der) != 0) {
        EVP_PKEY_free(key);
        return EKB_PARSE;
    }
    *out_key = key;
    return EKB_OK;
}

static enum ekb_err decrypt_key(EVP_PKEY **out_key, CBS *encrypted, const struct ekb_pbe *pbe)
{
    CBS info;
    CBS algorithm;
    CBS data;
    CBS der;
    uint8_t *text = NULL;
    size_t len = 0;
    if (CBS_get_asn1(encrypted, &info, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&info, &algorithm, CBS_ASN1_SEQUENCE) != 1 ||
        CBS_get_asn1(&info, &data, CBS_ASN1_OCTETSTRING) != 1 || CBS_len(&info) != 0) {
        return EKB_PARSE;
    }
    enum ekb_err err = ekb_pbe_decrypt(&text, &len, &algorithm, &data, pbe);
    if (err == EKB_OK) {
        CBS_init(&der, text, len);
        // One wrong password of 256 leaves what looks like padding.
        err = CBS_peek_asn1_tag(&der, CBS_ASN1_SEQUENCE) == 1 ? parse_key(out_key, &der)
                                                              : EKB_NEED_PASSWORD;
    }
    OPENSSL_free(text);
    return err;
}

enum ekb_err ekb_pkcs12_key(EVP_PKEY **out_key, struct ekb_pkcs12 *pkcs12)
{
    assert(pkcs12->num_keys > 0);
    const struct ekb_pbe pbe = {.password = pkcs12->password,
                                .iterations_left = &pkcs12->iterations_left};
    CBS in;
    CBS_init(&in, pkcs12->key, pkcs12->key_len);
    const enum ekb_err err =
        pkcs12->key_is_encrypted ? decrypt_key(out_key, &in, &pbe) : parse_key(out_key, &in);
    ERR_clear_error();
    return err;
}
