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
