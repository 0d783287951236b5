#include "pki/pki_internal.h"

#include <criterion/criterion.h>
#include <openssl/bytestring.h>
#include <openssl/mem.h>

#include <stdlib.h>
#include <string.h>

// Builders. What is given is put into an element of its own.

struct bytes {
    uint8_t data[4096];
    size_t len;
};

static struct bytes element(uint8_t tag, const struct bytes *content)
{
    struct bytes bytes = {.len = 0};
    bytes.data[bytes.len++] = tag;
    bytes.data[bytes.len++] = 0x82;
    bytes.data[bytes.len++] = (uint8_t)(content->len >> 8);
    bytes.data[bytes.len++] = (uint8_t)content->len;
    cr_assert_leq(content->len, sizeof bytes.data - bytes.len);
    memcpy(bytes.data + bytes.len, content->data, content->len);
    bytes.len += content->len;
    return bytes;
}

// unbounded is element of indefinite length.
static struct bytes unbounded(uint8_t tag, const struct bytes *content)
{
    struct bytes bytes = {.len = 0};
    bytes.data[bytes.len++] = tag;
    bytes.data[bytes.len++] = 0x80;
    memcpy(bytes.data + bytes.len, content->data, content->len);
    bytes.len += content->len;
    bytes.data[bytes.len++] = 0;
    bytes.data[bytes.len++] = 0;
    return bytes;
}

static void add(struct bytes *bytes, const struct bytes *more)
{
    cr_assert_leq(more->len, sizeof bytes->data - bytes->len);
    memcpy(bytes->data + bytes->len, more->data, more->len);
    bytes->len += more->len;
}

