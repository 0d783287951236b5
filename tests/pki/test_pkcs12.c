#include "pki/pkcs12_internal.h"

#include "ekubench/pki/bundle.h"
#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <openssl/bytestring.h>
#include <openssl/cipher.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fixture_pki pki;

static void set_up(void)
{
    const struct fixture_pki_spec spec = {
        .key_type = EKB_KEY_P256, .depth = 3, .eku = EKB_EKU_SERVER_AUTH};
    fixture_pki_init(&pki, &spec);
}

static void tear_down(void)
{
    fixture_pki_deinit(&pki);
}

TestSuite(pkcs12, .init = set_up, .fini = tear_down, .timeout = 60);

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

static const struct bytes nothing = {.len = 0};

static struct bytes raw(uint8_t tag, const void *data, size_t len)
{
    struct bytes content = {.len = len};
    cr_assert_leq(len, sizeof content.data);
    memcpy(content.data, data, len);
    return element(tag, &content);
}

// sequence is a SEQUENCE of two.
static struct bytes sequence(const struct bytes *first, const struct bytes *second)
{
    struct bytes both = *first;
    add(&both, second);
    return element(0x30, &both);
}

// pkcs is the OID 1.2.840.113549.1 and `last`, the numbers below it.
static struct bytes pkcs(const char *last)
{
    struct bytes oid = {.data = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01}, .len = 7};
    memcpy(oid.data + oid.len, last, strlen(last));
    oid.len += strlen(last);
    return element(0x06, &oid);
}

static const uint8_t salt[] = {'a', 'b'};
static const uint8_t iv[16] = {'c', 'd'};

// pbes2 is an AlgorithmIdentifier: AES-128-CBC, PBKDF2.
static struct bytes pbes2(uint32_t iterations)
{
    static const uint8_t aes[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02};
    const struct bytes salted = raw(0x04, salt, sizeof salt);
    const struct bytes number = integer(iterations);
    const struct bytes salt_and_number = sequence(&salted, &number);
    struct bytes id = pkcs("\x05\x0c");
    const struct bytes kdf = sequence(&id, &salt_and_number);
    const struct bytes vector = raw(0x04, iv, sizeof iv);
    id = raw(0x06, aes, sizeof aes);
    const struct bytes scheme = sequence(&id, &vector);
    const struct bytes parameters = sequence(&kdf, &scheme);
    id = pkcs("\x05\x0d");
    return sequence(&id, &parameters);
}

static struct bytes encrypt(const struct bytes *text, const char *password, uint32_t iterations)
{
    uint8_t key[16];
    struct bytes out = nothing;
    int len = 0;
    int rest = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    cr_assert_eq(PKCS5_PBKDF2_HMAC(password, strlen(password), salt, sizeof salt, iterations,
                                   EVP_sha1(), sizeof key, key),
                 1);
    cr_assert_eq(EVP_EncryptInit_ex(context, EVP_aes_128_cbc(), NULL, key, iv), 1);
    cr_assert_lt(text->len, sizeof out.data - 32);
    cr_assert_eq(EVP_EncryptUpdate(context, out.data, &len, text->data, (int)text->len), 1);
    cr_assert_eq(EVP_EncryptFinal_ex(context, out.data + len, &rest), 1);
    out.len = (size_t)len + (size_t)rest;
    EVP_CIPHER_CTX_free(context);
    return out;
}

// bag is a SafeBag: a key, 1; a key that is encrypted, 2; a certificate, 3.
static struct bytes bag(char type, const struct bytes *value)
{
    const char last[] = {0x0c, 0x0a, 0x01, type, '\0'};
    const struct bytes id = pkcs(last);
    const struct bytes wrapped = element(0xa0, value);
    return sequence(&id, &wrapped);
}

static struct bytes certificate_bag(size_t index)
{
    size_t len = 0;
    const uint8_t *der = ekb_chain_der(pki.chain, index, &len);
    const struct bytes octets = raw(0x04, der, len);
    const struct bytes wrapped = element(0xa0, &octets);
    const struct bytes type = pkcs("\x09\x16\x01");
    const struct bytes value = sequence(&type, &wrapped);
    return bag(3, &value);
}

