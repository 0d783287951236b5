#include "ekubench/pki/mint.h"

#include "pki/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ORGANIZATION "ekubench"
#define SERIAL_LEN 16

// RFC 1035 section 2.3.4, without the dots at the ends.
#define MAX_DNS_NAME_LEN 253
#define MAX_DNS_LABEL_LEN 63

// Key usage bits (RFC 5280 section 4.2.1.3), bit 0 of the BIT STRING being the most significant.
#define USAGE_BIT_DIGITAL_SIGNATURE 0x80
#define USAGE_BIT_KEY_ENCIPHERMENT 0x20
#define USAGE_BIT_KEY_CERT_SIGN 0x04
#define USAGE_BIT_CRL_SIGN 0x02

// Tags of GeneralName and of AuthorityKeyIdentifier.
#define TAG_DNS_NAME (CBS_ASN1_CONTEXT_SPECIFIC | 2)
#define TAG_IP_ADDRESS (CBS_ASN1_CONTEXT_SPECIFIC | 7)
#define TAG_KEY_ID (CBS_ASN1_CONTEXT_SPECIFIC | 0)

struct ekb_ca {
    struct ekb_key *key;
    struct ekb_chain *own;  // Its certificate.
    struct ekb_chain *path; // Its certificate, then its issuers, the root last.
};

// What a certificate is made of.
struct request {
    const struct ekb_ca *issuer; // NULL: signed with its own key.
    const struct ekb_key *key;
    const char *common_name;
    unsigned eku;
    int64_t not_before;
    int64_t not_after;
    const struct ekb_mint_leaf *leaf; // NULL: a CA.
};

enum criticality {
    NOT_CRITICAL,
    CRITICAL
};

// Checking what is asked for.

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// is_label is true for a label of a host name: letters, digits and, inside, hyphens.
static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > MAX_DNS_LABEL_LEN || label[0] == '-' || label[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_letter_or_digit(label[i]) && label[i] != '-') {
            return false;
        }
    }
    return true;
}

bool ekb_mint_is_dns_name(const char *name)
{
    if (strlen(name) > MAX_DNS_NAME_LEN || ekb_pki_is_ip_address(name)) {
        return false;
    }
    if (strncmp(name, "*.", 2) == 0) {
        name += 2;
    }
    for (;;) {
        const size_t len = strcspn(name, ".");
        if (!is_label(name, len)) {
            return false;
        }
        if (name[len] == '\0') {
            return true;
        }
        name += len + 1;
    }
}

static enum ekb_err check_names(const struct ekb_mint_leaf *leaf, struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < leaf->num_dns_names; i++) {
        if (!ekb_mint_is_dns_name(leaf->dns_names[i])) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "not a host name: \"%s\"",
                                leaf->dns_names[i]);
        }
    }
    for (size_t i = 0; i < leaf->num_ip_addresses; i++) {
        if (!ekb_pki_is_ip_address(leaf->ip_addresses[i])) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "not an IP address: \"%s\"",
                                leaf->ip_addresses[i]);
        }
    }
    return EKB_OK;
}

static enum ekb_err check(const struct request *request, struct ekb_fail *reterr_fail)
{
    if (request->not_after < request->not_before) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "the validity of \"%s\" ends before it begins", request->common_name);
    }
    if ((request->eku & EKB_EKU_OTHER) != 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"other\" is not a key usage to be minted");
    }
    if (request->leaf == NULL && request->issuer != NULL &&
        ekb_chain_len(request->issuer->path) == EKB_MINT_MAX_DEPTH) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "more than %d CAs above a leaf",
                            EKB_MINT_MAX_DEPTH);
    }
    return request->leaf != NULL ? check_names(request->leaf, reterr_fail) : EKB_OK;
}

// Fields.

// set_serial sets a random serial number: positive, and of exactly SERIAL_LEN bytes, which fixes
// two of its 128 bits.
static bool set_serial(X509 *x509)
{
    uint8_t bytes[SERIAL_LEN];
    RAND_bytes(bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);

    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    ASN1_INTEGER *serial = number != NULL ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    const bool done = serial != NULL && X509_set_serialNumber(x509, serial);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return done;
}

static bool add_name(X509_NAME *name, int nid, const char *text)
{
    // The library enforces RFC 5280's upper bounds, and UTF-8.
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const uint8_t *)text,
                                      (ossl_ssize_t)strlen(text), -1, 0) == 1;
}

