#include "ekubench/pki/key.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/cipher.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct fixture_dir dir;
static char path[512];

static void set_up(void)
{
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "key.pem");
}

static void tear_down(void)
{
    fixture_dir_deinit(&dir);
}

TestSuite(key, .init = set_up, .fini = tear_down);

// Keys as other programs write them.

static EVP_PKEY *make_ec(int curve)
{
    EVP_PKEY *pkey = EVP_PKEY_new();
    EC_KEY *ec_key = EC_KEY_new_by_curve_name(curve);
    cr_assert(EC_KEY_generate_key(ec_key));
    cr_assert(EVP_PKEY_assign_EC_KEY(pkey, ec_key));
    return pkey;
}

static EVP_PKEY *make_rsa(int bits)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    cr_assert(EVP_PKEY_keygen_init(context));
    cr_assert(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits));
    cr_assert(EVP_PKEY_keygen(context, &pkey));
    EVP_PKEY_CTX_free(context);
    return pkey;
}

// save writes what is in `bio` to `path`, after the text `before`, and frees it.
static void save(BIO *bio, const char *before)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    char text[8192];
    cr_assert(BIO_mem_contents(bio, &data, &len));
    cr_assert_lt(snprintf(text, sizeof text, "%s%.*s", before, (int)len, (const char *)data),
                 (int)sizeof text);
    fixture_write_text(path, text);
    BIO_free(bio);
}

static void save_pkcs8(EVP_PKEY *pkey, char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const int password_len = password != NULL ? (int)strlen(password) : 0;
    cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, pkey, password != NULL ? EVP_aes_256_cbc() : NULL,
                                            password, password_len, NULL, NULL));
    EVP_PKEY_free(pkey);
    save(bio, "");
}

// fails reads the key at `path`, which must fail with `err`, a detail that names the file, and no
// part of what is in it.
static void fails(enum ekb_err err, const char *detail_part)
{
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err got = ekb_key_read_pem(&key, path, &fail);

    cr_assert_eq(got, err, "%s: %s", ekb_err_name(got), fail.detail);
    cr_assert_eq(fail.err, err);
    cr_assert_null(key);
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert_not_null(strstr(fail.detail, detail_part), "%s", fail.detail);
    cr_assert_eq(ERR_peek_error(), 0u, "the library's error queue is not empty");
}

// Types.

Test(key, gives_the_type_when_its_name_is_parsed)
{
    for (unsigned type = 0; type < EKB_KEY_NUM_TYPES; type++) {
        const char *name = ekb_key_type_name((enum ekb_key_type)type);
        enum ekb_key_type parsed = EKB_KEY_NUM_TYPES;

        cr_assert_eq(ekb_key_type_parse(&parsed, name), EKB_OK, "%s", name);

        cr_assert_eq(parsed, type, "%s", name);
    }
}

Test(key, refuses_a_type_name_when_it_is_unknown)
{
    static const char *const names[] = {"", "rsa", "rsa1024", "P256", "p256 ", "p521"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum ekb_key_type type = EKB_KEY_NUM_TYPES;

        cr_assert_eq(ekb_key_type_parse(&type, names[i]), EKB_USAGE, "%s", names[i]);

        cr_assert_eq(type, EKB_KEY_NUM_TYPES, "%s", names[i]);
    }
}

// Round trips.

ParameterizedTestParameters(key, reads_back_what_it_wrote_when_of_any_type)
{
    static enum ekb_key_type types[] = {EKB_KEY_P256,    EKB_KEY_P384,    EKB_KEY_RSA2048,
                                        EKB_KEY_RSA3072, EKB_KEY_RSA4096, EKB_KEY_ED25519};
    _Static_assert(sizeof types / sizeof types[0] == EKB_KEY_NUM_TYPES, "a type is missing");
    return cr_make_param_array(enum ekb_key_type, types, EKB_KEY_NUM_TYPES, NULL);
}