// shrouded_bag has a key that is said to be encrypted so; nobody knows by what.
static struct bytes shrouded_bag(uint32_t iterations)
{
    static const uint8_t data[160] = {1};
    const struct bytes algorithm = pbes2(iterations);
    const struct bytes octets = raw(0x04, data, sizeof data);
    const struct bytes value = sequence(&algorithm, &octets);
    return bag(2, &value);
}

// plain_part is a ContentInfo with these bags, encrypted_part one that is encrypted.
static struct bytes plain_part(const struct bytes *bags)
{
    const struct bytes list = element(0x30, bags);
    const struct bytes octets = element(0x04, &list);
    const struct bytes wrapped = element(0xa0, &octets);
    const struct bytes type = pkcs("\x07\x01");
    return sequence(&type, &wrapped);
}

// wrap_encrypted is an EncryptedData around what is encrypted, [0] in one form or another.
static struct bytes wrap_encrypted(const struct bytes *content, uint32_t iterations)
{
    struct bytes info = pkcs("\x07\x01");
    const struct bytes algorithm = pbes2(iterations);
    add(&info, &algorithm);
    add(&info, content);
    const struct bytes wrapped_info = element(0x30, &info);
    const struct bytes version = integer(0);
    const struct bytes data = sequence(&version, &wrapped_info);
    const struct bytes wrapped = element(0xa0, &data);
    const struct bytes type = pkcs("\x07\x06");
    return sequence(&type, &wrapped);
}

static struct bytes encrypted_part(const struct bytes *bags, const char *password,
                                   uint32_t iterations)
{
    const struct bytes list = element(0x30, bags);
    const struct bytes content = encrypt(&list, password, iterations);
    const struct bytes implicit = element(0x80, &content);
    return wrap_encrypted(&implicit, iterations);
}

// pfx is a whole file; `mac_data` may be nothing.
static struct bytes pfx(const struct bytes *parts, const struct bytes *mac_data)
{
    struct bytes content = integer(3);
    const struct bytes list = element(0x30, parts);
    const struct bytes octets = element(0x04, &list);
    const struct bytes wrapped = element(0xa0, &octets);
    const struct bytes type = pkcs("\x07\x01");
    const struct bytes auth_safe = sequence(&type, &wrapped);
    add(&content, &auth_safe);
    add(&content, mac_data);
    return element(0x30, &content);
}

// Opening.

static enum ekb_err open_file(struct ekb_pkcs12 *out_file, const struct bytes *bytes,
                              const char *password)
{
    const enum ekb_err err = ekb_pkcs12_open(out_file, bytes->data, bytes->len, password);
    cr_expect_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
    return err;
}

// opens expects `num` certificates.
static void opens(const char *name, const struct bytes *bytes, const char *password, size_t num)
{
    struct ekb_pkcs12 file = {.chain = NULL};

    const enum ekb_err err = open_file(&file, bytes, password);

    cr_expect_eq(err, EKB_OK, "%s: %s", name, ekb_err_name(err));
    if (err == EKB_OK) {
        cr_expect_eq(ekb_chain_len(file.chain), num, "%s: %zu", name, ekb_chain_len(file.chain));
    }
    ekb_pkcs12_deinit(&file);
}

static void fails(const char *name, const struct bytes *bytes, const char *password,
                  enum ekb_err wanted)
{
    struct ekb_pkcs12 file = {.chain = NULL};

    const enum ekb_err err = open_file(&file, bytes, password);

    cr_expect_eq(err, wanted, "%s: %s, not %s", name, ekb_err_name(err), ekb_err_name(wanted));
    cr_expect_null(file.chain, "%s", name);
}