static enum ekb_err set_names(X509 *x509, const struct request *request,
                              struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    X509_NAME *subject = X509_NAME_new();
    if (subject == NULL ||
        (request->leaf == NULL && !add_name(subject, NID_organizationName, ORGANIZATION))) {
        err = ekb_pki_fail(reterr_fail, "writing a subject");
        goto out;
    }
    if (request->common_name[0] == '\0' ||
        !add_name(subject, NID_commonName, request->common_name)) {
        ERR_clear_error();
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "a common name is not of 1 to 64 characters of UTF-8: \"%s\"",
                           request->common_name);
        goto out;
    }
    X509_NAME *issuer = request->issuer != NULL
                            ? X509_get_subject_name(ekb_chain_x509(request->issuer->own, 0))
                            : subject;
    if (!X509_set_subject_name(x509, subject) || !X509_set_issuer_name(x509, issuer)) {
        err = ekb_pki_fail(reterr_fail, "writing names");
    }
out:
    X509_NAME_free(subject);
    return err;
}

// set_validity writes UTCTime up to 2049 and GeneralizedTime from 2050 on (RFC 5280
// section 4.1.2.5).
static enum ekb_err set_validity(X509 *x509, const struct request *request,
                                 struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    ASN1_TIME *not_before = ASN1_TIME_set_posix(NULL, request->not_before);
    ASN1_TIME *not_after = ASN1_TIME_set_posix(NULL, request->not_after);

    if (not_before == NULL || not_after == NULL) {
        ERR_clear_error();
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "the validity of \"%s\" is outside of the years 0 to 9999",
                           request->common_name);
    } else if (!X509_set1_notBefore(x509, not_before) || !X509_set1_notAfter(x509, not_after)) {
        err = ekb_pki_fail(reterr_fail, "writing a validity");
    }
    ASN1_TIME_free(not_after);
    ASN1_TIME_free(not_before);
    return err;
}

// Extensions. Each is encoded by hand: the library's own structures take more code and leave the
// encoding to chance (a BIT STRING's unused bits).

// add_extension adds the value in `value`, and ends the writing of it.
static bool add_extension(X509 *x509, int nid, enum criticality criticality, CBB *value)
{
    uint8_t *der = NULL;
    size_t der_len = 0;
    X509_EXTENSION *extension = NULL;
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();

    if (octets != NULL && CBB_finish(value, &der, &der_len) &&
        ASN1_OCTET_STRING_set(octets, der, (int)der_len)) {
        extension = X509_EXTENSION_create_by_NID(NULL, nid, criticality == CRITICAL, octets);
    }
    const bool done = extension != NULL && X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
    OPENSSL_free(der);
    return done;
}

static bool add_key_usage(X509 *x509, const struct request *request)
{
    if (request->leaf != NULL && request->issuer == NULL) {
        return true; // It has signed itself, whatever it may sign.
    }
    CBB value;
    CBB bits;
    uint8_t usage = USAGE_BIT_KEY_CERT_SIGN | USAGE_BIT_CRL_SIGN;
    uint8_t num_unused = 0;

    if (request->leaf != NULL) {
        const bool rsa = EVP_PKEY_id(ekb_key_pkey(request->key)) == EVP_PKEY_RSA;
        usage = rsa ? USAGE_BIT_DIGITAL_SIGNATURE | USAGE_BIT_KEY_ENCIPHERMENT
                    : USAGE_BIT_DIGITAL_SIGNATURE;
    }
    while ((usage >> num_unused & 1) == 0) {
        num_unused++;
    }
    const bool done = CBB_init(&value, 8) && CBB_add_asn1(&value, &bits, CBS_ASN1_BITSTRING) &&
                      CBB_add_u8(&bits, num_unused) && CBB_add_u8(&bits, usage) &&
                      add_extension(x509, NID_key_usage, CRITICAL, &value);
    CBB_cleanup(&value);
    return done;
}

static bool add_extended_key_usage(X509 *x509, unsigned eku)
{
    CBB value;
    CBB list;
    if (eku == EKB_EKU_ABSENT) {
        return true;
    }
    bool done = CBB_init(&value, 32) && CBB_add_asn1(&value, &list, CBS_ASN1_SEQUENCE);
    for (size_t i = 0; done && i < EKB_NUM_USAGES; i++) {
        if ((eku & ekb_usages[i].eku) != 0) {
            done = OBJ_nid2cbb(&list, ekb_usages[i].nid) == 1;
        }
    }
    done = done && add_extension(x509, NID_ext_key_usage, NOT_CRITICAL, &value);
    CBB_cleanup(&value);
    return done;
}

static bool add_basic_constraints(X509 *x509, const struct request *request)
{
    CBB value;
    CBB fields;
    // FALSE is the default, which DER leaves out.
    const bool done = CBB_init(&value, 8) && CBB_add_asn1(&value, &fields, CBS_ASN1_SEQUENCE) &&
                      (request->leaf != NULL || CBB_add_asn1_bool(&fields, 1)) &&
                      add_extension(x509, NID_basic_constraints, CRITICAL, &value);
    CBB_cleanup(&value);
    return done;
}

