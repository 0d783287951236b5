#include "ekubench/lab/outbound.h"

#include <criterion/criterion.h>

#include <string.h>

TestSuite(outbound, .timeout = 10);

// The lines of docs/domain.md section 9, letter for letter.
Test(outbound, logs_what_the_product_logs)
{
    char text[EKB_OUTBOUND_LOG_LEN];
    const struct ekb_outbound_verdict chain = {.err = EKB_VERIFY_SELF_SIGNED_LEAF, .depth = 0};
    const struct ekb_outbound_verdict name = {.err = EKB_VERIFY_IP, .is_name = true, .depth = 0};
    const struct ekb_outbound_verdict good = {.err = EKB_OK, .depth = -1};
    cr_expect_str_eq(
        ekb_outbound_log(text, &chain, "cucm.steven.lab", "10.48.36.215"),
        "WARNING: Core server certificate verification failed for (cucm.steven.lab). "
        "Action=Terminate Error=self signed certificate server=cucm.steven.lab(10.48.36.215) "
        "depth=0\n"
        "ERROR: SSL connection failed for 'cucm.steven.lab': certificate verify failed\n");
    cr_expect_str_eq(ekb_outbound_log(text, &name, "10.48.36.215", "10.48.36.215"),
                     "WARNING: SNI (10.48.36.215) not in certificate. Action=Terminate "
                     "server=10.48.36.215(10.48.36.215)\n");
    cr_expect_str_eq(ekb_outbound_log(text, &good, "x", "y"), "");
}

Test(outbound, says_what_to_do_about_every_reason)
{
    for (int err = EKB_VERIFY_UNSPECIFIED; err < EKB_ERR_COUNT; err++) {
        const struct ekb_outbound_verdict verdict = {.err = (enum ekb_err)err};
        cr_expect_str_not_empty(ekb_outbound_hint(&verdict), "%s", ekb_err_name((enum ekb_err)err));
    }
    const struct ekb_outbound_verdict good = {.err = EKB_OK};
    cr_expect_str_empty(ekb_outbound_hint(&good));
}

Test(outbound, asks_for_the_kind_that_the_release_prefers)
{
    const struct ekb_tls_preferences before = ekb_outbound_preferences(false);
    const struct ekb_tls_preferences now = ekb_outbound_preferences(true);
    const struct ekb_tls_preferences *const all[] = {&before, &now};
    cr_expect_eq(strncmp(before.signatures, "rsa", 3), 0);
    cr_expect_eq(strncmp(now.signatures, "ecdsa", 5), 0);
    for (size_t i = 0; i < 2; i++) {
        struct ekb_fail fail = {.err = EKB_OK};
        const struct ekb_tls_preferences only = ekb_outbound_only(i == 1);
        cr_expect_eq(ekb_tls_preferences_check(all[i], &fail), EKB_OK, "%s", fail.detail);
        cr_expect_eq(ekb_tls_preferences_check(&only, &fail), EKB_OK, "%s", fail.detail);
    }
}

// A server may have no other suite than the last of these.
Test(outbound, offers_old_suites_of_either_kind_and_all_curves)
{
    static const char *const suites[2][4] = {
        {"ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-SHA", "AES128-GCM-SHA256", "AES256-SHA"},
        {"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA",
         "ECDHE-ECDSA-AES256-GCM-SHA384"}};
    for (size_t kind = 0; kind < 2; kind++) {
        const struct ekb_tls_preferences only = ekb_outbound_only(kind == 1);
        const struct ekb_tls_preferences both = ekb_outbound_preferences(kind == 1);
        for (size_t i = 0; i < 4; i++) {
            cr_expect_not_null(strstr(only.ciphers, suites[kind][i]), "%s", suites[kind][i]);
            cr_expect_not_null(strstr(both.ciphers, suites[0][i]), "%s", suites[0][i]);
            cr_expect_not_null(strstr(both.ciphers, suites[1][i]), "%s", suites[1][i]);
        }
        cr_expect_not_null(strstr(only.groups, "P-521"));
        cr_expect_null(strstr(only.ciphers, "DES"));
        cr_expect_eq(strncmp(both.ciphers, only.ciphers, strlen(only.ciphers)), 0, "first: %s",
                     both.ciphers);
    }
    // Without forward secrecy only where there is nothing else of the kind.
    const char *const rsa = ekb_outbound_only(false).ciphers;
    cr_expect_gt(strstr(rsa, ":AES128-GCM-SHA256"), strstr(rsa, "ECDHE-RSA-AES256-SHA"));
}