// Whoever wants certificates does not pay for keys, and who wants the key not more than the bound:
// wherever the key is.
Test(pkcs12, decrypts_no_key_that_is_not_asked_for)
{
    struct bytes bags = shrouded_bag(100000000);
    const struct bytes certificate = certificate_bag(0);
    add(&bags, &certificate);
    const struct bytes encrypted = encrypted_part(&bags, "", 7);
    const struct bytes plain = plain_part(&bags);
    const struct bytes *const parts[] = {&encrypted, &plain};
    for (size_t i = 0; i < 2; i++) {
        const struct bytes bytes = pfx(parts[i], &nothing);
        struct ekb_pkcs12 file = {.chain = NULL};
        EVP_PKEY *key = NULL;

        cr_assert_eq(open_file(&file, &bytes, NULL), EKB_OK, "%zu", i);
        cr_expect_eq(ekb_chain_len(file.chain), 1u);
        cr_expect_eq(file.num_keys, 1u);
        cr_expect_eq(file.iterations_left, EKB_BUNDLE_MAX_ITERATIONS - (i == 0 ? 7u : 0u), "%llu",
                     (unsigned long long)file.iterations_left);
        cr_expect_eq(ekb_pkcs12_key(&key, &file), EKB_TOO_BIG, "%zu", i);
        cr_expect_null(key);
        ekb_pkcs12_deinit(&file);
    }
}

// 5,000,000 are few enough to be done in a test: just in time it is seen that there are no more.
Test(pkcs12, is_refused_when_all_of_it_takes_too_many_iterations)
{
    const struct bytes bags = certificate_bag(0);
    const struct bytes one = encrypted_part(&bags, "", 3);
    struct bytes parts = one;
    // Of a part that is not come to the content does not matter.
    const struct bytes text = raw(0x80, iv, sizeof iv);
    const struct bytes last = wrap_encrypted(&text, EKB_BUNDLE_MAX_ITERATIONS - 2);
    const struct bytes alone = pfx(&parts, &nothing);
    add(&parts, &last);
    const struct bytes both = pfx(&parts, &nothing);

    opens("one", &alone, NULL, 1);
    fails("both", &both, NULL, EKB_TOO_BIG);
}

static struct bytes mac_data(const struct bytes *iterations)
{
    static const uint8_t sha1[] = {0x2b, 0x0e, 0x03, 0x02, 0x1a};
    static const uint8_t digest[20] = {0};
    const struct bytes id = raw(0x06, sha1, sizeof sha1);
    const struct bytes none = {.data = {0x05, 0x00}, .len = 2};
    const struct bytes algorithm = sequence(&id, &none);
    const struct bytes value = raw(0x04, digest, sizeof digest);
    struct bytes content = sequence(&algorithm, &value);
    const struct bytes salted = raw(0x04, salt, sizeof salt);
    add(&content, &salted);
    add(&content, iterations);
    return element(0x30, &content);
}

Test(pkcs12, counts_the_mac)
{
    static const struct bytes huge = {
        .data = {0x02, 0x08, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .len = 10};
    const struct bytes numbers[] = {integer(1),        integer(EKB_BUNDLE_MAX_ITERATIONS + 1),
                                    integer(99000000), huge,
                                    integer(0),        nothing};
    static const enum ekb_err errs[] = {EKB_NEED_PASSWORD, EKB_TOO_BIG, EKB_TOO_BIG,
                                        EKB_TOO_BIG,       EKB_PARSE,   EKB_NEED_PASSWORD};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "MAC %zu", i);
        const struct bytes bags = certificate_bag(0);
        const struct bytes part = plain_part(&bags);
        const struct bytes mac = mac_data(&numbers[i]);
        const struct bytes bytes = pfx(&part, &mac);

        fails(name, &bytes, NULL, errs[i]);
    }
}

// As Java's lists of trusted CAs are, which have no password.
Test(pkcs12, needs_no_mac_and_tries_the_empty_password_too)
{
    static const struct {
        const char *password;
        const char *given;
        enum ekb_err err;
    } cases[] = {
        {"", NULL, EKB_OK},
        {"", "", EKB_OK},
        {"", "horse", EKB_OK},
        {"horse", "horse", EKB_OK},
        {"horse", "cow", EKB_NEED_PASSWORD},
        {"horse", NULL, EKB_NEED_PASSWORD},
    };
    const struct bytes bags = certificate_bag(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "case %zu", i);
        const struct bytes part = encrypted_part(&bags, cases[i].password, 2);
        const struct bytes bytes = pfx(&part, &nothing);

        if (cases[i].err == EKB_OK) {
            opens(name, &bytes, cases[i].given, 1);
        } else {
            fails(name, &bytes, cases[i].given, cases[i].err);
        }
    }
}

