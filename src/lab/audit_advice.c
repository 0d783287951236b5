#include "ekubench/lab/audit.h"

#include "ekubench/pki/cert.h"
#include "ekubench/pki/describe.h"
#include "lab/audit_internal.h"

#include <string.h>

#define DAY_S INT64_C(86400)
#define MAX_DAYS 200
#define BOTH_USAGES (unsigned)(EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
#define OF(kind) (1U << (kind))

// choose goes down the decision tree of the sunset.
static enum ekb_audit_advice choose(const struct ekb_audit_item *item, bool is_unused)
{
    if (item->days_left < 0) {
        return EKB_ADVICE_EXPIRED;
    }
    if (item->roles == 0 && item->certificate.is_ca) {
        return EKB_ADVICE_CA;
    }
    if (item->pki == EKB_AUDIT_PRIVATE || item->pki == EKB_AUDIT_SELF_SIGNED) {
        return EKB_ADVICE_NOT_AFFECTED;
    }
    if (is_unused) {
        return EKB_ADVICE_UNUSED;
    }
    if (item->pki == EKB_AUDIT_UNKNOWN) {
        return EKB_ADVICE_FIND_CA;
    }
    return item->mtls == EKB_MTLS_YES       ? EKB_ADVICE_ACT
           : item->mtls == EKB_MTLS_PERHAPS ? EKB_ADVICE_FIND_ROLE
                                            : EKB_ADVICE_KEEP;
}

// steps_of returns what can be done on the nodes that it may be of.
static unsigned steps_of(unsigned nodes)
{
    return EKB_STEP_ROOT | EKB_STEP_RENEW |
           ((nodes & OF(EKB_NODE_CORE)) != 0 ? (unsigned)EKB_STEP_PRIVATE : 0U) |
           ((nodes & ~OF(EKB_NODE_FAR)) != 0 ? (unsigned)EKB_STEP_UPGRADE : 0U);
}

// dates_of returns the dates that change something for a public certificate: that it lives to see.
static unsigned dates_of(const struct ekb_audit_item *item)
{
    const struct ekb_description *certificate = &item->certificate;
    const bool is_client = (certificate->eku & EKB_EKU_CLIENT_AUTH) != 0;
    const bool concerns[EKB_AUDIT_NUM_DATES] = {
        [EKB_DATE_LETS_ENCRYPT] = is_client && strstr(certificate->issuer, "Let's Encrypt") != NULL,
        [EKB_DATE_200_DAYS] = certificate->not_after - certificate->not_before > MAX_DAYS * DAY_S,
        [EKB_DATE_CLIENT_AUTH] = is_client,
        [EKB_DATE_CHROME] = (certificate->eku & BOTH_USAGES) == BOTH_USAGES,
    };
    unsigned found = 0;
    for (unsigned i = 0; i < EKB_AUDIT_NUM_DATES; i++) {
        if (concerns[i] && certificate->not_after >= ekb_audit_date_time((enum ekb_audit_date)i)) {
            found |= 1U << i;
        }
    }
    return item->pki == EKB_AUDIT_PUBLIC && !certificate->is_ca && item->days_left >= 0 ? found : 0;
}

void ekb_audit_advise(struct ekb_audit_item *item, unsigned nodes, bool is_unused)
{
    item->advice = choose(item, is_unused);
    item->steps = item->advice == EKB_ADVICE_ACT ? steps_of(nodes) : 0;
    item->dates = dates_of(item);
}
