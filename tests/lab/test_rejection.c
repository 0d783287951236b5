#include "ekubench/lab/rejection.h"

#include "ekubench/pki/cert.h"
#include "ekubench/tls/alert.h"

#include <criterion/criterion.h>

#include <string.h>

TestSuite(rejection, .timeout = 10);

#define SERVER EKB_EKU_SERVER_AUTH
#define CLIENT EKB_EKU_CLIENT_AUTH

static int alert_of(const char *name)
{
    for (int alert = 0; alert < EKB_ALERT_MAX; alert++) {
        if (strcmp(ekb_alert_name(alert), name) == 0) {
            return alert;
        }
    }
    cr_assert_str_eq(name, "", "there is no such alert");
    return EKB_REJECTION_HUNG_UP;
}

// What is known, and a part of what is to be said.
static const struct {
    const char *alert; // "": it hung up.
    struct ekb_rejection known;
    const char *hint;
} cases[] = {
    // Something was presented.
    {"unsupported_certificate",
     {.asked = true, .presented = true, .eku = SERVER, .two_stores = true},
     "upload one with clientAuth to the client store"},
    {"unsupported_certificate",
     {.asked = true, .presented = true, .eku = EKB_EKU_OTHER},
     "upgrade to X15.5"},
    {"unsupported_certificate",
     {.asked = true, .presented = true, .eku = CLIENT, .two_stores = true},
     "EKU checking mode off"},
    {"unsupported_certificate",
     {.asked = true, .presented = true, .eku = CLIENT | SERVER, .two_stores = true},
     "though its usages are right"},
    {"unsupported_certificate",
     {.asked = true, .presented = true, .eku = EKB_EKU_ABSENT, .two_stores = true},
     "though its usages are right"},
    {"unknown_ca", {.asked = true, .presented = true, .eku = CLIENT}, "add its root to the server"},
    {"unknown_ca",
     {.asked = true, .presented = true, .eku = CLIENT, .self_signed = true},
     "signed by itself"},
    // It says the CA, so that the usages are not what is wrong first.
    {"unknown_ca", {.asked = true, .presented = true, .eku = SERVER}, "add its root to the server"},
    {"certificate_expired",
     {.asked = true, .presented = true, .eku = CLIENT, .expired = true},
     "renew"},
    {"certificate_expired", {.asked = true, .presented = true, .eku = CLIENT}, "server's clock"},
    {"certificate_revoked", {.asked = true, .presented = true, .eku = CLIENT}, "revoked"},
    {"decrypt_error", {.asked = true, .presented = true, .eku = CLIENT}, "signature"},
    {"access_denied", {.asked = true, .presented = true, .eku = CLIENT}, "access rules"},
    {"internal_error", {.asked = true, .presented = true, .eku = CLIENT}, "its log"},
    {"bad_certificate", {.asked = true, .presented = true, .eku = CLIENT}, "TLS verify name"},
    {"bad_certificate",
     {.asked = true, .presented = true, .eku = CLIENT, .expired = true},
     "renew"},
    {"certificate_unknown", {.asked = true, .presented = true, .eku = CLIENT}, "trust the CA"},
    {"certificate_unknown",
     {.asked = true, .presented = true, .eku = SERVER, .two_stores = true},
     "has no clientAuth"},
    {"handshake_failure",
     {.asked = true, .presented = true, .eku = SERVER},
     "has no clientAuth, which servers verify: have the certificate issued with clientAuth too"},
    {"handshake_failure", {.asked = true, .presented = true, .eku = CLIENT}, "kind of key"},
    {"", {.asked = true, .presented = true, .eku = CLIENT}, "did not say why"},
    {"illegal_parameter", {.asked = true, .presented = true, .eku = CLIENT}, "look at its log"},

    // Nothing was, though it was asked for: whatever the server says.
    {"certificate_required", {.asked = true, .two_stores = true}, "to the client store"},
    {"certificate_required", {.asked = true}, "serverAuth and clientAuth"},
    {"handshake_failure", {.asked = true, .two_stores = true}, "none was presented"},
    {"bad_certificate", {.asked = true, .two_stores = true}, "none was presented"},
    {"no_certificate", {.asked = true, .two_stores = true}, "none was presented"},
    {"", {.asked = true, .two_stores = true}, "none was presented"},

    // Nothing was asked for: it is not about the node's certificate.
    {"handshake_failure", {.two_stores = true}, "no cipher suite, group or signature algorithm"},
    {"insufficient_security", {.two_stores = true}, "no cipher suite"},
    {"protocol_version", {.two_stores = true}, "--tls any"},
    {"unrecognized_name", {.two_stores = true}, "--name"},
    {"internal_error", {.two_stores = true}, "failed by itself"},
    {"access_denied", {.two_stores = true}, "before it asked for a certificate"},
    {"", {.two_stores = true}, "ended the connection before"},
};

Test(rejection, says_what_to_do_about_what_is_known)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_rejection rejection = cases[i].known;
        rejection.alert =
            cases[i].alert[0] != '\0' ? alert_of(cases[i].alert) : EKB_REJECTION_HUNG_UP;
        const char *hint = ekb_rejection_hint(&rejection);
        cr_expect_not_null(strstr(hint, cases[i].hint), "%zu, %s: no \"%s\" in \"%s\"", i,
                           cases[i].alert, cases[i].hint, hint);
    }
}

Test(rejection, says_something_about_every_alert)
{
    for (int alert = EKB_REJECTION_HUNG_UP; alert < EKB_ALERT_MAX; alert++) {
        for (unsigned facts = 0; facts < 64; facts++) {
            const struct ekb_rejection rejection = {.alert = alert,
                                                    .asked = (facts & 1) != 0,
                                                    .presented = (facts & 3) == 3,
                                                    .eku = (facts & 4) != 0 ? SERVER : CLIENT,
                                                    .self_signed = (facts & 8) != 0,
                                                    .expired = (facts & 16) != 0,
                                                    .two_stores = (facts & 32) != 0};
            cr_expect_str_not_empty(ekb_rejection_hint(&rejection), "%d, %u", alert, facts);
        }
    }
}
