#include "ekubench/tls/alert.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include <ctype.h>
#include <stddef.h>
#include <string.h>

Test(alert, has_its_registered_name_when_assigned)
{
    // IANA, "TLS Alerts".
    static const struct {
        int alert;
        const char *name;
    } cases[] = {
        {0, "close_notify"},
        {10, "unexpected_message"},
        {20, "bad_record_mac"},
        {22, "record_overflow"},
        {40, "handshake_failure"},
        {42, "bad_certificate"},
        {43, "unsupported_certificate"},
        {44, "certificate_revoked"},
        {45, "certificate_expired"},
        {46, "certificate_unknown"},
        {47, "illegal_parameter"},
        {48, "unknown_ca"},
        {49, "access_denied"},
        {50, "decode_error"},
        {51, "decrypt_error"},
        {70, "protocol_version"},
        {71, "insufficient_security"},
        {80, "internal_error"},
        {86, "inappropriate_fallback"},
        {90, "user_canceled"},
        {109, "missing_extension"},
        {110, "unsupported_extension"},
        {112, "unrecognized_name"},
        {115, "unknown_psk_identity"},
        {116, "certificate_required"},
        {120, "no_application_protocol"},
        {121, "ech_required"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = ekb_alert_name(cases[i].alert);

        cr_expect_str_eq(name, cases[i].name, "%d: %s, not %s", cases[i].alert, name,
                         cases[i].name);
    }
}

Test(alert, is_unassigned_when_the_number_has_no_name)
{
    static const int alerts[] = {-1, 1, 9, 11, 39, 52, 117, 254, 255, 256, 1043, -256};
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        const char *name = ekb_alert_name(alerts[i]);

        cr_expect_str_eq(name, "unassigned", "%d: %s", alerts[i], name);
    }
}

// The library writes some names with blanks and capitals.
Test(alert, agrees_with_the_library_when_that_has_a_name)
{
    int num_known = 0;
    for (int alert = 0; alert < EKB_ALERT_MAX; alert++) {
        char name[64] = "";
        (void)strncpy(name, SSL_alert_desc_string_long(alert), sizeof name - 1);
        for (char *c = name; *c != '\0'; c++) {
            *c = (char)(*c == ' ' ? '_' : tolower((unsigned char)*c));
        }
        if (strcmp(name, "unknown") != 0) {
            num_known++;

            cr_expect_str_eq(ekb_alert_name(alert), name, "%d: %s, not %s", alert,
                             ekb_alert_name(alert), name);
        }
    }
    // Else the loop has tested nothing.
    cr_assert_gt(num_known, 20, "%d", num_known);
}