// add_key_identifiers adds both. A key's identifier is the SHA-1 of its bits (RFC 5280
// section 4.2.1.2, method 1). A self-signed certificate's authority is itself.
static bool add_key_identifiers(X509 *x509, const struct request *request)
{
    CBB subject;
    CBB authority;
    CBB fields;
    CBB key_id;
    uint8_t own_id[SHA_DIGEST_LENGTH];
    uint8_t issuer_id[SHA_DIGEST_LENGTH];
    unsigned id_len = 0;
    const X509 *issuer = request->issuer != NULL ? ekb_chain_x509(request->issuer->own, 0) : x509;

    CBB_zero(&subject);
    CBB_zero(&authority);
    const bool done =
        X509_pubkey_digest(x509, EVP_sha1(), own_id, &id_len) &&
        X509_pubkey_digest(issuer, EVP_sha1(), issuer_id, &id_len) && CBB_init(&subject, 32) &&
        CBB_add_asn1_octet_string(&subject, own_id, sizeof own_id) &&
        add_extension(x509, NID_subject_key_identifier, NOT_CRITICAL, &subject) &&
        CBB_init(&authority, 32) && CBB_add_asn1(&authority, &fields, CBS_ASN1_SEQUENCE) &&
        CBB_add_asn1(&fields, &key_id, TAG_KEY_ID) &&
        CBB_add_bytes(&key_id, issuer_id, sizeof issuer_id) &&
        add_extension(x509, NID_authority_key_identifier, NOT_CRITICAL, &authority);
    CBB_cleanup(&authority);
    CBB_cleanup(&subject);
    return done;
}

static bool add_dns_name(CBB *names, const char *name)
{
    CBB item;
    return CBB_add_asn1(names, &item, TAG_DNS_NAME) &&
           CBB_add_bytes(&item, (const uint8_t *)name, strlen(name)) && CBB_flush(names);
}

static bool add_ip_address(CBB *names, const char *text)
{
    CBB item;
    uint8_t address[sizeof(struct in6_addr)];
    size_t len = sizeof(struct in_addr);
    if (inet_pton(AF_INET, text, address) != 1) {
        len = sizeof(struct in6_addr);
        if (inet_pton(AF_INET6, text, address) != 1) {
            return false;
        }
    }
    return CBB_add_asn1(names, &item, TAG_IP_ADDRESS) && CBB_add_bytes(&item, address, len) &&
           CBB_flush(names);
}

static bool add_alternative_names(X509 *x509, const struct ekb_mint_leaf *leaf)
{
    CBB value;
    CBB names;
    if (leaf == NULL || leaf->num_dns_names + leaf->num_ip_addresses == 0) {
        return true;
    }
    bool done = CBB_init(&value, 64) && CBB_add_asn1(&value, &names, CBS_ASN1_SEQUENCE);
    for (size_t i = 0; done && i < leaf->num_dns_names; i++) {
        done = add_dns_name(&names, leaf->dns_names[i]);
    }
    for (size_t i = 0; done && i < leaf->num_ip_addresses; i++) {
        done = add_ip_address(&names, leaf->ip_addresses[i]);
    }
    done = done && add_extension(x509, NID_subject_alt_name, NOT_CRITICAL, &value);
    CBB_cleanup(&value);
    return done;
}

// Certificates.

// sign signs `x509` and appends it to `chain`. It is parsed again for that, so that what is kept is
// what a peer will see.
static bool sign(struct ekb_chain *chain, X509 *x509, const struct ekb_key *key)
{
    uint8_t *der = NULL;
    if (!X509_sign(x509, ekb_key_pkey(key), ekb_pki_digest(key))) {
        return false;
    }
    const int der_len = i2d_X509(x509, &der);
    const bool done = der_len > 0 && ekb_chain_append_der(chain, der, (size_t)der_len) == EKB_OK;
    OPENSSL_free(der);
    return done;
}

// make appends to `chain` the certificate that `request` describes.
static enum ekb_err make(struct ekb_chain *chain, const struct request *request,
                         struct ekb_fail *reterr_fail)
{
    X509 *x509 = X509_new();
    enum ekb_err err = EKB_OK;