// Every password but one in some hundred is seen by the padding; the rest by what comes out.
Test(pkcs12, takes_no_wrong_password_for_right)
{
    const struct bytes bags = certificate_bag(0);
    const struct bytes part = encrypted_part(&bags, "horse", 1);
    const struct bytes bytes = pfx(&part, &nothing);
    for (int i = 0; i < 1000; i++) {
        char password[32];
        (void)snprintf(password, sizeof password, "horse %d", i);

        fails(password, &bytes, password, EKB_NEED_PASSWORD);
    }
}

// in_pieces cuts a string to pieces.
static struct bytes in_pieces(const struct bytes *content)
{
    struct bytes pieces = nothing;
    for (size_t at = 0; at < content->len; at += 200) {
        const size_t len = content->len - at < 200 ? content->len - at : 200;
        const struct bytes piece = raw(0x04, content->data + at, len);
        add(&pieces, &piece);
    }
    return pieces;
}

// As Mozilla writes it.
Test(pkcs12, reads_what_is_in_pieces_and_of_indefinite_length)
{
    const struct bytes bags = certificate_bag(1);
    const struct bytes list = unbounded(0x30, &bags);
    const struct bytes data = encrypt(&list, "", 1);
    struct bytes pieces = in_pieces(&data);
    const struct bytes implicit = unbounded(0xa0, &pieces);
    const struct bytes part = wrap_encrypted(&implicit, 1);
    const struct bytes parts = unbounded(0x30, &part);
    pieces = in_pieces(&parts);
    const struct bytes octets = unbounded(0x24, &pieces);
    const struct bytes wrapped = unbounded(0xa0, &octets);
    const struct bytes type = pkcs("\x07\x01");
    const struct bytes auth_safe = sequence(&type, &wrapped);
    struct bytes content = integer(3);
    add(&content, &auth_safe);
    const struct bytes bytes = unbounded(0x30, &content);

    opens("BER", &bytes, NULL, 1);
}

Test(pkcs12, is_refused_when_it_is_none)
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
        char name[32];
        (void)snprintf(name, sizeof name, "case %zu", i);

        fails(name, &cases[i], NULL, EKB_PARSE);
    }
}

// Whatever is cut off or changed: no more than an error.
Test(pkcs12, survives_every_byte_that_is_changed)
{
    struct bytes bags = shrouded_bag(1);
    const struct bytes certificate = certificate_bag(0);
    add(&bags, &certificate);
    const struct bytes part = encrypted_part(&bags, "", 1);
    const struct bytes bytes = pfx(&part, &nothing);
    for (size_t i = 0; i < bytes.len; i++) {
        static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};
        for (size_t j = 0; j < sizeof masks; j++) {
            struct bytes changed = bytes;
            struct ekb_pkcs12 file = {.chain = NULL};
            EVP_PKEY *key = NULL;
            changed.data[i] ^= masks[j];

            if (open_file(&file, &changed, NULL) == EKB_OK && file.num_keys > 0 &&
                ekb_pkcs12_key(&key, &file) == EKB_OK) {
                EVP_PKEY_free(key);
            }
            ekb_pkcs12_deinit(&file);
        }
    }
}

// As deep as a file can be: neither the stack nor time runs out.
Test(pkcs12, comes_to_an_end_when_it_is_deep)
{
    struct ekb_pkcs12 file = {.chain = NULL};
    const size_t len = (size_t)1 << 20;
    uint8_t *data = malloc(len);
    cr_assert_not_null(data);
    for (size_t i = 0; i + 1 < len; i += 2) {
        data[i] = 0x30;
        data[i + 1] = 0x80;
    }

    cr_expect_eq(ekb_pkcs12_open(&file, data, len, NULL), EKB_PARSE);

    free(data);
}

// Several keys, as in a keystore of Java.