static struct bytes integer(uint32_t number)
{
    const struct bytes bytes = {.data = {0x02, 0x05, 0x00, (uint8_t)(number >> 24),
                                         (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                                         (uint8_t)number},
                                .len = 7};
    // The shortest form, as DER wants it.
    struct bytes shortest = {.data = {0x02}, .len = 2};
    size_t skip = 2;
    while (skip < 6 && bytes.data[skip] == 0 && (bytes.data[skip + 1] & 0x80) == 0) {
        skip++;
    }
    memcpy(shortest.data + 2, bytes.data + skip, bytes.len - skip);
    shortest.len += bytes.len - skip;
    shortest.data[1] = (uint8_t)(bytes.len - skip);
    return shortest;
}

static const struct bytes salt = {.data = {0x04, 0x02, 'a', 'b'}, .len = 4};
static const struct bytes oid = {.data = {0x06, 0x01, 0x2a}, .len = 3};

static const struct bytes nothing = {.len = 0};

// salted is a SEQUENCE of salt and count, as PKCS #12's own algorithms have it.
static struct bytes salted(uint32_t iterations)
{
    struct bytes content = salt;
    const struct bytes number = integer(iterations);
    add(&content, &number);
    return element(0x30, &content);
}

// algorithm is an AlgorithmIdentifier with these parameters.
static struct bytes algorithm(const struct bytes *parameters)
{
    struct bytes content = oid;
    add(&content, parameters);
    return element(0x30, &content);
}

// file is a whole one: `content` is what authSafe holds, in an OCTET STRING.
static struct bytes file(const struct bytes *content, uint32_t mac_iterations)
{
    struct bytes pfx = integer(3);
    const struct bytes octets = element(0x04, content);
    const struct bytes wrapped = element(0xa0, &octets);
    const struct bytes auth_safe = algorithm(&wrapped);
    struct bytes mac = element(0x30, &oid);
    add(&mac, &salt);
    const struct bytes number = integer(mac_iterations);
    add(&mac, &number);
    const struct bytes mac_data = element(0x30, &mac);
    add(&pfx, &auth_safe);
    add(&pfx, &mac_data);
    return element(0x30, &pfx);
}

static uint64_t iterations_of(const struct bytes *bytes)
{
    return ekb_pkcs12_iterations(bytes->data, bytes->len);
}

static void expect(const struct bytes *bytes, uint64_t wanted)
{
    const uint64_t got = iterations_of(bytes);
    cr_expect_eq(got, wanted, "%llu", (unsigned long long)got);
}

Test(pkcs12, counts_the_mac)
{
    const struct bytes content = element(0x30, &nothing);
    const struct bytes bytes = file(&content, 99000000);

    expect(&bytes, 99000000);
}

Test(pkcs12, counts_encryption_of_its_own)
{
    const struct bytes parameters = salted(1000);
    const struct bytes encrypted = algorithm(&parameters);
    const struct bytes content = element(0x30, &encrypted);
    const struct bytes bytes = file(&content, 2000);

    expect(&bytes, 3000);
}

// PBES2: SEQUENCE { SEQUENCE { OID, SEQUENCE { salt, count, key length, PRF } }, SEQUENCE { OID } }
Test(pkcs12, counts_pbes2)
{
    struct bytes pbkdf2 = salt;
    struct bytes number = integer(50000);
    add(&pbkdf2, &number);
    number = integer(32);
    add(&pbkdf2, &number);
    const struct bytes parameters = element(0x30, &pbkdf2);
    const struct bytes derivation = algorithm(&parameters);
    const struct bytes both = element(0x30, &derivation);
    const struct bytes encrypted = algorithm(&both);
    const struct bytes content = element(0x30, &encrypted);
    const struct bytes bytes = file(&content, 1);

    expect(&bytes, 50001);
}

// A key is in the content of a part that is not encrypted itself.
Test(pkcs12, counts_what_is_in_the_second_layer)
{
    const struct bytes parameters = salted(1000);
    const struct bytes encrypted = algorithm(&parameters);
    const struct bytes bags = element(0x30, &encrypted);
    const struct bytes octets = element(0x04, &bags);
    const struct bytes wrapped = element(0xa0, &octets);
    const struct bytes part = algorithm(&wrapped);
    const struct bytes content = element(0x30, &part);
    const struct bytes bytes = file(&content, 5);

    expect(&bytes, 1005);
}

Test(pkcs12, counts_what_is_in_pieces_and_of_indefinite_length)
{
    const struct bytes parameters = salted(1000);
    const struct bytes encrypted = algorithm(&parameters);
    const struct bytes content = unbounded(0x30, &encrypted);
    struct bytes pieces = {.len = 0};
    for (size_t at = 0; at < content.len; at += 5) {
        struct bytes piece = {.len = content.len - at < 5 ? content.len - at : 5};
        memcpy(piece.data, content.data + at, piece.len);
        const struct bytes wrapped = element(0x04, &piece);
        add(&pieces, &wrapped);
    }
    const struct bytes octets = unbounded(0x24, &pieces);
    const struct bytes outer = unbounded(0xa0, &octets);
    struct bytes pfx = integer(3);
    const struct bytes auth_safe = algorithm(&outer);
    add(&pfx, &auth_safe);
    const struct bytes bytes = unbounded(0x30, &pfx);

    expect(&bytes, 1000);
}

Test(pkcs12, counts_the_most_when_the_sum_does_not_fit)
{
    static const struct bytes huge = {
        .data = {0x02, 0x09, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .len = 11};
    struct bytes parameters = nothing;
    for (int i = 0; i < 3; i++) { // Two of them fit together.
        add(&parameters, &salt);
        add(&parameters, &huge);
    }
    const struct bytes bytes = element(0x30, &parameters);

    expect(&bytes, UINT64_MAX);
}

Test(pkcs12, counts_nothing_when_it_is_no_der)
{
    static const struct bytes cases[] = {
        {.len = 0},
        {.data = {0x30}, .len = 1},
        {.data = {0x30, 0x82, 0xff}, .len = 3},
        {.data = {0x30, 0x80}, .len = 2},
        {.data = {0x24, 0x80, 0x02, 0x01, 0x01, 0, 0}, .len = 7},
        {.data = "text", .len = 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t got = iterations_of(&cases[i]);

        cr_expect_eq(got, 0, "%zu: %llu", i, (unsigned long long)got);
    }
}

// As deep as a file can be: neither the stack nor time runs out.
Test(pkcs12, comes_to_an_end_when_it_is_deep, .timeout = 20)
{
    const size_t len = (size_t)1 << 20;
    uint8_t *data = malloc(len);
    cr_assert_not_null(data);
    for (size_t i = 0; i + 1 < len; i += 2) {
        data[i] = 0x30;
        data[i + 1] = 0x80;
    }

    cr_expect_eq(ekb_pkcs12_iterations(data, len), 0);

    free(data);
}
