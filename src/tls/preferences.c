#include "ekubench/tls/preferences.h"

#include "tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MAX_LIST_LEN 512

// The library's default does not verify Ed25519 or P-521 signatures, and offers what it verifies.
static const struct {
    const char *name;
    uint16_t id;
} algorithms[] = {
    {"ecdsa_secp256r1_sha256", SSL_SIGN_ECDSA_SECP256R1_SHA256},
    {"ecdsa_secp384r1_sha384", SSL_SIGN_ECDSA_SECP384R1_SHA384},
    {"ecdsa_secp521r1_sha512", SSL_SIGN_ECDSA_SECP521R1_SHA512},
    {"ed25519", SSL_SIGN_ED25519},
    {"rsa_pss_rsae_sha256", SSL_SIGN_RSA_PSS_RSAE_SHA256},
    {"rsa_pss_rsae_sha384", SSL_SIGN_RSA_PSS_RSAE_SHA384},
    {"rsa_pss_rsae_sha512", SSL_SIGN_RSA_PSS_RSAE_SHA512},
    {"rsa_pkcs1_sha256", SSL_SIGN_RSA_PKCS1_SHA256},
    {"rsa_pkcs1_sha384", SSL_SIGN_RSA_PKCS1_SHA384},
    {"rsa_pkcs1_sha512", SSL_SIGN_RSA_PKCS1_SHA512},
};

#define NUM_ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

// is_list is true if there is a word before, between and after all colons.
static bool is_list(const char *list)
{
    const size_t len = strlen(list);
    return len > 0 && list[0] != ':' && list[len - 1] != ':' && strstr(list, "::") == NULL;
}

// next_word takes the next word of a list joined by colons; false at its end.
static bool next_word(const char **list, char *out_word, size_t word_len)
{
    if (**list == '\0') {
        return false;
    }
    const size_t len = strcspn(*list, ":");
    (void)snprintf(out_word, word_len, "%.*s", (int)len, *list);
    *list += len;
    *list += **list == ':' ? 1 : 0;
    return true;
}

// has_word is true if `word` is one of the words of a list.
static bool has_word(const char *list, const char *word)
{
    char other[MAX_LIST_LEN];
    while (next_word(&list, other, sizeof other)) {
        if (strcmp(other, word) == 0) {
            return true;
        }
    }
    return false;
}

static bool knows_group(const char *name)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    const bool knows = context != NULL && SSL_CTX_set1_curves_list(context, name) == 1;
    SSL_CTX_free(context);
    ERR_clear_error();
    return knows;
}

const char *ekb_tls_hybrid_group(void)
{
    static const char *const names[] = {"X25519MLKEM768", "X25519KYBER"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (knows_group(names[i])) {
            return names[i];
        }
    }
    return NULL;
}

static bool set_groups(SSL_CTX *context, const char *list)
{
    char word[MAX_LIST_LEN];
    char known[MAX_LIST_LEN] = "";
    size_t len = 0;
    while (next_word(&list, word, sizeof word)) {
        // Only by trying is known which of its names the library has.
        const char *hybrid = strcmp(word, EKB_TLS_HYBRID) == 0 ? ekb_tls_hybrid_group() : NULL;
        const char *name = hybrid != NULL ? hybrid : word;
        // The library would offer it twice.
        if (has_word(known, name)) {
            return false;
        }
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len > 0 ? ":" : "", name);
        if (len >= sizeof known) {
            return false;
        }
    }
    return SSL_CTX_set1_curves_list(context, known) == 1;
}

// set_ciphers takes names of suites only: what else the library's language has (classes,
// exclusions, alternatives) gives another number of suites than of words.
static bool set_ciphers(SSL_CTX *context, const char *list)
{
    size_t num_words = 1;
    for (const char *at = list; *at != '\0'; at++) {
        num_words += *at == ':' ? 1 : 0;
    }
    return SSL_CTX_set_strict_cipher_list(context, list) == 1 &&
           sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(context)) == num_words;
}

static bool set_signatures(SSL_CTX *context, const char *list)
{
    uint16_t ids[NUM_ALGORITHMS];
    size_t num_ids = 0;
    char word[MAX_LIST_LEN];
    for (size_t i = 0; list == NULL && i < NUM_ALGORITHMS; i++) {
        ids[num_ids++] = algorithms[i].id;
    }
    while (list != NULL && next_word(&list, word, sizeof word)) {
        size_t i = 0;
        while (i < NUM_ALGORITHMS && strcmp(algorithms[i].name, word) != 0) {
            i++;
        }
        if (i == NUM_ALGORITHMS || num_ids == NUM_ALGORITHMS) {
            return false;
        }
        ids[num_ids++] = algorithms[i].id;
    }
    // The library refuses a list in which one is twice.
    return num_ids > 0 && SSL_CTX_set_verify_algorithm_prefs(context, ids, num_ids) == 1;
}

enum ekb_err ekb_tls_prefer(SSL_CTX *context, const struct ekb_tls_preferences *preferences,
                            struct ekb_fail *reterr_fail)
{
    const char *groups = ekb_tls_preferences_groups(preferences);
    const char *ciphers = preferences->ciphers != NULL ? preferences->ciphers : EKB_TLS_CIPHERS;
    enum ekb_err err = EKB_OK;
    if (!is_list(groups) || !set_groups(context, groups)) {
        const char *const hybrid = ekb_tls_hybrid_group();
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "groups \"%s\": X25519, P-256, P-384, P-521 and %s%s are known, once "
                           "each, joined by colons",
                           groups, hybrid != NULL ? EKB_TLS_HYBRID " = " : "no hybrid",
                           hybrid != NULL ? hybrid : "");
    } else if (!is_list(ciphers) || !set_ciphers(context, ciphers)) {
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "ciphers \"%s\": suites of TLS 1.2 by OpenSSL's names, once each, "
                           "joined by colons, are wanted (those of TLS 1.3 are the library's "
                           "choice)",
                           ciphers);
    } else if ((preferences->signatures != NULL && !is_list(preferences->signatures)) ||
               !set_signatures(context, preferences->signatures)) {
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "signatures \"%s\": names as ecdsa_secp256r1_sha256, "
                           "rsa_pss_rsae_sha256, rsa_pkcs1_sha256 or ed25519, once each, joined by "
                           "colons, are wanted",
                           preferences->signatures != NULL ? preferences->signatures : "");
    }
    ERR_clear_error();
    return err;
}

enum ekb_err ekb_tls_preferences_check(const struct ekb_tls_preferences *preferences,
                                       struct ekb_fail *reterr_fail)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL) {
        ERR_clear_error();
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "TLS configuration");
    }
    const enum ekb_err err = ekb_tls_prefer(context, preferences, reterr_fail);
    SSL_CTX_free(context);
    return err;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const char *ekb_tls_preferences_groups(const struct ekb_tls_preferences *preferences)
{
    return preferences->groups != NULL ? preferences->groups : EKB_TLS_GROUPS;
}

bool ekb_tls_preferences_equal(const struct ekb_tls_preferences *a,
                               const struct ekb_tls_preferences *b)
{
    return same(a->groups, b->groups) && same(a->ciphers, b->ciphers) &&
           same(a->signatures, b->signatures);
}
