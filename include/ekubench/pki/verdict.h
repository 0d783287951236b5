// Verdicts: what a result of the library's certificate verification means to us.
//
// One table: for each X509_V_ERR_* the stable code under which results count it, and the TLS alert
// that the verifier sends (as BoringSSL's SSL_alert_from_verify_result has it; a test compares
// them). The sentence is the code's own (ekb_err_sentence).

#ifndef EKUBENCH_PKI_VERDICT_H
#define EKUBENCH_PKI_VERDICT_H

#include "ekubench/base/err.h"

struct ekb_verdict {
    enum ekb_err err; // EKB_OK or EKB_VERIFY_*.
    int alert;        // Alert number; -1 with EKB_OK.
};

// ekb_verdict_from_library translates `verify_result`, an X509_V_* number. A number that no table
// row names is EKB_VERIFY_UNSPECIFIED with certificate_unknown (46), which is what the library
// sends then.
struct ekb_verdict ekb_verdict_from_library(int verify_result);

#endif
