#include "pki/pki_internal.h"

#include <openssl/bytestring.h>

#define BIT_DIGITAL_SIGNATURE 0

// skip_to_extensions takes what comes before them from a certificate. False if it is malformed or
// has none.
static bool skip_to_extensions(CBS *out_extensions, CBS *der)
{
    static const CBS_ASN1_TAG fields[] = {
        CBS_ASN1_INTEGER,  // Serial number,
        CBS_ASN1_SEQUENCE, // signature algorithm,
        CBS_ASN1_SEQUENCE, // issuer,
        CBS_ASN1_SEQUENCE, // validity,
        CBS_ASN1_SEQUENCE, // subject,
        CBS_ASN1_SEQUENCE, // public key.
    };
    const CBS_ASN1_TAG version = CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0;
    const CBS_ASN1_TAG extensions = CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 3;
    CBS certificate;
    CBS tbs;
    CBS outer;
    bool found = CBS_get_asn1(der, &certificate, CBS_ASN1_SEQUENCE) == 1 &&
                 CBS_get_asn1(&certificate, &tbs, CBS_ASN1_SEQUENCE) == 1 &&
                 CBS_get_optional_asn1(&tbs, NULL, NULL, version) == 1;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && found; i++) {
        found = CBS_get_asn1(&tbs, NULL, fields[i]) == 1;
    }
    // Issuer and subject may have unique identifiers ([1] and [2]).
    return found && CBS_get_optional_asn1(&tbs, NULL, NULL, CBS_ASN1_CONTEXT_SPECIFIC | 1) == 1 &&
           CBS_get_optional_asn1(&tbs, NULL, NULL, CBS_ASN1_CONTEXT_SPECIFIC | 2) == 1 &&
           CBS_get_asn1(&tbs, &outer, extensions) == 1 &&
           CBS_get_asn1(&outer, out_extensions, CBS_ASN1_SEQUENCE) == 1;
}

// is_key_usage is true if the next of `extensions` is that one; its content goes to `*out_bits`.
// `*out_well_formed` is false if it is none at all.
static bool is_key_usage(CBS *out_bits, bool *out_well_formed, CBS *extensions)
{
    static const uint8_t key_usage[] = {0x55, 0x1d, 0x0f}; // 2.5.29.15
    CBS extension;
    CBS oid;
    CBS content;
    *out_well_formed = CBS_get_asn1(extensions, &extension, CBS_ASN1_SEQUENCE) == 1 &&
                       CBS_get_asn1(&extension, &oid, CBS_ASN1_OBJECT) == 1 &&
                       CBS_get_optional_asn1(&extension, NULL, NULL, CBS_ASN1_BOOLEAN) == 1 &&
                       CBS_get_asn1(&extension, &content, CBS_ASN1_OCTETSTRING) == 1;
    return *out_well_formed && CBS_mem_equal(&oid, key_usage, sizeof key_usage) == 1 &&
           CBS_get_asn1(&content, out_bits, CBS_ASN1_BITSTRING) == 1 &&
           CBS_is_valid_asn1_bitstring(out_bits) == 1;
}

bool ekb_pki_may_sign(const uint8_t *der, size_t der_len)
{
    CBS cbs;
    CBS extensions;
    CBS bits;
    bool well_formed = true;
    CBS_init(&cbs, der, der_len);
    if (!skip_to_extensions(&extensions, &cbs)) {
        return true;
    }
    while (well_formed && CBS_len(&extensions) > 0) {
        if (is_key_usage(&bits, &well_formed, &extensions)) {
            return CBS_asn1_bitstring_has_bit(&bits, BIT_DIGITAL_SIGNATURE) == 1;
        }
    }
    return true;
}
