#include "ekubench/pki/policy.h"

#include <openssl/base.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

// The purposes by EKU mode. `on` needs nothing: a server's default is the client purpose. `off`
// sets the trust setting beside the purpose, for the sake of OpenSSL's "TRUSTED CERTIFICATE" form.
static const struct {
    const char *name;
    int purpose;
    int trust;
} eku_modes[EKB_EKU_NUM_MODES] = {
    [EKB_EKU_ON] = {"on", X509_PURPOSE_SSL_CLIENT, X509_TRUST_SSL_CLIENT},
    [EKB_EKU_OFF] = {"off", X509_PURPOSE_SSL_SERVER, X509_TRUST_SSL_SERVER},
    [EKB_EKU_NONE] = {"none", X509_PURPOSE_ANY, 0},
};

static const char *const verify_levels[EKB_VERIFY_NUM_LEVELS] = {
    [EKB_VERIFY_FULL] = "full",
    [EKB_VERIFY_PARSE] = "parse",
    [EKB_VERIFY_RAW] = "raw",
    [EKB_VERIFY_ONE_WAY] = "one-way",
};

struct ekb_policy ekb_policy_default(void)
{
    return (struct ekb_policy){
        .eku = EKB_EKU_ON, .verify = EKB_VERIFY_FULL, .max_depth = EKB_POLICY_DEFAULT_MAX_DEPTH};
}

const char *ekb_eku_mode_name(enum ekb_eku_mode mode)
{
    assert(mode < EKB_EKU_NUM_MODES);
    return eku_modes[mode].name;
}

const char *ekb_verify_level_name(enum ekb_verify_level level)
{
    assert(level < EKB_VERIFY_NUM_LEVELS);
    return verify_levels[level];
}

enum ekb_err ekb_eku_mode_parse(enum ekb_eku_mode *out_mode, const char *text)
{
    for (unsigned mode = 0; mode < EKB_EKU_NUM_MODES; mode++) {
        if (strcmp(text, eku_modes[mode].name) == 0) {
            *out_mode = (enum ekb_eku_mode)mode;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

enum ekb_err ekb_verify_level_parse(enum ekb_verify_level *out_level, const char *text)
{
    for (unsigned level = 0; level < EKB_VERIFY_NUM_LEVELS; level++) {
        if (strcmp(text, verify_levels[level]) == 0) {
            *out_level = (enum ekb_verify_level)level;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

int ekb_policy_purpose(enum ekb_eku_mode mode)
{
    assert(mode < EKB_EKU_NUM_MODES);
    return eku_modes[mode].purpose;
}

int ekb_policy_trust(enum ekb_eku_mode mode)
{
    assert(mode < EKB_EKU_NUM_MODES);
    return eku_modes[mode].trust;
}

int ekb_policy_library_depth(unsigned max_depth)
{
    assert(max_depth >= 1 && max_depth <= INT_MAX);
#if BORINGSSL_API_VERSION >= 29
    return (int)max_depth - 1;
#else
    return (int)max_depth;
#endif
}
