// IMPLEMENTATION NOTES
//
// PKCS #12 (RFC 7292) says itself how often a hash is iterated to make keys of its password; the
// library goes along up to 100 million times, which is a quarter of a minute for a file of two
// kilobytes. The counts are in three places: that of the MAC, and those of the algorithms that
// encrypt the certificates and the key (PKCS #12's own and PBES2, RFC 8018). Everywhere they are an
// INTEGER that follows an OCTET STRING, the salt, and nowhere else in such a file does one follow
// the other. So that is what is looked for, in the file and in the two layers of OCTET STRINGs in
// which it hides its parts, certificates and keys left out.
//
// What is inside of encrypted content is not seen. Who encrypted it knows the password, and there
// is one key at most.
//
// The file may be BER, of indefinite lengths and strings in pieces, as Mozilla's are: it is turned
// into DER first, as the library does, so that what the library finds is found.

#include "pki/pki_internal.h"

#include <openssl/bytestring.h>
#include <openssl/mem.h>

#include <stdbool.h>

// As deep as the library looks.
#define MAX_DEPTH 2048
// The content of authSafe, and the content of its parts that are not encrypted.
#define NUM_LAYERS 2

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

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t count_layer(const CBS *ber, unsigned num_layers, unsigned depth);

// count sums up the integers that follow octet strings, here and in what is inside.
static uint64_t count(CBS der, unsigned num_layers, unsigned depth)
{
    uint64_t sum = 0;
    bool after_string = false;
    while (CBS_len(&der) > 0 && depth < MAX_DEPTH) {
        CBS content;
        CBS_ASN1_TAG tag = 0;
        uint64_t number = UINT64_MAX; // If it is one that does not fit.
        CBS copy = der;
        if (CBS_get_any_asn1(&der, &content, &tag) != 1) {
            return sum;
        }
        if (tag == CBS_ASN1_INTEGER && after_string) {
            (void)CBS_get_asn1_uint64(&copy, &number);
            sum = plus(sum, number);
        } else if ((tag & CBS_ASN1_CONSTRUCTED) != 0) {
            sum = plus(sum, count(content, num_layers, depth + 1));
        } else if (tag == CBS_ASN1_OCTETSTRING && num_layers > 0) {
            sum = plus(sum, count_layer(&content, num_layers - 1, depth + 1));
        }
        after_string = tag == CBS_ASN1_OCTETSTRING;
    }
    return sum;
}

// count_layer counts in what may be BER. What is not has nothing to count.
static uint64_t count_layer(const CBS *ber, unsigned num_layers, unsigned depth)
{
    uint8_t *der = NULL;
    size_t der_len = 0;
    uint64_t sum = 0;
    CBB cbb;
    CBS in = *ber;
    if (CBB_init(&cbb, CBS_len(ber)) != 1 || !convert(&cbb, &in, 0, false, 0) ||
        CBB_finish(&cbb, &der, &der_len) != 1) {
        CBB_cleanup(&cbb);
        return 0;
    }
    CBS cbs;
    CBS_init(&cbs, der, der_len);
    sum = count(cbs, num_layers, depth);
    OPENSSL_free(der);
    return sum;
}

uint64_t ekb_pkcs12_iterations(const uint8_t *ber, size_t ber_len)
{
    CBS cbs;
    CBS_init(&cbs, ber, ber_len);
    return count_layer(&cbs, NUM_LAYERS, 0);
}
