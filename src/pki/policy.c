#include "ekubench/pki/policy.h"

#include "pki/pki_internal.h"

#include <openssl/base.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

static const char *const eku_absents[EKB_EKU_ABSENT_NUM] = {
    [EKB_EKU_ABSENT_ACCEPT] = "accept",
    [EKB_EKU_ABSENT_REJECT] = "reject",
};

static const char *const crl_modes[EKB_CRL_NUM_MODES] = {
    [EKB_CRL_AUTO] = "auto",
    [EKB_CRL_ON] = "on",
    [EKB_CRL_OFF] = "off",
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

// find_word returns the position of `text` in `words`, `num_words` if it is none of them.
static unsigned find_word(const char *const *words, unsigned num_words, const char *text)
{
    unsigned position = 0;
    while (position < num_words && strcmp(text, words[position]) != 0) {
        position++;
    }
    return position;
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
    const unsigned level = find_word(verify_levels, EKB_VERIFY_NUM_LEVELS, text);
    if (level == EKB_VERIFY_NUM_LEVELS) {
        return EKB_USAGE;
    }
    *out_level = (enum ekb_verify_level)level;
    return EKB_OK;
}

const char *ekb_eku_absent_name(enum ekb_eku_absent absent)
{
    assert(absent < EKB_EKU_ABSENT_NUM);
    return eku_absents[absent];
}

enum ekb_err ekb_eku_absent_parse(enum ekb_eku_absent *out_absent, const char *text)
{
    const unsigned absent = find_word(eku_absents, EKB_EKU_ABSENT_NUM, text);
    if (absent == EKB_EKU_ABSENT_NUM) {
        return EKB_USAGE;
    }
    *out_absent = (enum ekb_eku_absent)absent;
    return EKB_OK;
}

const char *ekb_crl_mode_name(enum ekb_crl_mode mode)
{
    assert(mode < EKB_CRL_NUM_MODES);
    return crl_modes[mode];
}

enum ekb_err ekb_crl_mode_parse(enum ekb_crl_mode *out_mode, const char *text)
{
    const unsigned mode = find_word(crl_modes, EKB_CRL_NUM_MODES, text);
    if (mode == EKB_CRL_NUM_MODES) {
        return EKB_USAGE;
    }
    *out_mode = (enum ekb_crl_mode)mode;
    return EKB_OK;
}

bool ekb_policy_equal(const struct ekb_policy *a, const struct ekb_policy *b)
{
    return a->eku == b->eku && a->verify == b->verify && a->cert == b->cert &&
           a->max_depth == b->max_depth && a->eku_absent == b->eku_absent && a->crl == b->crl &&
           a->name.kind == b->name.kind && strcmp(a->name.text, b->name.text) == 0;
}

bool ekb_pki_is_ip_address(const char *text)
{
    uint8_t address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

// is_plain is true if `text` is printable ASCII without blanks. Letters beyond: a certificate has
// the A-label form (RFC 5890).
static bool is_plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) {
            return false;
        }
    }
    return true;
}

enum ekb_err ekb_name_parse(struct ekb_name *out_name, const char *text)
{
    struct ekb_name name = {.kind = EKB_NAME_DNS};
    const size_t len = strlen(text);
    const bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (len == 0 || len >= sizeof name.text || !is_plain(text)) {
        return EKB_USAGE;
    }
    memcpy(name.text, bracketed ? text + 1 : text, bracketed ? len - 2 : len);
    if (ekb_pki_is_ip_address(name.text)) {
        name.kind = EKB_NAME_IP;
    } else if (strchr(name.text, '@') != NULL) {
        name.kind = EKB_NAME_EMAIL;
    }
    // Brackets are for IPv6; and a URL, a port, or an address that is none, is no DNS name.
    if ((bracketed && (name.kind != EKB_NAME_IP || strchr(name.text, ':') == NULL)) ||
        (name.kind == EKB_NAME_DNS && strpbrk(name.text, ":/%[]") != NULL)) {
        return EKB_USAGE;
    }
    *out_name = name;
    return EKB_OK;
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
