#include "ekubench/pki/policy.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stddef.h>

Test(policy, checks_fully_for_client_usage_when_default)
{
    const struct ekb_policy policy = ekb_policy_default();

    cr_expect_eq(policy.eku, EKB_EKU_ON, "%s", ekb_eku_mode_name(policy.eku));
    cr_expect_eq(policy.verify, EKB_VERIFY_FULL, "%s", ekb_verify_level_name(policy.verify));
    cr_expect_eq(policy.max_depth, (unsigned)EKB_POLICY_DEFAULT_MAX_DEPTH, "%u", policy.max_depth);
    cr_expect_eq(policy.eku_absent, EKB_EKU_ABSENT_ACCEPT, "%s",
                 ekb_eku_absent_name(policy.eku_absent));
    cr_expect_eq(policy.name.kind, EKB_NAME_NONE, "%d", (int)policy.name.kind);
}

// Modes.

static const struct {
    enum ekb_eku_mode mode;
    const char *name;
    int purpose;
    int trust;
} modes[] = {
    {EKB_EKU_ON, "on", X509_PURPOSE_SSL_CLIENT, X509_TRUST_SSL_CLIENT},
    {EKB_EKU_OFF, "off", X509_PURPOSE_SSL_SERVER, X509_TRUST_SSL_SERVER},
    {EKB_EKU_NONE, "none", X509_PURPOSE_ANY, 0},
};

_Static_assert(sizeof modes / sizeof modes[0] == EKB_EKU_NUM_MODES, "every mode");

Test(policy, has_a_name_when_an_eku_mode)
{
    for (size_t i = 0; i < EKB_EKU_NUM_MODES; i++) {
        const char *name = ekb_eku_mode_name(modes[i].mode);

        cr_expect_str_eq(name, modes[i].name, "%s, not %s", name, modes[i].name);
    }
}

Test(policy, reads_an_eku_mode_when_it_is_one)
{
    for (size_t i = 0; i < EKB_EKU_NUM_MODES; i++) {
        enum ekb_eku_mode mode = EKB_EKU_NUM_MODES;

        const enum ekb_err err = ekb_eku_mode_parse(&mode, modes[i].name);

        cr_expect_eq(err, EKB_OK, "%s: %s", modes[i].name, ekb_err_name(err));
        cr_expect_eq(mode, modes[i].mode, "%s: %d", modes[i].name, (int)mode);
    }
}

