#include "cli/service.h"

#include "ekubench/peer/listen.h"
#include "ekubench/tls/alert.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

static json_t *failures_json(const struct ekb_tally_arm *arm)
{
    json_t *object = json_object();
    for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
        if (arm->failures[err] > 0) {
            (void)json_object_set_new(object, ekb_err_name((enum ekb_err)err),
                                      json_integer((json_int_t)arm->failures[err]));
        }
    }
    return object;
}

static json_t *alerts_json(const struct ekb_tally_arm *arm)
{
    json_t *object = json_object();
    for (int alert = 0; alert < EKB_TALLY_NUM_ALERTS; alert++) {
        if (arm->alerts[alert] > 0) {
            (void)json_object_set_new(object, ekb_alert_name(alert),
                                      json_integer((json_int_t)arm->alerts[alert]));
        }
    }
    return object;
}

// terms_json is what chains are verified for: all null if they are not verified.
static json_t *terms_json(const struct ekb_policy *policy)
{
    if (policy->verify != EKB_VERIFY_FULL) {
        return json_pack("{s:n, s:n, s:n, s:n, s:n}", "eku", "depth", "eku_absent", "crl", "name");
    }
    return json_pack("{s:s, s:I, s:s, s:s, s:s?}", "eku", ekb_eku_mode_name(policy->eku), "depth",
                     (json_int_t)policy->max_depth, "eku_absent",
                     ekb_eku_absent_name(policy->eku_absent), "crl", ekb_crl_mode_name(policy->crl),
                     "name", policy->name.kind != EKB_NAME_NONE ? policy->name.text : NULL);
}

static json_t *counts_json(const struct ekb_tally_arm *arm)
{
    return json_pack("{s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o, s:o}", "handshakes", "started",
                     (json_int_t)arm->started, "accepted", (json_int_t)arm->accepted, "resumed",
                     (json_int_t)arm->resumed, "rejected", (json_int_t)arm->rejected, "failed",
                     (json_int_t)arm->failed, "unfinished", (json_int_t)arm->unfinished, "failures",
                     failures_json(arm), "alerts", alerts_json(arm));
}

static json_t *listener_json(const struct ekb_listener *listener, const struct ekb_tally_arm *arm)
{
    char address[EKB_ADDRESS_TEXT_LEN];
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "address",
                               ekb_address_format(address, &listener->address), "verify",
                               ekb_verify_level_name(listener->policy.verify), "tls",
                               ekb_tls_version_name(listener->version), "resume",
                               listener->resumption == EKB_TLS_RESUME_ON ? "on" : "off");
    // The parts are given away, whatever happens.
    json_t *terms = terms_json(&listener->policy);
    json_t *counts = counts_json(arm);
    const bool with_terms = json_object_update_new(object, terms) == 0;
    const bool with_counts = json_object_update_new(object, counts) == 0;
    if (!with_terms || !with_counts) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static int print_json(const struct ekb_listener *listeners, size_t num_listeners,
                      const struct ekb_tally *tally)
{
    json_t *list = json_array();
    for (size_t i = 0; i < num_listeners; i++) {
        if (json_array_append_new(list, listener_json(&listeners[i], &tally->arms[i])) != 0) {
            json_decref(list);
            return ekb_cli_print_json(NULL);
        }
    }
    return ekb_cli_print_json(json_pack("{s:o, s:I}", "listeners", list, "accept_errors",
                                        (json_int_t)tally->num_accept_errors));
}

static void print_text(const struct ekb_listener *listeners, size_t num_listeners,
                       const struct ekb_tally *tally)
{
    for (size_t i = 0; i < num_listeners; i++) {
        const struct ekb_tally_arm *arm = &tally->arms[i];
        char label[EKB_LISTENER_TEXT_LEN];
        ekb_listener_format(label, sizeof label, &listeners[i]);
        (void)printf(
            "%s: %llu connections: %llu accepted, %llu rejected, %llu failed, %llu unfinished\n",
            label, (unsigned long long)arm->started, (unsigned long long)arm->accepted,
            (unsigned long long)arm->rejected, (unsigned long long)arm->failed,
            (unsigned long long)arm->unfinished);
        if (arm->resumed > 0) {
            (void)printf("  of those accepted, %llu resumed a session\n",
                         (unsigned long long)arm->resumed);
        }
        for (unsigned err = 0; err < EKB_ERR_COUNT; err++) {
            if (arm->failures[err] > 0) {
                (void)printf("  %s: %llu (%s)\n", ekb_err_name((enum ekb_err)err),
                             (unsigned long long)arm->failures[err],
                             ekb_err_sentence((enum ekb_err)err));
            }
        }
        for (int alert = 0; alert < EKB_TALLY_NUM_ALERTS; alert++) {
            if (arm->alerts[alert] > 0) {
                (void)printf("  alert %s sent: %llu\n", ekb_alert_name(alert),
                             (unsigned long long)arm->alerts[alert]);
            }
        }
    }
    if (tally->num_accept_errors > 0) {
        (void)printf("accepting failed %llu times, for want of open files or memory: those clients "
                     "had to wait\n",
                     (unsigned long long)tally->num_accept_errors);
    }
    (void)fflush(stdout);
}

int ekb_service_print_totals(const struct ekb_listener *listeners, size_t num_listeners,
                             const struct ekb_tally *tally, enum ekb_cli_format format)
{
    if (format == EKB_CLI_JSON) {
        return print_json(listeners, num_listeners, tally);
    }
    print_text(listeners, num_listeners, tally);
    return EKB_EXIT_OK;
}
