#include "ekubench/pki/describe.h"

#include "ekubench/base/utf8.h"
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
#include <openssl/obj.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Names.

// is_printable is false for what is not seen, or changes how what is beside it is seen, and for
// what means something by private agreement only.
static bool is_printable(uint32_t code)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } hidden[] = {
        {0x00, 0x1f},       {0x7f, 0x9f},       // Control characters.
        {0xad, 0xad},       {0x061c, 0x061c},   // Soft hyphen; direction of text.
        {0x200b, 0x200f},   {0x2028, 0x202e},   // No width; direction; ends of lines.
        {0x2060, 0x206f},   {0xe000, 0xf8ff},   // No width; direction. Private.
        {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   // No characters. The byte order.
        {0xfff0, 0xfffb},   {0xfffe, 0xffff},   // Annotations. No characters.
        {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff} // Tags. Private.
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (code >= hidden[i].first && code <= hidden[i].last) {
            return false;
        }
    }
    return true;
}

// What is printed or cut as one: a character, or how it is escaped.
struct glyph {
    char text[16];
    size_t len;
};

// take_glyph takes the first one of a name, in which the library has escaped what is ASCII only. It
// returns of how many bytes.
static size_t take_glyph(struct glyph *out_glyph, const uint8_t *text, size_t text_len)
{
    uint32_t code = 0;
    size_t len = ekb_utf8_next(&code, text, text_len);
    if (len > 0 && is_printable(code)) {
        if (code == '\\' && text_len > 1) { // Of a byte or of the character that follows.
            len = isxdigit(text[1]) != 0 && text_len > 2 ? 3 : 2;
        }
        memcpy(out_glyph->text, text, len);
        out_glyph->len = len;
        return len;
    }
    len = len > 0 ? len : 1;
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(out_glyph->text + 3 * i, sizeof out_glyph->text - 3 * i, "\\%02X", text[i]);
    }
    out_glyph->len = 3 * len;
    return len;
}

// write_glyphs writes as many as fit, and dots if not all do.
static void write_glyphs(char *out_text, size_t out_len, const uint8_t *text, size_t text_len)
{
    size_t len = 0;
    size_t cut_len = 0; // Of what fits before dots.
    for (size_t at = 0; at < text_len;) {
        struct glyph glyph;
        at += take_glyph(&glyph, text + at, text_len - at);
        if (len + glyph.len >= out_len) {
            (void)snprintf(out_text + cut_len, out_len - cut_len, "...");
            return;
        }
        memcpy(out_text + len, glyph.text, glyph.len);
        len += glyph.len;
        cut_len = len + 3 < out_len ? len : cut_len;
    }
    out_text[len] = '\0';
}

void ekb_pki_name_text(char *out_text, size_t text_len, const X509_NAME *name)
{
    const uint8_t *text = NULL;
    size_t len = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    // What is not ASCII comes as UTF-8, and is judged here.
    const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    if (bio == NULL || X509_NAME_print_ex(bio, name, 0, flags) < 0 ||
        !BIO_mem_contents(bio, &text, &len)) {
        len = 0;
    }
    write_glyphs(out_text, text_len, text, len);
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

// Lists of texts.

void ekb_texts_deinit(struct ekb_texts *texts)
{
    for (size_t i = 0; i < texts->len; i++) {
        free(texts->items[i]);
    }
    free((void *)texts->items);
    *texts = (struct ekb_texts){0};
}

char *ekb_texts_join(const struct ekb_texts *texts, const char *separator)
{
    char *joined = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&joined, &len);
    if (stream == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < texts->len; i++) {
        (void)fprintf(stream, "%s%s", i > 0 ? separator : "", texts->items[i]);
    }
    if (fclose(stream) != 0) {
        free(joined);
        return NULL;
    }
    return joined;
}

// append adds what `write` writes of `what`.
static enum ekb_err append(struct ekb_texts *texts, void (*write)(FILE *stream, const void *what),
                           const void *what)
{
    char *text = NULL;
    size_t len = 0;
    char **grown =
        (char **)reallocarray((void *)texts->items, texts->len + 1, sizeof *texts->items);
    if (grown == NULL) {
        return EKB_NOMEM;
    }
    texts->items = grown;
    FILE *stream = open_memstream(&text, &len);
    if (stream == NULL) {
        return EKB_NOMEM;
    }
    write(stream, what);
    if (fclose(stream) != 0) {
        free(text);
        return EKB_NOMEM;
    }
    texts->items[texts->len++] = text;
    return EKB_OK;
}

