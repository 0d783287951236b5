#include "ekubench/peer/listen.h"

#include "ekubench/base/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ekb_err parse_eku(struct ekb_listener *listener, const char *value)
{
    return ekb_eku_mode_parse(&listener->policy.eku, value);
}

static enum ekb_err parse_eku_absent(struct ekb_listener *listener, const char *value)
{
    return ekb_eku_absent_parse(&listener->policy.eku_absent, value);
}

static enum ekb_err parse_verify(struct ekb_listener *listener, const char *value)
{
    return ekb_verify_level_parse(&listener->policy.verify, value);
}

static enum ekb_err parse_tls(struct ekb_listener *listener, const char *value)
{
    return ekb_tls_version_parse(&listener->version, value);
}

static enum ekb_err parse_depth(struct ekb_listener *listener, const char *value)
{
    uint64_t depth = 0;
    const enum ekb_err err = ekb_units_parse_count(&depth, value, 1, 100);
    listener->policy.max_depth = (unsigned)depth;
    return err;
}

static enum ekb_err parse_crl(struct ekb_listener *listener, const char *value)
{
    return ekb_crl_mode_parse(&listener->policy.crl, value);
}

static enum ekb_err parse_resume(struct ekb_listener *listener, const char *value)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        return EKB_USAGE;
    }
    listener->resumption = strcmp(value, "on") == 0 ? EKB_TLS_RESUME_ON : EKB_TLS_RESUME_OFF;
    return EKB_OK;
}

// take_text copies `value` into the array `out_text`; EKB_USAGE if it is empty or does not fit.
static enum ekb_err take_text(char *out_text, size_t text_len, const char *value)
{
    const size_t len = strlen(value);
    if (len == 0 || len >= text_len) {
        return EKB_USAGE;
    }
    memcpy(out_text, value, len + 1);
    return EKB_OK;
}

static enum ekb_err parse_groups(struct ekb_listener *listener, const char *value)
{
    const struct ekb_tls_preferences preferences = {.groups = listener->groups};
    const enum ekb_err err = take_text(listener->groups, sizeof listener->groups, value);
    return err == EKB_OK ? ekb_tls_preferences_check(&preferences, NULL) : err;
}

static enum ekb_err parse_ciphers(struct ekb_listener *listener, const char *value)
{
    const struct ekb_tls_preferences preferences = {.ciphers = listener->ciphers};
    const enum ekb_err err = take_text(listener->ciphers, sizeof listener->ciphers, value);
    return err == EKB_OK ? ekb_tls_preferences_check(&preferences, NULL) : err;
}

static enum ekb_err parse_second(struct ekb_listener *listener, const char *value)
{
    return take_text(listener->second_store, sizeof listener->second_store, value);
}

static enum ekb_err parse_name(struct ekb_listener *listener, const char *value)
{
    return ekb_name_parse(&listener->policy.name, value);
}

static const struct {
    const char *key;
    enum ekb_err (*parse)(struct ekb_listener *listener, const char *value);
    const char *values;
} keys[] = {
    {"eku", parse_eku, "on, off or none"},
    {"eku-absent", parse_eku_absent, "accept or reject"},
    {"verify", parse_verify, "full, parse, raw or one-way"},
    {"tls", parse_tls, "1.2, 1.3 or any"},
    {"depth", parse_depth, "a number from 1 to 100"},
    {"crl", parse_crl, "auto, on or off"},
    {"resume", parse_resume, "on or off"},
    {"name", parse_name, "a DNS name, an IP address or an e-mail address"},
    {"groups", parse_groups, "X25519, P-256, P-384, P-521 or hybrid, joined by colons,"},
    {"ciphers", parse_ciphers, "suites of TLS 1.2 by OpenSSL's names, joined by colons,"},
    {"second", parse_second, "the directory of another store"},
};

#define NUM_KEYS (sizeof keys / sizeof keys[0])