static struct bytes key_der(void)
{
    struct fixture_dir dir;
    char path[512];
    struct bytes value = nothing;
    CBB cbb;
    size_t len = 0;
    fixture_dir_init(&dir);
    cr_assert_eq(ekb_key_write_pem(pki.key, fixture_dir_file(path, &dir, "key"), NULL), EKB_OK);
    FILE *stream = fopen(path, "re");
    cr_assert_not_null(stream);
    EVP_PKEY *key = PEM_read_PrivateKey(stream, NULL, NULL, NULL);
    (void)fclose(stream);
    cr_assert_eq(CBB_init_fixed(&cbb, value.data, sizeof value.data), 1);
    cr_assert_eq(EVP_marshal_private_key(&cbb, key), 1);
    cr_assert_eq(CBB_finish(&cbb, NULL, &len), 1);
    value.len = len;
    EVP_PKEY_free(key);
    fixture_dir_deinit(&dir);
    return value;
}

// The certificate is there for everybody; the password is wanted for the key alone.
Test(pkcs12, wants_the_password_of_the_key_when_only_the_key_has_one)
{
    static const struct {
        const char *given;
        enum ekb_err err;
    } cases[] = {{NULL, EKB_NEED_PASSWORD}, {"cow", EKB_NEED_PASSWORD}, {"horse", EKB_OK}};
    struct fixture_dir dir;
    char path[512];
    const struct bytes der = key_der();
    const struct bytes data = encrypt(&der, "horse", 1);
    const struct bytes algorithm = pbes2(1);
    const struct bytes octets = element(0x04, &data);
    const struct bytes value = sequence(&algorithm, &octets);
    struct bytes bags = bag(2, &value);
    const struct bytes certificate = certificate_bag(0);
    add(&bags, &certificate);
    const struct bytes part = plain_part(&bags);
    const struct bytes bytes = pfx(&part, &nothing);
    fixture_dir_init(&dir);
    fixture_write(fixture_dir_file(path, &dir, "key.p12"), bytes.data, bytes.len, 0600);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_bundle bundle = {.chain = NULL};

        const enum ekb_err err = ekb_bundle_read(&bundle, path, cases[i].given, NULL);

        cr_expect_eq(err, cases[i].err, "%zu: %s", i, ekb_err_name(err));
        cr_expect_eq(bundle.key != NULL, err == EKB_OK, "%zu", i);
        ekb_bundle_deinit(&bundle);
        cr_expect_eq(ekb_bundle_survey(&bundle, path, cases[i].given, NULL), EKB_OK, "%zu", i);
        ekb_bundle_deinit(&bundle);
    }
    fixture_dir_deinit(&dir);
}

Test(pkcs12, is_surveyed_but_not_read_when_it_has_several_keys)
{
    struct fixture_dir dir;
    char path[512];
    struct bytes bags = nothing;
    const struct bytes der = key_der();
    const struct bytes key = bag(1, &der);
    for (size_t i = 0; i < 2; i++) {
        struct ekb_bundle bundle = {.chain = NULL};
        struct ekb_fail fail = {.err = EKB_OK};
        const struct bytes certificate = certificate_bag(i);
        add(&bags, &key);
        add(&bags, &certificate);
        const struct bytes part = plain_part(&bags);
        const struct bytes bytes = pfx(&part, &nothing);
        fixture_dir_init(&dir);
        fixture_write(fixture_dir_file(path, &dir, "keys.p12"), bytes.data, bytes.len, 0600);

        cr_expect_eq(ekb_bundle_survey(&bundle, path, NULL, &fail), EKB_OK, "%s", fail.detail);
        cr_expect_eq(ekb_chain_len(bundle.chain), i + 1);
        cr_expect_null(bundle.key);
        ekb_bundle_deinit(&bundle);
        const enum ekb_err err = ekb_bundle_read(&bundle, path, NULL, &fail);
        cr_expect_eq(err, i == 0 ? EKB_OK : EKB_UNSUPPORTED, "%s", ekb_err_name(err));
        cr_expect(i == 0 || strstr(fail.detail, "export one entry") != NULL, "%s", fail.detail);
        cr_expect(i == 1 || bundle.key != NULL, "%s", bundle.key_fault.detail);
        ekb_bundle_deinit(&bundle);
        fixture_dir_deinit(&dir);
    }
}
