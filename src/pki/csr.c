#include "ekubench/pki/csr.h"

#include "ekubench/base/file.h"
#include "pki/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/base.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_LABEL "CERTIFICATE REQUEST"

static bool add_entry(X509_NAME *name, int nid, const char *text)
{
    return text == NULL || (text[0] != '\0' && X509_NAME_add_entry_by_NID(
                                                   name, nid, MBSTRING_UTF8, (const uint8_t *)text,
                                                   (ossl_ssize_t)strlen(text), -1, 0) == 1);
}

static bool set_subject(X509_REQ *request, const struct ekb_csr_spec *spec)
{
    X509_NAME *subject = X509_NAME_new();
    const bool set = subject != NULL &&
                     add_entry(subject, NID_organizationName, spec->organization) &&
                     add_entry(subject, NID_commonName, spec->common_name) &&
                     X509_REQ_set_subject_name(request, subject) == 1;
    X509_NAME_free(subject);
    return set;
}

// push_name adds a name of `type` (GEN_DNS, GEN_IPADD) with these bytes.
static bool push_name(GENERAL_NAMES *names, int type, const uint8_t *data, size_t data_len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value =
        ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
    if (name == NULL || value == NULL ||
        ASN1_STRING_set(value, data, (ossl_ssize_t)data_len) != 1) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(names, name) == 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

static bool push_address(GENERAL_NAMES *names, const char *text)
{
    uint8_t address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, text, address) == 1) {
        return push_name(names, GEN_IPADD, address, sizeof(struct in_addr));
    }
    return inet_pton(AF_INET6, text, address) == 1 &&
           push_name(names, GEN_IPADD, address, sizeof(struct in6_addr));
}

static bool add_names(STACK_OF(X509_EXTENSION) * *extensions, const struct ekb_csr_spec *spec)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool added = names != NULL;
    for (size_t i = 0; i < spec->num_dns_names && added; i++) {
        const char *name = spec->dns_names[i];
        added = ekb_mint_is_dns_name(name) &&
                push_name(names, GEN_DNS, (const uint8_t *)name, strlen(name));
    }
    for (size_t i = 0; i < spec->num_ip_addresses && added; i++) {
        added = push_address(names, spec->ip_addresses[i]);
    }
    added = added &&
            (sk_GENERAL_NAME_num(names) == 0 ||
             X509V3_add1_i2d(extensions, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1);
    GENERAL_NAMES_free(names);
    return added;
}

static bool add_usages(STACK_OF(X509_EXTENSION) * *extensions, unsigned eku)
{
    EXTENDED_KEY_USAGE *usages = EXTENDED_KEY_USAGE_new();
    bool added = usages != NULL;
    for (size_t i = 0; i < EKB_NUM_USAGES && added; i++) {
        if ((eku & ekb_usages[i].eku) != 0) {
            added = sk_ASN1_OBJECT_push(usages, OBJ_nid2obj(ekb_usages[i].nid)) != 0;
        }
    }
    added = added &&
            (sk_ASN1_OBJECT_num(usages) == 0 ||
             X509V3_add1_i2d(extensions, NID_ext_key_usage, usages, 0, X509V3_ADD_DEFAULT) == 1);
    EXTENDED_KEY_USAGE_free(usages);
    return added;
}

static bool add_extensions(X509_REQ *request, const struct ekb_csr_spec *spec)
{
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    const bool added = add_names(&extensions, spec) && add_usages(&extensions, spec->eku) &&
                       (extensions == NULL || X509_REQ_add_extensions(request, extensions) == 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return added;
}

static enum ekb_err encode(char **out_pem, X509_REQ *request, struct ekb_fail *reterr_fail)
{
    uint8_t *der = NULL;
    const int der_len = i2d_X509_REQ(request, &der);
    if (der_len < 0) {
        return ekb_pki_fail(reterr_fail, "encoding a signing request");
    }
    uint8_t *text = malloc(ekb_pem_encoded_len(REQUEST_LABEL, (size_t)der_len));
    if (text != NULL) {
        (void)ekb_pem_encode(text, REQUEST_LABEL, der, (size_t)der_len);
    }
    OPENSSL_free(der);
    *out_pem = (char *)text;
    return text != NULL ? EKB_OK : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "a signing request");
}

enum ekb_err ekb_csr_create(char **out_pem, const struct ekb_key *key,
                            const struct ekb_csr_spec *spec, struct ekb_fail *reterr_fail)
{
    X509_REQ *request = X509_REQ_new();
    enum ekb_err err = EKB_OK;
    if (request == NULL || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(request, ekb_key_pkey(key)) != 1) {
        err = ekb_pki_fail(reterr_fail, "making a signing request");
    } else if (!set_subject(request, spec) || !add_extensions(request, spec)) {
        ERR_clear_error();
        err = ekb_fail_say(reterr_fail, EKB_USAGE,
                           "a name of the signing request is malformed, empty or too long");
    } else if (X509_REQ_sign(request, ekb_key_pkey(key), ekb_pki_digest(key)) <= 0) {
        err = ekb_pki_fail(reterr_fail, "signing a request");
    } else {
        err = encode(out_pem, request, reterr_fail);
    }
    X509_REQ_free(request);
    return err;
}

static X509_REQ *parse(const char *pem)
{
    struct ekb_pem_block block = {0};
    uint8_t *der = NULL;
    size_t der_len = 0;
    X509_REQ *request = NULL;
    const size_t len = strlen(pem);
    uint8_t *copy = (uint8_t *)strdup(pem); // Reading uses it up.
    struct ekb_pem_reader reader = {.next = copy, .remaining_len = len};
    if (copy != NULL && ekb_pem_next(&block, &reader) == EKB_OK &&
        ekb_pem_label_ends_with(&block, REQUEST_LABEL) &&
        ekb_pem_decode(&der, &der_len, &block) == EKB_OK) {
        const uint8_t *end = der;
        request = d2i_X509_REQ(NULL, &end, (long)der_len);
    }
    ekb_file_free_secret(der, der_len);
    free(copy);
    return request;
}

enum ekb_err ekb_csr_describe(struct ekb_csr_description *out_description, const char *pem,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_csr_description description = {.subject = ""};
    X509_REQ *request = parse(pem);
    EVP_PKEY *key = request != NULL ? X509_REQ_get_pubkey(request) : NULL;
    if (key == NULL || X509_REQ_verify(request, key) != 1) {
        EVP_PKEY_free(key);
        X509_REQ_free(request);
        ERR_clear_error();
        return ekb_fail_say(reterr_fail, EKB_PARSE, "the signing request is malformed");
    }
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    ekb_pki_name_text(description.subject, sizeof description.subject,
                      X509_REQ_get_subject_name(request));
    const enum ekb_err err = ekb_pki_names(&description.names, names);
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    EVP_PKEY_free(key);
    X509_REQ_free(request);
    ERR_clear_error();
    if (err != EKB_OK) {
        return ekb_fail_set(reterr_fail, err, 0, "a signing request");
    }
    *out_description = description;
    return EKB_OK;
}

void ekb_csr_description_deinit(struct ekb_csr_description *description)
{
    ekb_texts_deinit(&description->names);
}