    if (x509 == NULL || !X509_set_version(x509, X509_VERSION_3) || !set_serial(x509) ||
        !X509_set_pubkey(x509, ekb_key_pkey(request->key))) {
        err = ekb_pki_fail(reterr_fail, "making a certificate");
        goto out;
    }
    err = set_names(x509, request, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    err = set_validity(x509, request, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    if (!add_key_usage(x509, request) || !add_extended_key_usage(x509, request->eku) ||
        !add_basic_constraints(x509, request) || !add_key_identifiers(x509, request) ||
        !add_alternative_names(x509, request->leaf)) {
        err = ekb_pki_fail(reterr_fail, "writing certificate extensions");
        goto out;
    }
    if (!sign(chain, x509, request->issuer != NULL ? request->issuer->key : request->key)) {
        err = ekb_pki_fail(reterr_fail, "signing a certificate");
    }
out:
    X509_free(x509);
    return err;
}

// append_all appends the first `num_certificates` of `from`.
static enum ekb_err append_all(struct ekb_chain *chain, const struct ekb_chain *from,
                               size_t num_certificates, struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < num_certificates; i++) {
        const enum ekb_err err = ekb_chain_append(chain, from, i);
        if (err != EKB_OK) {
            return ekb_fail_set(reterr_fail, err, 0, "a chain");
        }
    }
    return EKB_OK;
}

// Authorities.

void ekb_ca_destroy(struct ekb_ca *ca)
{
    if (ca != NULL) {
        ekb_chain_destroy(ca->path);
        ekb_chain_destroy(ca->own);
        ekb_key_destroy(ca->key);
        free(ca);
    }
}

static enum ekb_err create(struct ekb_ca **out_ca, const struct ekb_ca *issuer,
                           const struct ekb_mint_ca *spec, struct ekb_fail *reterr_fail)
{
    struct request request = {.issuer = issuer,
                              .common_name = spec->common_name,
                              .eku = spec->eku,
                              .not_before = spec->not_before,
                              .not_after = spec->not_after};
    struct ekb_ca *ca = NULL;
    assert(spec->common_name != NULL);

    enum ekb_err err = check(&request, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    ca = calloc(1, sizeof *ca);
    if (ca == NULL || (ca->own = ekb_chain_create()) == NULL ||
        (ca->path = ekb_chain_create()) == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a CA");
        goto out;
    }
    err = ekb_key_generate(&ca->key, spec->key_type, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    request.key = ca->key;
    err = make(ca->own, &request, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    err = append_all(ca->path, ca->own, 1, reterr_fail);
    if (err == EKB_OK && issuer != NULL) {
        err = append_all(ca->path, issuer->path, ekb_chain_len(issuer->path), reterr_fail);
    }
    if (err == EKB_OK) {
        *out_ca = ca;
        ca = NULL;
    }
out:
    ekb_ca_destroy(ca);
    return err;
}

enum ekb_err ekb_ca_create_root(struct ekb_ca **out_ca, const struct ekb_mint_ca *spec,
                                struct ekb_fail *reterr_fail)
{
    return create(out_ca, NULL, spec, reterr_fail);
}

enum ekb_err ekb_ca_create_intermediate(struct ekb_ca **out_ca, const struct ekb_ca *issuer,
                                        const struct ekb_mint_ca *spec,
                                        struct ekb_fail *reterr_fail)
{
    assert(issuer != NULL);
    return create(out_ca, issuer, spec, reterr_fail);
}

const struct ekb_key *ekb_ca_key(const struct ekb_ca *ca)
{
    return ca->key;
}

const struct ekb_chain *ekb_ca_certificate(const struct ekb_ca *ca)
{
    return ca->own;
}

// issue makes a leaf signed by `ca`, or by itself with NULL.
static enum ekb_err issue(struct ekb_chain **out_chain, struct ekb_key **out_key,
                          const struct ekb_ca *ca, const struct ekb_mint_leaf *spec,
                          struct ekb_fail *reterr_fail)
{
    struct request request = {.issuer = ca,
                              .common_name = spec->common_name,
                              .eku = spec->eku,
                              .not_before = spec->not_before,
                              .not_after = spec->not_after,
                              .leaf = spec};
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    assert(spec->common_name != NULL);

    enum ekb_err err = check(&request, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    chain = ekb_chain_create();
    if (chain == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a chain");
    }
    err = ekb_key_generate(&key, spec->key_type, reterr_fail);
    if (err != EKB_OK) {
        goto out;
    }
    request.key = key;
    err = make(chain, &request, reterr_fail);
    if (err == EKB_OK && ca != NULL) {
        err = append_all(chain, ca->path, ekb_chain_len(ca->path) - 1, reterr_fail);
    }
    if (err == EKB_OK) {
        *out_chain = chain;
        *out_key = key;
        chain = NULL;
        key = NULL;
    }
out:
    ekb_key_destroy(key);
    ekb_chain_destroy(chain);
    return err;
}

enum ekb_err ekb_ca_issue(struct ekb_chain **out_chain, struct ekb_key **out_key,
                          const struct ekb_ca *ca, const struct ekb_mint_leaf *spec,
                          struct ekb_fail *reterr_fail)
{
    assert(ca != NULL);
    return issue(out_chain, out_key, ca, spec, reterr_fail);
}

enum ekb_err ekb_mint_self_signed(struct ekb_chain **out_chain, struct ekb_key **out_key,
                                  const struct ekb_mint_leaf *spec, struct ekb_fail *reterr_fail)
{
    return issue(out_chain, out_key, NULL, spec, reterr_fail);
}