static void write_plain(FILE *stream, const void *what)
{
    (void)fputs(what, stream);
}

// write_string writes a string in which anything may be.
static void write_string(FILE *stream, const ASN1_STRING *string)
{
    const uint8_t *data = ASN1_STRING_get0_data(string);
    const int len = ASN1_STRING_length(string);
    for (int i = 0; i < len; i++) {
        const bool plain = data[i] > ' ' && data[i] < 0x7f && data[i] != ',' && data[i] != '\\';
        (void)fprintf(stream, plain ? "%c" : "\\%02X", data[i]);
    }
}

static void write_address(FILE *stream, const ASN1_OCTET_STRING *address)
{
    char name[INET6_ADDRSTRLEN] = "?";
    const int len = ASN1_STRING_length(address);
    if (len == 4 || len == 16) {
        (void)inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), name,
                        sizeof name);
    }
    (void)fputs(name, stream);
}

static void write_directory_name(FILE *stream, const X509_NAME *name)
{
    const uint8_t *text = NULL;
    size_t len = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0 &&
        BIO_mem_contents(bio, &text, &len)) {
        (void)fwrite(text, 1, len, stream);
    }
    BIO_free(bio);
}

static void write_oid(FILE *stream, const ASN1_OBJECT *object)
{
    const int len = OBJ_obj2txt(NULL, 0, object, 1);
    char *text = len > 0 ? malloc((size_t)len + 1) : NULL;
    if (text != NULL) {
        (void)OBJ_obj2txt(text, len + 1, object, 1);
    }
    (void)fputs(text != NULL ? text : "?", stream);
    free(text);
}

static void write_other(FILE *stream, const OTHERNAME *other)
{
    const ASN1_TYPE *value = other->value;
    (void)fputs("otherName:", stream);
    write_oid(stream, other->type_id);
    if (value->type == V_ASN1_UTF8STRING || value->type == V_ASN1_IA5STRING) {
        (void)fputc('=', stream);
        write_string(stream, value->value.asn1_string);
    }
}

static void write_name(FILE *stream, const void *what)
{
    const GENERAL_NAME *name = what;
    switch (name->type) {
    case GEN_DNS:
        (void)fputs("DNS:", stream);
        write_string(stream, name->d.dNSName);
        break;
    case GEN_EMAIL:
        (void)fputs("email:", stream);
        write_string(stream, name->d.rfc822Name);
        break;
    case GEN_URI:
        (void)fputs("URI:", stream);
        write_string(stream, name->d.uniformResourceIdentifier);
        break;
    case GEN_IPADD:
        (void)fputs("IP:", stream);
        write_address(stream, name->d.iPAddress);
        break;
    case GEN_DIRNAME:
        (void)fputs("dirName:", stream);
        write_directory_name(stream, name->d.directoryName);
        break;
    case GEN_OTHERNAME:
        write_other(stream, name->d.otherName);
        break;
    case GEN_RID:
        (void)fputs("RID:", stream);
        write_oid(stream, name->d.registeredID);
        break;
    default:
        (void)fputs(name->type == GEN_X400 ? "x400Name" : "ediPartyName", stream);
        break;
    }
}

static void write_usage(FILE *stream, const void *what)
{
    static const struct {
        int nid;
        const char *name;
    } others[] = {{NID_email_protect, "emailProtection"},
                  {NID_time_stamp, "timeStamping"},
                  {NID_OCSP_sign, "OCSPSigning"},
                  {NID_ipsecEndSystem, "ipsecEndSystem"},
                  {NID_ipsecTunnel, "ipsecTunnel"},
                  {NID_ipsecUser, "ipsecUser"},
                  {NID_ms_smartcard_login, "msSmartcardLogin"}};
    const int nid = OBJ_obj2nid(what);
    for (size_t i = 0; i < EKB_NUM_USAGES; i++) {
        if (ekb_usages[i].nid == nid) {
            (void)fputs(ekb_usages[i].name, stream);
            return;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i].nid == nid) {
            (void)fputs(others[i].name, stream);
            return;
        }
    }
    write_oid(stream, what);
}

enum ekb_err ekb_pki_names(struct ekb_texts *out_names, const GENERAL_NAMES *names)
{
    struct ekb_texts texts = {0};
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; names != NULL && err == EKB_OK && i < sk_GENERAL_NAME_num(names); i++) {
        err = append(&texts, write_name, sk_GENERAL_NAME_value(names, i));
    }
    if (err != EKB_OK) {
        ekb_texts_deinit(&texts);
        return err;
    }
    *out_names = texts;
    return EKB_OK;
}