ParameterizedTest(enum ekb_key_type *type, key, reads_back_what_it_wrote_when_of_any_type)
{
    const char *name = ekb_key_type_name(*type);
    struct ekb_key *made = NULL;
    struct ekb_key *read = NULL;
    char again[512];
    cr_assert_eq(ekb_key_generate(&made, *type, NULL), EKB_OK, "%s", name);
    cr_assert_eq(ekb_key_write_pem(made, path, NULL), EKB_OK, "%s", name);

    cr_assert_eq(ekb_key_read_pem(&read, path, NULL), EKB_OK, "%s", name);

    (void)fixture_dir_file(again, &dir, "again.pem");
    cr_assert_eq(ekb_key_write_pem(read, again, NULL), EKB_OK, "%s", name);
    char *first = fixture_read(path, NULL);
    char *second = fixture_read(again, NULL);
    cr_assert_eq(ekb_key_type_of(made), *type, "%s", name);
    cr_assert_eq(ekb_key_type_of(read), *type, "%s", name);
    cr_assert(strcmp(first, second) == 0, "%s", name);
    free(second);
    free(first);
    ekb_key_destroy(read);
    ekb_key_destroy(made);
}

Test(key, writes_pem_that_the_library_reads)
{
    struct ekb_key *key = NULL;
    cr_assert_eq(ekb_key_generate(&key, EKB_KEY_RSA2048, NULL), EKB_OK);

    cr_assert_eq(ekb_key_write_pem(key, path, NULL), EKB_OK);

    char *text = fixture_read(path, NULL);
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    cr_assert_not_null(pkey);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    free(text);
    ekb_key_destroy(key);
}

Test(key, makes_another_key_when_called_again)
{
    struct ekb_key *first = NULL;
    struct ekb_key *second = NULL;
    char other[512];
    cr_assert_eq(ekb_key_generate(&first, EKB_KEY_P256, NULL), EKB_OK);

    cr_assert_eq(ekb_key_generate(&second, EKB_KEY_P256, NULL), EKB_OK);

    (void)fixture_dir_file(other, &dir, "other.pem");
    cr_assert_eq(ekb_key_write_pem(first, path, NULL), EKB_OK);
    cr_assert_eq(ekb_key_write_pem(second, other, NULL), EKB_OK);
    char *first_text = fixture_read(path, NULL);
    char *second_text = fixture_read(other, NULL);
    cr_assert(strcmp(first_text, second_text) != 0);
    free(second_text);
    free(first_text);
    ekb_key_destroy(second);
    ekb_key_destroy(first);
}

// Writing.

Test(key, is_for_its_owner_only_when_written)
{
    struct ekb_key *key = NULL;
    cr_assert_eq(ekb_key_generate(&key, EKB_KEY_P256, NULL), EKB_OK);
    (void)umask(0);

    cr_assert_eq(ekb_key_write_pem(key, path, NULL), EKB_OK);

    cr_assert_eq(fixture_mode(path), 0600u, "%04o", fixture_mode(path));
    ekb_key_destroy(key);
}

Test(key, is_for_its_owner_only_when_written_over_a_public_file)
{
    struct ekb_key *key = NULL;
    cr_assert_eq(ekb_key_generate(&key, EKB_KEY_P256, NULL), EKB_OK);
    fixture_write(path, "x", 1, 0666);

    cr_assert_eq(ekb_key_write_pem(key, path, NULL), EKB_OK);

    cr_assert_eq(fixture_mode(path), 0600u, "%04o", fixture_mode(path));
    ekb_key_destroy(key);
}

Test(key, fails_to_write_when_the_directory_is_missing)
{
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_key_generate(&key, EKB_KEY_P256, NULL), EKB_OK);
    (void)fixture_dir_file(path, &dir, "missing/key.pem");

    cr_assert_neq(ekb_key_write_pem(key, path, &fail), EKB_OK);

    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    ekb_key_destroy(key);
}

