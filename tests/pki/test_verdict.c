#include "ekubench/pki/verdict.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// Beyond the highest number that the library gives (67).
#define NUM_RESULTS 128

// is_known tells results that the library has a sentence for.
static bool is_known(int result)
{
    return strcmp(X509_verify_cert_error_string(result),
                  "unknown certificate verification error") != 0;
}

Test(verdict, is_ok_without_alert_when_verified)
{
    const struct ekb_verdict verdict = ekb_verdict_from_library(X509_V_OK);

    cr_expect_eq(verdict.err, EKB_OK, "%s", ekb_err_name(verdict.err));
    cr_expect_eq(verdict.alert, -1, "%d", verdict.alert);
}

Test(verdict, sends_the_librarys_alert_when_of_any_result)
{
    for (int result = 1; result < NUM_RESULTS; result++) {
        const struct ekb_verdict verdict = ekb_verdict_from_library(result);

        const int alert = SSL_alert_from_verify_result(result);
        cr_expect_eq(verdict.alert, alert, "%d (%s): %d, not %d", result,
                     X509_verify_cert_error_string(result), verdict.alert, alert);
    }
}

Test(verdict, has_a_code_of_verification_when_of_any_result)
{
    for (int result = 1; result < NUM_RESULTS; result++) {
        const struct ekb_verdict verdict = ekb_verdict_from_library(result);

        const char *name = ekb_err_name(verdict.err);
        cr_expect_eq(strncmp(name, "verify_", 7), 0, "%d: %s", result, name);
    }
}

Test(verdict, has_a_code_of_its_own_when_the_library_knows_the_result)
{
    int num_known = 0;
    for (int result = 2; result < NUM_RESULTS; result++) {
        if (is_known(result)) {
            const struct ekb_verdict verdict = ekb_verdict_from_library(result);

            num_known++;
            cr_expect_neq(verdict.err, EKB_VERIFY_UNSPECIFIED, "%d (%s)", result,
                          X509_verify_cert_error_string(result));
        }
    }
    // Else the loop has tested nothing.
    cr_assert_gt(num_known, 40, "%d", num_known);
}

Test(verdict, is_unspecified_when_the_library_does_not_know_the_result)
{
    static const int results[] = {68, 127, 1000, -1};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        const struct ekb_verdict verdict = ekb_verdict_from_library(results[i]);

        cr_expect_eq(verdict.err, EKB_VERIFY_UNSPECIFIED, "%d: %s", results[i],
                     ekb_err_name(verdict.err));
        cr_expect_eq(verdict.alert, SSL_AD_CERTIFICATE_UNKNOWN, "%d: %d", results[i],
                     verdict.alert);
    }
}

// The results that clients with a bad certificate get.
Test(verdict, has_a_known_code_and_alert_when_a_certificate_is_bad)
{
    static const struct {
        int result;
        enum ekb_err err;
        const char *name;
        int alert;
    } cases[] = {
        {7, EKB_VERIFY_SIGNATURE, "verify_signature", 51},
        {9, EKB_VERIFY_NOT_YET_VALID, "verify_not_yet_valid", 45},
        {10, EKB_VERIFY_EXPIRED, "verify_expired", 45},
        {18, EKB_VERIFY_SELF_SIGNED_LEAF, "verify_self_signed_leaf", 48},
        {19, EKB_VERIFY_SELF_SIGNED_IN_CHAIN, "verify_self_signed_in_chain", 48},
        {20, EKB_VERIFY_NO_LOCAL_ISSUER, "verify_no_local_issuer", 48},
        {23, EKB_VERIFY_REVOKED, "verify_revoked", 44},
        {24, EKB_VERIFY_INVALID_CA, "verify_invalid_ca", 48},
        {25, EKB_VERIFY_PATH_LENGTH, "verify_path_length", 48},
        {26, EKB_VERIFY_PURPOSE, "verify_purpose", 43},
        {34, EKB_VERIFY_UNHANDLED_CRITICAL, "verify_unhandled_critical", 46},
        {50, EKB_VERIFY_APPLICATION, "verify_application", 40},
        {62, EKB_VERIFY_HOSTNAME, "verify_hostname", 42},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ekb_verdict verdict = ekb_verdict_from_library(cases[i].result);

        cr_expect_eq(verdict.err, cases[i].err, "%d: %s", cases[i].result,
                     ekb_err_name(verdict.err));
        cr_expect_str_eq(ekb_err_name(verdict.err), cases[i].name);
        cr_expect_eq(verdict.alert, cases[i].alert, "%d: %d", cases[i].result, verdict.alert);
    }
}

Test(verdict, has_the_librarys_sentence_when_the_purpose_is_unsupported)
{
    const struct ekb_verdict verdict = ekb_verdict_from_library(X509_V_ERR_INVALID_PURPOSE);

    cr_expect_str_eq(ekb_err_sentence(verdict.err), "unsupported certificate purpose");
    cr_expect_str_eq(ekb_err_sentence(verdict.err),
                     X509_verify_cert_error_string(X509_V_ERR_INVALID_PURPOSE));
}