// or_malformed puts a word where the certificate has an extension of which nothing can be said.
static enum ekb_err or_malformed(struct ekb_texts *texts, const X509 *x509, int nid)
{
    const bool lost = texts->len == 0 && X509_get_ext_by_NID(x509, nid, -1) >= 0;
    return lost ? append(texts, write_plain, "malformed") : EKB_OK;
}

enum ekb_err ekb_chain_names(struct ekb_texts *out_names, const struct ekb_chain *chain,
                             size_t index)
{
    const X509 *x509 = ekb_chain_x509(chain, index);
    struct ekb_texts texts = {0};
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    enum ekb_err err = ekb_pki_names(&texts, names);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    if (err == EKB_OK) {
        err = or_malformed(&texts, x509, NID_subject_alt_name);
    }
    if (err != EKB_OK) {
        ekb_texts_deinit(&texts);
        return err;
    }
    *out_names = texts;
    return EKB_OK;
}

enum ekb_err ekb_chain_usages(struct ekb_texts *out_usages, const struct ekb_chain *chain,
                              size_t index)
{
    const X509 *x509 = ekb_chain_x509(chain, index);
    struct ekb_texts texts = {0};
    enum ekb_err err = EKB_OK;
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL);
    for (size_t i = 0; list != NULL && err == EKB_OK && i < sk_ASN1_OBJECT_num(list); i++) {
        err = append(&texts, write_usage, sk_ASN1_OBJECT_value(list, i));
    }
    sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
    ERR_clear_error();
    if (err == EKB_OK) {
        err = or_malformed(&texts, x509, NID_ext_key_usage);
    }
    if (err != EKB_OK) {
        ekb_texts_deinit(&texts);
        return err;
    }
    *out_usages = texts;
    return EKB_OK;
}

// Certificates.

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

// bits_of returns the size of a key of a kind that has one. Of others the library must not be
// asked: it looks into a DSA key without parameters, which stands where they are inherited.
static unsigned bits_of(EVP_PKEY *key, enum ekb_key_kind kind)
{
    return kind == EKB_KEY_KIND_OTHER ? 0 : (unsigned)EVP_PKEY_bits(key);
}

void ekb_chain_describe(struct ekb_description *out_description, const struct ekb_chain *chain,
                        size_t index)
{
    X509 *x509 = ekb_chain_x509(chain, index);
    EVP_PKEY *key = X509_get_pubkey(x509);
    const enum ekb_key_kind kind = kind_of(key);
    struct ekb_description description = {.eku = ekb_chain_eku(chain, index),
                                          .key_kind = kind,
                                          .key_bits = bits_of(key, kind),
                                          .is_ca = says_ca(x509),
                                          .is_self_signed =
                                              ekb_chain_is_issued_by(chain, index, chain, index)};
    // All bits are set if there is no such extension.
    const uint32_t usage = X509_get_key_usage(x509);
    description.may_sign = (usage & X509v3_KU_DIGITAL_SIGNATURE) != 0;
    description.may_sign_certs = (usage & X509v3_KU_KEY_CERT_SIGN) != 0;
    ekb_pki_name_text(description.subject, sizeof description.subject, X509_get_subject_name(x509));
    ekb_pki_name_text(description.issuer, sizeof description.issuer, X509_get_issuer_name(x509));
    describe_serial(description.serial, sizeof description.serial, x509);
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

bool ekb_chain_is_named_by(const struct ekb_chain *chain, size_t index,
                           const struct ekb_chain *issuers, size_t issuer)
{
    const int named =
        X509_check_issued(ekb_chain_x509(issuers, issuer), ekb_chain_x509(chain, index));
    ERR_clear_error();
    // A self-signed leaf may not sign certificates, but did sign itself.
    return named == X509_V_OK || named == X509_V_ERR_KEYUSAGE_NO_CERTSIGN;
}

bool ekb_chain_is_issued_by(const struct ekb_chain *chain, size_t index,
                            const struct ekb_chain *issuers, size_t issuer)
{
    if (!ekb_chain_is_named_by(chain, index, issuers, issuer)) {
        return false;
    }
    EVP_PKEY *key = X509_get_pubkey(ekb_chain_x509(issuers, issuer));
    const bool is = key != NULL && X509_verify(ekb_chain_x509(chain, index), key) == 1;
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
