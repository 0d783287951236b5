#include "ekubench/peer/listen.h"

#include "ekubench/base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ekb_err parse_depth(struct ekb_listener *listener, const char *value)
{
    uint64_t depth = 0;
    const enum ekb_err err = ekb_units_parse_count(&depth, value, 1, 100);
    listener->policy.max_depth = (unsigned)depth;
    return err;
}

static enum ekb_err parse_option(struct ekb_listener *listener, const char *option)
{
    const char *value = strchr(option, '=');
    const size_t key_len = value != NULL ? (size_t)(value - option) : 0;
    value = value != NULL ? value + 1 : "";
    if (key_len == 3 && strncmp(option, "eku", 3) == 0) {
        return ekb_eku_mode_parse(&listener->policy.eku, value);
    }
    if (key_len == 6 && strncmp(option, "verify", 6) == 0) {
        return ekb_verify_level_parse(&listener->policy.verify, value);
    }
    if (key_len == 3 && strncmp(option, "tls", 3) == 0) {
        return ekb_tls_version_parse(&listener->version, value);
    }
    if (key_len == 5 && strncmp(option, "depth", 5) == 0) {
        return parse_depth(listener, value);
    }
    return EKB_USAGE;
}

enum ekb_err ekb_listener_parse(struct ekb_listener *out_listener, const char *text,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_listener listener = {
        .policy = ekb_policy_default(), .version = EKB_TLS_ANY, .fd = -1};
    char *copy = strdup(text);
    char *rest = NULL;
    if (copy == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "listener");
    }
    const char *word = strtok_r(copy, ",", &rest);
    enum ekb_err err = ekb_address_parse(&listener.address, word != NULL ? word : "", reterr_fail);
    while (err == EKB_OK && (word = strtok_r(NULL, ",", &rest)) != NULL) {
        if (parse_option(&listener, word) != EKB_OK) {
            err = ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                               "\"%s\" in \"%s\": eku=on|off|none, verify=full|parse|raw|one-way, "
                               "tls=1.2|1.3|any and depth=1..100 are known",
                               word, text);
        }
    }
    free(copy);
    if (err == EKB_OK) {
        *out_listener = listener;
    }
    return err;
}

void ekb_listener_format(char *out_text, size_t text_len, const struct ekb_listener *listener)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    (void)snprintf(out_text, text_len, "%s,eku=%s,verify=%s,tls=%s,depth=%u",
                   ekb_address_format(address, &listener->address),
                   ekb_eku_mode_name(listener->policy.eku),
                   ekb_verify_level_name(listener->policy.verify),
                   ekb_tls_version_name(listener->version), listener->policy.max_depth);
}