// parse_option notes in `named` which keys there were.
static enum ekb_err parse_option(struct ekb_listener *listener, bool named[NUM_KEYS],
                                 const char *option, const char *text, struct ekb_fail *reterr_fail)
{
    const size_t key_len = strcspn(option, "=");
    for (size_t i = 0; i < NUM_KEYS; i++) {
        if (strlen(keys[i].key) != key_len || memcmp(option, keys[i].key, key_len) != 0) {
            continue;
        }
        if (named[i]) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" in \"%s\": %s= is there twice",
                                option, text, keys[i].key);
        }
        named[i] = true;
        if (option[key_len] == '=' && keys[i].parse(listener, option + key_len + 1) == EKB_OK) {
            return EKB_OK;
        }
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\" in \"%s\": %s is wanted", option,
                            text, keys[i].values);
    }
    return ekb_fail_set(
        reterr_fail, EKB_USAGE, 0,
        "\"%s\" in \"%s\": eku=, eku-absent=, verify=, tls=, depth=, crl=, resume=, "
        "name=, groups=, ciphers= and second= are known",
        option, text);
}

enum ekb_err ekb_listener_parse(struct ekb_listener *out_listener, const char *text,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_listener listener = {
        .policy = ekb_policy_default(), .version = EKB_TLS_ANY, .fd = -1};
    bool named[NUM_KEYS] = {false};
    char *copy = strdup(text);
    char *rest = NULL;
    if (copy == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "listener");
    }
    const char *word = strtok_r(copy, ",", &rest);
    enum ekb_err err = ekb_address_parse(&listener.address, word != NULL ? word : "", reterr_fail);
    while (err == EKB_OK && (word = strtok_r(NULL, ",", &rest)) != NULL) {
        err = parse_option(&listener, named, word, text, reterr_fail);
    }
    free(copy);
    if (err == EKB_OK && listener.version == EKB_TLS_1_3 && listener.ciphers[0] != '\0') {
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                           "\"%s\": ciphers= is of TLS 1.2; the suite of TLS 1.3 is the library's "
                           "choice",
                           text);
    }
    if (err == EKB_OK) {
        *out_listener = listener;
    }
    return err;
}

void ekb_listener_format(char *out_text, size_t text_len, const struct ekb_listener *listener)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    char depth[24] = "";
    const struct ekb_policy *policy = &listener->policy;
    // What chains are verified for means something only if they are.
    const bool full = policy->verify == EKB_VERIFY_FULL;
    const bool absent_rejected = full && policy->eku_absent == EKB_EKU_ABSENT_REJECT;
    const bool crl_named = full && policy->crl != EKB_CRL_AUTO;
    const bool has_name = full && policy->name.kind != EKB_NAME_NONE;
    if (full) {
        (void)snprintf(depth, sizeof depth, ",depth=%u", policy->max_depth);
    }
    (void)snprintf(
        out_text, text_len, "%s%s%s,verify=%s,tls=%s%s%s%s%s%s%s%s%s%s%s%s%s%s",
        ekb_address_format(address, &listener->address), full ? ",eku=" : "",
        full ? ekb_eku_mode_name(policy->eku) : "", ekb_verify_level_name(policy->verify),
        ekb_tls_version_name(listener->version), depth, absent_rejected ? ",eku-absent=reject" : "",
        crl_named ? ",crl=" : "", crl_named ? ekb_crl_mode_name(policy->crl) : "",
        listener->resumption == EKB_TLS_RESUME_ON ? ",resume=on" : "", has_name ? ",name=" : "",
        has_name ? policy->name.text : "", listener->groups[0] != '\0' ? ",groups=" : "",
        listener->groups, listener->ciphers[0] != '\0' ? ",ciphers=" : "", listener->ciphers,
        listener->second_store[0] != '\0' ? ",second=" : "", listener->second_store);
}

void ekb_listener_take_terms(struct ekb_listener *listener, const struct ekb_listener *from)
{
    listener->policy = from->policy;
    listener->version = from->version;
    listener->resumption = from->resumption;
    memcpy(listener->groups, from->groups, sizeof listener->groups);
    memcpy(listener->ciphers, from->ciphers, sizeof listener->ciphers);
    memcpy(listener->second_store, from->second_store, sizeof listener->second_store);
    listener->ticket_key = from->ticket_key;
}

static const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

struct ekb_tls_preferences ekb_listener_preferences(const struct ekb_listener *listener)
{
    return (struct ekb_tls_preferences){.groups = text_or_null(listener->groups),
                                        .ciphers = text_or_null(listener->ciphers)};
}
