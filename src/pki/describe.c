#include "ekubench/pki/describe.h"

#include "pki/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void ekb_pki_name_text(char *out_text, size_t text_len, const X509_NAME *name)
{
    const uint8_t *text = NULL;
    size_t len = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0 &&
        BIO_mem_contents(bio, &text, &len)) {
        const bool cut = len >= text_len;
        len = cut ? text_len - 1 : len;
        if (len > 0) { // An empty name has no text at all.
            memcpy(out_text, text, len);
        }
        if (cut && len >= 3) {
            memcpy(out_text + len - 3, "...", 3);
        }
    } else {
        len = 0;
    }
    out_text[len] = '\0';
    BIO_free(bio);
    ERR_clear_error();
}

static void describe_serial(char *out_text, size_t text_len, const X509 *x509)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
    char *text = number != NULL ? BN_bn2hex(number) : NULL;
    const int len = snprintf(out_text, text_len, "%s", text != NULL ? text : "?");
    if (len > 0 && (size_t)len >= text_len) {
        memcpy(out_text + text_len - 4, "...", 4);
    }
    OPENSSL_free(text);
    BN_free(number);
}

// A list of names that is being written.
struct list {
    char *text;
    size_t text_len;
    bool cut; // Something did not fit, and this was said.
};

// append adds to the list what fits, and says once if something did not.
static void append(struct list *list, const char *kind, const char *name)
{
    const size_t len = strlen(list->text);
    const size_t more = strlen(kind) + strlen(name) + (len > 0 ? 2 : 0);
    const char *separator = len > 0 ? ", " : "";
    if (list->cut) {
        return;
    }
    if (len + more + sizeof ", ..." <= list->text_len) {
        (void)snprintf(list->text + len, list->text_len - len, "%s%s%s", separator, kind, name);
    } else {
        (void)snprintf(list->text + len, list->text_len - len, "%s...", separator);
        list->cut = true;
    }
}

// append_text adds a name that is an IA5String, in which anything may be.
static void append_text(struct list *list, const char *kind, const ASN1_STRING *string)
{
    char name[300];
    size_t len = 0;
    const uint8_t *data = ASN1_STRING_get0_data(string);
    const int data_len = ASN1_STRING_length(string);
    int i = 0;
    for (; i < data_len && len + sizeof "\\XX..." <= sizeof name; i++) {
        const bool plain = data[i] > ' ' && data[i] < 0x7f && data[i] != ',' && data[i] != '\\';
        len += (size_t)snprintf(name + len, sizeof name - len, plain ? "%c" : "\\%02X", data[i]);
    }
    (void)snprintf(name + len, sizeof name - len, "%s", i < data_len ? "..." : "");
    append(list, kind, name);
}

static void append_address(struct list *list, const ASN1_OCTET_STRING *address)
{
    char name[INET6_ADDRSTRLEN] = "?";
    const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
    if (ASN1_STRING_length(address) == 4 || ASN1_STRING_length(address) == 16) {
        (void)inet_ntop(family, ASN1_STRING_get0_data(address), name, sizeof name);
    }
    append(list, "IP:", name);
}

void ekb_pki_names_text(char *out_text, size_t text_len, const GENERAL_NAMES *names)
{
    struct list list = {.text = out_text, .text_len = text_len};
    out_text[0] = '\0';
    for (size_t i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        switch (name->type) {
        case GEN_DNS:
            append_text(&list, "DNS:", name->d.dNSName);
            break;
        case GEN_EMAIL:
            append_text(&list, "email:", name->d.rfc822Name);
            break;
        case GEN_URI:
            append_text(&list, "URI:", name->d.uniformResourceIdentifier);
            break;
        case GEN_IPADD:
            append_address(&list, name->d.iPAddress);
            break;
        default:
            append(&list, "other", "");
            break;
        }
    }
}