// Forms.

Test(key, is_read_when_sec1_after_its_parameters)
{
    EVP_PKEY *pkey = make_ec(NID_secp384r1);
    struct ekb_key *key = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert(
        PEM_write_bio_ECPrivateKey(bio, EVP_PKEY_get0_EC_KEY(pkey), NULL, NULL, 0, NULL, NULL));
    save(bio, "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n");

    cr_assert_eq(ekb_key_read_pem(&key, path, NULL), EKB_OK);

    cr_assert_eq(ekb_key_type_of(key), EKB_KEY_P384);
    ekb_key_destroy(key);
    EVP_PKEY_free(pkey);
}

Test(key, is_read_when_pkcs1)
{
    EVP_PKEY *pkey = make_rsa(2048);
    struct ekb_key *key = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert(PEM_write_bio_RSAPrivateKey(bio, EVP_PKEY_get0_RSA(pkey), NULL, NULL, 0, NULL, NULL));
    save(bio, "a comment\n");

    cr_assert_eq(ekb_key_read_pem(&key, path, NULL), EKB_OK);

    cr_assert_eq(ekb_key_type_of(key), EKB_KEY_RSA2048);
    ekb_key_destroy(key);
    EVP_PKEY_free(pkey);
}

Test(key, is_read_when_lines_end_with_carriage_returns)
{
    struct ekb_key *key = NULL;
    struct ekb_key *read = NULL;
    cr_assert_eq(ekb_key_generate(&key, EKB_KEY_P256, NULL), EKB_OK);
    cr_assert_eq(ekb_key_write_pem(key, path, NULL), EKB_OK);
    char *text = fixture_read(path, NULL);
    char *dos = calloc(2, strlen(text) + 1);
    for (size_t i = 0, len = 0; text[i] != '\0'; i++) {
        if (text[i] == '\n') {
            dos[len++] = '\r';
        }
        dos[len++] = text[i];
    }
    fixture_write_text(path, dos);

    cr_assert_eq(ekb_key_read_pem(&read, path, NULL), EKB_OK);

    ekb_key_destroy(read);
    ekb_key_destroy(key);
    free(dos);
    free(text);
}

// Refusals.

Test(key, is_refused_when_encrypted_pkcs8)
{
    char password[] = "secret";
    save_pkcs8(make_ec(NID_X9_62_prime256v1), password);

    fails(EKB_PARSE, "encrypted");
}

Test(key, is_refused_when_encrypted_in_the_old_form)
{
    EVP_PKEY *pkey = make_ec(NID_X9_62_prime256v1);
    BIO *bio = BIO_new(BIO_s_mem());
    char password[] = "secret";
    cr_assert(PEM_write_bio_ECPrivateKey(bio, EVP_PKEY_get0_EC_KEY(pkey), EVP_aes_128_cbc(),
                                         (uint8_t *)password, 6, NULL, NULL));
    EVP_PKEY_free(pkey);
    save(bio, "");

    fails(EKB_PARSE, "encrypted");
}

Test(key, is_refused_when_its_curve_is_not_supported)
{
    save_pkcs8(make_ec(NID_secp224r1), NULL);

    fails(EKB_UNSUPPORTED, "P-256");
}

// What is not minted here may be brought.
static void expect_read_as(enum ekb_key_type type)
{
    struct ekb_key *key = NULL;

    cr_assert_eq(ekb_key_read_pem(&key, path, NULL), EKB_OK);

    cr_expect_eq(ekb_key_type_of(key), type, "%s", ekb_key_type_name(ekb_key_type_of(key)));
    ekb_key_destroy(key);
}

Test(key, is_read_when_rsa_of_another_length)
{
    save_pkcs8(make_rsa(2560), NULL);

    expect_read_as(EKB_KEY_RSA);
}

Test(key, is_read_when_on_p521)
{
    save_pkcs8(make_ec(NID_secp521r1), NULL);

    expect_read_as(EKB_KEY_P521);
}