Test(policy, refuses_an_eku_mode_when_it_is_none)
{
    static const char *const texts[] = {"",    "ON", "On", "on ",    " on", "o",
                                        "onn", "no", "1",  "strict", "full"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum ekb_eku_mode mode = EKB_EKU_NUM_MODES;

        const enum ekb_err err = ekb_eku_mode_parse(&mode, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s", texts[i], ekb_err_name(err));
        cr_expect_eq(mode, EKB_EKU_NUM_MODES, "\"%s\": the output was changed", texts[i]);
    }
}

Test(policy, asks_the_library_for_its_purpose_when_an_eku_mode)
{
    for (size_t i = 0; i < EKB_EKU_NUM_MODES; i++) {
        const int purpose = ekb_policy_purpose(modes[i].mode);
        const int trust = ekb_policy_trust(modes[i].mode);

        cr_expect_eq(purpose, modes[i].purpose, "%s: %d", modes[i].name, purpose);
        cr_expect_eq(trust, modes[i].trust, "%s: %d", modes[i].name, trust);
    }
}

// Levels.

static const struct {
    enum ekb_verify_level level;
    const char *name;
} levels[] = {
    {EKB_VERIFY_FULL, "full"},
    {EKB_VERIFY_PARSE, "parse"},
    {EKB_VERIFY_RAW, "raw"},
    {EKB_VERIFY_ONE_WAY, "one-way"},
};

_Static_assert(sizeof levels / sizeof levels[0] == EKB_VERIFY_NUM_LEVELS, "every level");

Test(policy, has_a_name_when_a_verify_level)
{
    for (size_t i = 0; i < EKB_VERIFY_NUM_LEVELS; i++) {
        const char *name = ekb_verify_level_name(levels[i].level);

        cr_expect_str_eq(name, levels[i].name, "%s, not %s", name, levels[i].name);
    }
}

Test(policy, reads_a_verify_level_when_it_is_one)
{
    for (size_t i = 0; i < EKB_VERIFY_NUM_LEVELS; i++) {
        enum ekb_verify_level level = EKB_VERIFY_NUM_LEVELS;

        const enum ekb_err err = ekb_verify_level_parse(&level, levels[i].name);

        cr_expect_eq(err, EKB_OK, "%s: %s", levels[i].name, ekb_err_name(err));
        cr_expect_eq(level, levels[i].level, "%s: %d", levels[i].name, (int)level);
    }
}

Test(policy, refuses_a_verify_level_when_it_is_none)
{
    static const char *const texts[] = {"",     "FULL",    "full ",   "ful", "fully",
                                        "none", "one_way", "one way", "on"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum ekb_verify_level level = EKB_VERIFY_NUM_LEVELS;

        const enum ekb_err err = ekb_verify_level_parse(&level, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s", texts[i], ekb_err_name(err));
        cr_expect_eq(level, EKB_VERIFY_NUM_LEVELS, "\"%s\": the output was changed", texts[i]);
    }
}

// Leaves without the extension.

static const struct {
    enum ekb_eku_absent absent;
    const char *name;
} absents[] = {
    {EKB_EKU_ABSENT_ACCEPT, "accept"},
    {EKB_EKU_ABSENT_REJECT, "reject"},
};

_Static_assert(sizeof absents / sizeof absents[0] == EKB_EKU_ABSENT_NUM, "every one");

Test(policy, has_a_name_when_a_rule_for_absent_usage)
{
    for (size_t i = 0; i < EKB_EKU_ABSENT_NUM; i++) {
        const char *name = ekb_eku_absent_name(absents[i].absent);

        cr_expect_str_eq(name, absents[i].name, "%s, not %s", name, absents[i].name);
    }
}

Test(policy, reads_a_rule_for_absent_usage_when_it_is_one)
{
    for (size_t i = 0; i < EKB_EKU_ABSENT_NUM; i++) {
        enum ekb_eku_absent absent = EKB_EKU_ABSENT_NUM;

        const enum ekb_err err = ekb_eku_absent_parse(&absent, absents[i].name);

        cr_expect_eq(err, EKB_OK, "%s: %s", absents[i].name, ekb_err_name(err));
        cr_expect_eq(absent, absents[i].absent, "%s: %d", absents[i].name, (int)absent);
    }
}

Test(policy, refuses_a_rule_for_absent_usage_when_it_is_none)
{
    static const char *const texts[] = {"",        "ACCEPT", "Reject",  "reject ",
                                        " accept", "rejec",  "rejects", "on",
                                        "off",     "none",   "0",       "absent"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum ekb_eku_absent absent = EKB_EKU_ABSENT_NUM;

        const enum ekb_err err = ekb_eku_absent_parse(&absent, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s", texts[i], ekb_err_name(err));
        cr_expect_eq(absent, EKB_EKU_ABSENT_NUM, "\"%s\": the output was changed", texts[i]);
    }
}

// Names.

Test(policy, finds_the_kind_of_a_name)
{
    static const struct {
        const char *text;
        enum ekb_name_kind kind;
        const char *name;
    } cases[] = {
        {"test.example", EKB_NAME_DNS, "test.example"},
        {"localhost", EKB_NAME_DNS, "localhost"},
        {"a", EKB_NAME_DNS, "a"},
        {"Test.EXAMPLE", EKB_NAME_DNS, "Test.EXAMPLE"},
        {"xn--bcher-kva.example", EKB_NAME_DNS, "xn--bcher-kva.example"},
        {"1.2.3.example", EKB_NAME_DNS, "1.2.3.example"},
        {"192.0.2.1", EKB_NAME_IP, "192.0.2.1"},
        {"0.0.0.0", EKB_NAME_IP, "0.0.0.0"},
        {"::1", EKB_NAME_IP, "::1"},
        {"::", EKB_NAME_IP, "::"},
        {"[::1]", EKB_NAME_IP, "::1"},
        {"[2001:db8::1]", EKB_NAME_IP, "2001:db8::1"},
        {"2001:DB8::1", EKB_NAME_IP, "2001:DB8::1"},
        {"::ffff:192.0.2.1", EKB_NAME_IP, "::ffff:192.0.2.1"},
        {"who@mail.example", EKB_NAME_EMAIL, "who@mail.example"},
        {"who+what@mail.example", EKB_NAME_EMAIL, "who+what@mail.example"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_name name = {.kind = EKB_NAME_NUM_KINDS};

        const enum ekb_err err = ekb_name_parse(&name, cases[i].text);

        cr_expect_eq(err, EKB_OK, "%s: %s", cases[i].text, ekb_err_name(err));
        cr_expect_eq(name.kind, cases[i].kind, "%s: %d", cases[i].text, (int)name.kind);
        cr_expect_str_eq(name.text, cases[i].name, "%s: %s", cases[i].text, name.text);
    }
}

// name_of_length writes a DNS name of `len` characters.
static void name_of_length(char *out_text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out_text[i] = i % 50 == 49 && i + 1 < len ? '.' : 'a';
    }
    out_text[len] = '\0';
}

Test(policy, reads_a_name_when_it_is_as_long_as_allowed)
{
    char text[512];
    struct ekb_name name = {.kind = EKB_NAME_NUM_KINDS};
    name_of_length(text, 253);

    const enum ekb_err err = ekb_name_parse(&name, text);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_str_eq(name.text, text, "%s", name.text);
}

Test(policy, refuses_a_name_when_it_is_too_long)
{
    static const size_t lens[] = {254, 255, 256, 300, 511};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        char text[512];
        struct ekb_name name = {.kind = EKB_NAME_NUM_KINDS};
        name_of_length(text, lens[i]);

        const enum ekb_err err = ekb_name_parse(&name, text);

        cr_expect_eq(err, EKB_USAGE, "%zu: %s", lens[i], ekb_err_name(err));
        cr_expect_eq(name.kind, EKB_NAME_NUM_KINDS, "%zu: the output was changed", lens[i]);
    }
}

Test(policy, refuses_a_name_when_it_is_none)
{
    static const char *const texts[] = {
        "",
        " ",
        "test example",
        " test.example",
        "test.example ",
        "test.example\n",
        "\ttest.example",
        "test\x01.example",
        "test\x7f.example",
        "b\xc3\xbc"
        "cher.example",
        "\xff",
        "w h o@mail.example",
        "[test.example]",
        "[::1::2]",
        "[who@mail.example]",
        "192.0.2.1 ",
        "::1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ekb_name name = {.kind = EKB_NAME_NUM_KINDS};

        const enum ekb_err err = ekb_name_parse(&name, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s, kind %d", texts[i], ekb_err_name(err),
                     (int)name.kind);
        cr_expect_eq(name.kind, EKB_NAME_NUM_KINDS, "\"%s\": the output was changed", texts[i]);
    }
}

// No DNS name has them, and an address that has them is none.
Test(policy, refuses_a_name_when_it_has_characters_of_an_address)
{
    static const char *const texts[] = {
        "1::2::3", "2001:db8::1/64",        "fe80::1%eth0",     "[]",          "[", "[::1",
        "::1]",    "https://test.example/", "test.example:443", "test/example"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ekb_name name = {.kind = EKB_NAME_NUM_KINDS};

        const enum ekb_err err = ekb_name_parse(&name, texts[i]);

        cr_expect_eq(err, EKB_USAGE, "\"%s\": %s, kind %d", texts[i], ekb_err_name(err),
                     (int)name.kind);
        cr_expect_eq(name.kind, EKB_NAME_NUM_KINDS, "\"%s\": the output was changed", texts[i]);
    }
}

// Equality: listeners whose policies are equal share what judges their peers.

static void other_eku(struct ekb_policy *policy)
{
    policy->eku = EKB_EKU_OFF;
}

static void other_level(struct ekb_policy *policy)
{
    policy->verify = EKB_VERIFY_PARSE;
}

static void optional(struct ekb_policy *policy)
{
    policy->cert = EKB_CERT_OPTIONAL;
}

static void other_depth(struct ekb_policy *policy)
{
    policy->max_depth++;
}

static void other_absent(struct ekb_policy *policy)
{
    policy->eku_absent = EKB_EKU_ABSENT_REJECT;
}

static void crls_on(struct ekb_policy *policy)
{
    policy->crl = EKB_CRL_ON;
}

static void crls_off(struct ekb_policy *policy)
{
    policy->crl = EKB_CRL_OFF;
}

static void no_name(struct ekb_policy *policy)
{
    policy->name = (struct ekb_name){.kind = EKB_NAME_NONE};
}

static void other_name(struct ekb_policy *policy)
{
    cr_assert_eq(ekb_name_parse(&policy->name, "b.example"), EKB_OK);
}

static void other_kind(struct ekb_policy *policy)
{
    policy->name.kind = EKB_NAME_EMAIL;
}

static const struct {
    const char *name;
    void (*edit)(struct ekb_policy *policy);
} differences[] = {
    {"eku", other_eku},           {"verify", other_level}, {"max_depth", other_depth},
    {"eku_absent", other_absent}, {"crl on", crls_on},     {"crl off", crls_off},
    {"no name", no_name},         {"another", other_name}, {"kind of name", other_kind},
    {"optional", optional},
};

static struct ekb_policy named_policy(void)
{
    struct ekb_policy policy = ekb_policy_default();
    cr_assert_eq(ekb_name_parse(&policy.name, "a.example"), EKB_OK);
    return policy;
}

Test(policy, is_equal_when_every_term_is)
{
    const struct ekb_policy a = named_policy();
    const struct ekb_policy b = named_policy();

    cr_expect(ekb_policy_equal(&a, &b));
}

Test(policy, is_not_equal_when_one_term_is_another)
{
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++) {
        const struct ekb_policy a = named_policy();
        struct ekb_policy b = named_policy();
        differences[i].edit(&b);

        cr_expect_not(ekb_policy_equal(&a, &b), "%s", differences[i].name);
        cr_expect_not(ekb_policy_equal(&b, &a), "%s, the other way", differences[i].name);
    }
}

// Depth.

// What the library really allows is tested in tls/test_eku_matrix.c.
Test(policy, counts_the_root_when_the_library_does)
{
    const int root = BORINGSSL_API_VERSION >= 29 ? 1 : 0;
    static const unsigned depths[] = {1, 2, 10, EKB_POLICY_DEFAULT_MAX_DEPTH, 1000};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        const int depth = ekb_policy_library_depth(depths[i]);

        cr_expect_eq(depth, (int)depths[i] - root, "%u: %d", depths[i], depth);
    }
}