static enum ekb_key_kind kind_of(const EVP_PKEY *key)
{
    if (key == NULL) {
        return EKB_KEY_KIND_OTHER;
    }
    switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_RSA:
        return EKB_KEY_KIND_RSA;
    case EVP_PKEY_ED25519:
        return EKB_KEY_KIND_ED25519;
    case EVP_PKEY_EC:
        switch (EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)))) {
        case NID_X9_62_prime256v1:
            return EKB_KEY_KIND_P256;
        case NID_secp384r1:
            return EKB_KEY_KIND_P384;
        case NID_secp521r1:
            return EKB_KEY_KIND_P521;
        default:
            return EKB_KEY_KIND_OTHER;
        }
    default:
        return EKB_KEY_KIND_OTHER;
    }
}

static bool says_ca(const X509 *x509)
{
    BASIC_CONSTRAINTS *constraints = X509_get_ext_d2i(x509, NID_basic_constraints, NULL, NULL);
    const bool is_ca = constraints != NULL && constraints->ca != 0;
    BASIC_CONSTRAINTS_free(constraints);
    return is_ca;
}

void ekb_chain_describe(struct ekb_description *out_description, const struct ekb_chain *chain,
                        size_t index)
{
    X509 *x509 = ekb_chain_x509(chain, index);
    EVP_PKEY *key = X509_get_pubkey(x509);
    struct ekb_description description = {
        .eku = ekb_chain_eku(chain, index),
        .key_kind = kind_of(key),
        .key_bits = key != NULL ? (unsigned)EVP_PKEY_bits(key) : 0,
        .is_ca = says_ca(x509),
        .is_self_signed = ekb_chain_is_issued_by(chain, index, chain, index)};
    // All bits are set if there is no such extension.
    description.may_sign_certs = (X509_get_key_usage(x509) & X509v3_KU_KEY_CERT_SIGN) != 0;
    ekb_pki_name_text(description.subject, sizeof description.subject, X509_get_subject_name(x509));
    ekb_pki_name_text(description.issuer, sizeof description.issuer, X509_get_issuer_name(x509));
    describe_serial(description.serial, sizeof description.serial, x509);
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    ekb_pki_names_text(description.names, sizeof description.names, names);
    GENERAL_NAMES_free(names);
    (void)ASN1_TIME_to_posix(X509_get0_notBefore(x509), &description.not_before);
    (void)ASN1_TIME_to_posix(X509_get0_notAfter(x509), &description.not_after);
    EVP_PKEY_free(key);
    ERR_clear_error();
    *out_description = description;
}

const char *ekb_key_kind_format(char out_text[EKB_KEY_KIND_TEXT_LEN], enum ekb_key_kind kind,
                                unsigned bits)
{
    static const char *const names[] = {
        [EKB_KEY_KIND_P256] = "EC P-256",     [EKB_KEY_KIND_P384] = "EC P-384",
        [EKB_KEY_KIND_P521] = "EC P-521",     [EKB_KEY_KIND_ED25519] = "Ed25519",
        [EKB_KEY_KIND_OTHER] = "another key",
    };
    if (kind == EKB_KEY_KIND_RSA) {
        (void)snprintf(out_text, EKB_KEY_KIND_TEXT_LEN, "RSA %u", bits);
    } else {
        (void)snprintf(out_text, EKB_KEY_KIND_TEXT_LEN, "%s", names[kind]);
    }
    return out_text;
}

bool ekb_chain_is_issued_by(const struct ekb_chain *chain, size_t index,
                            const struct ekb_chain *issuers, size_t issuer)
{
    X509 *subject_x509 = ekb_chain_x509(chain, index);
    X509 *issuer_x509 = ekb_chain_x509(issuers, issuer);
    EVP_PKEY *key = X509_get_pubkey(issuer_x509);
    const int named = X509_check_issued(issuer_x509, subject_x509);
    // A self-signed leaf may not sign certificates, but did sign itself.
    const bool is = (named == X509_V_OK || named == X509_V_ERR_KEYUSAGE_NO_CERTSIGN) &&
                    key != NULL && X509_verify(subject_x509, key) == 1;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return is;
}

bool ekb_chain_same(const struct ekb_chain *a, size_t index_a, const struct ekb_chain *b,
                    size_t index_b)
{
    size_t len_a = 0;
    size_t len_b = 0;
    const uint8_t *der_a = ekb_chain_der(a, index_a, &len_a);
    const uint8_t *der_b = ekb_chain_der(b, index_b, &len_b);
    return len_a == len_b && memcmp(der_a, der_b, len_a) == 0;
}