Test(key, is_refused_when_of_another_form)
{
    fixture_write_text(
        path, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");

    fails(EKB_UNSUPPORTED, "PKCS #8");
}

Test(key, is_refused_when_the_file_is_missing)
{
    fails(EKB_NOT_FOUND, "key.pem");
}

Test(key, is_refused_when_the_file_is_a_directory)
{
    cr_assert_eq(mkdir(path, 0700), 0);

    fails(EKB_PARSE, "regular");
}

Test(key, is_refused_when_the_file_is_too_big)
{
    char *text = calloc(1, EKB_KEY_MAX_FILE_LEN + 1);
    fixture_write(path, text, EKB_KEY_MAX_FILE_LEN + 1, 0600);
    free(text);

    fails(EKB_TOO_BIG, "at most");
}

Test(key, is_refused_when_the_file_is_not_a_key)
{
    static const struct {
        const char *text;
        const char *detail_part;
    } cases[] = {
        {"", "no private key"},
        {"\n", "no private key"},
        {"PRIVATE KEY\n", "no private key"},
        {"-----BEGIN PRIVATE KEY\nAAAA\n", "no private key"},
        {" -----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no private key"},
        {"-----BEGIN PRIVATE KEY-----", "no end"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n", "no end"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "no end"},
        {"-----BEGIN PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\n", "no end"},
        {"-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", "no end"},
        {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "not base64"},
        {"-----BEGIN PRIVATE KEY-----\nAAA\n-----END PRIVATE KEY-----\n", "not base64"},
        {"-----BEGIN PRIVATE KEY-----\nA*AA\n-----END PRIVATE KEY-----\n", "not base64"},
        {"-----BEGIN PRIVATE KEY-----\nAA==AAAA\n-----END PRIVATE KEY-----\n", "not base64"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "malformed"},
        {"-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n", "malformed"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n", "malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_write_text(path, cases[i].text);

        fails(EKB_PARSE, cases[i].detail_part);
    }
}

// with_der writes a key whose DER is `delta` bytes longer (zeros) or shorter than it should be.
static void with_der(int delta)
{
    uint8_t der[512] = {0};
    char base64[700];
    char text[1024];
    EVP_PKEY *pkey = make_ec(NID_X9_62_prime256v1);
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *data = NULL;
    size_t len = 0;
    cr_assert(i2d_PKCS8PrivateKeyInfo_bio(bio, pkey));
    cr_assert(BIO_mem_contents(bio, &data, &len));
    memcpy(der, data, len);
    len = delta < 0 ? len - (size_t)-delta : len + (size_t)delta;
    (void)EVP_EncodeBlock((uint8_t *)base64, der, len);
    (void)snprintf(text, sizeof text,
                   "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64);
    fixture_write_text(path, text);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

Test(key, is_refused_when_cut_short)
{
    with_der(-1);

    fails(EKB_PARSE, "malformed");
}

Test(key, is_refused_when_bytes_follow_it)
{
    with_der(1);

    fails(EKB_PARSE, "malformed");
}

Test(key, keeps_its_bytes_out_of_the_detail_when_malformed)
{
    struct ekb_key *key = NULL;
    struct ekb_fail fail = {0};
    with_der(-1);
    char *text = fixture_read(path, NULL);
    const char *body = strchr(text, '\n') + 1;

    cr_assert_eq(ekb_key_read_pem(&key, path, &fail), EKB_PARSE);

    for (size_t i = 0; i + 6 < strlen(body); i++) {
        char part[7] = {0};
        memcpy(part, body + i, 6);
        if (strchr(part, '-') == NULL && strchr(part, '\n') == NULL) {
            cr_assert_null(strstr(fail.detail, part), "%s", part);
        }
    }
    free(text);
}

Test(key, is_destroyed_when_null)
{
    ekb_key_destroy(NULL);
}
