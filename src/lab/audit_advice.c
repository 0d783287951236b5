#include "ekubench/lab/audit.h"

#include "ekubench/pki/cert.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/release.h"
#include "lab/audit_internal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DAY_S INT64_C(86400)
#define MAX_DAYS 200
#define BOTH_USAGES (unsigned)(EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH)
#define OF(kind) (1U << (kind))

// choose goes down the decision tree of the sunset.
static enum ekb_audit_advice choose(const struct ekb_audit_item *item, bool is_unused)
{
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
    return item->mtls == EKB_MTLS_YES || item->is_alone ? EKB_ADVICE_ACT
           : item->mtls == EKB_MTLS_PERHAPS             ? EKB_ADVICE_FIND_ROLE
                                                        : EKB_ADVICE_KEEP;
}

// is_lets_encrypts is true if it has been issued by a CA with a deadline of its own.
static bool is_lets_encrypts(const struct ekb_audit_item *item)
{
    return strstr(item->certificate.issuer, "Let's Encrypt") != NULL;
}

// renewal returns what is left of A and B. Another root helps one that still has clientAuth, or as
// long as there are such roots. Renewal likewise, as long as its own CA gives clientAuth; after
// that, to keep what it has.
static unsigned renewal(const struct ekb_audit_item *item, int64_t at)
{
    const bool has_client = (item->good_for & EKB_EKU_CLIENT_AUTH) != 0;
    const bool is_root_late = at >= ekb_audit_date_time(EKB_DATE_CLIENT_AUTH);
    const bool is_late = is_root_late || (is_lets_encrypts(item) &&
                                          at >= ekb_audit_date_time(EKB_DATE_LETS_ENCRYPT));
    return (has_client || !is_root_late ? (unsigned)EKB_STEP_ROOT : 0U) |
           (has_client || !is_late ? (unsigned)EKB_STEP_RENEW : 0U) |
           (has_client && is_late ? (unsigned)EKB_STEP_STOP : 0U);
}

// steps_of returns what can be done on the nodes that it may be of.
static unsigned steps_of(const struct ekb_audit_item *item, const struct ekb_audit_options *options,
                         unsigned nodes)
{
    const bool is_ours = (nodes & ~OF(EKB_NODE_FAR)) != 0;
    const bool is_newest = options->release + 1 == EKB_RELEASE_NUM;
    const bool has_two = ekb_release_rules(options->release)->two_stores;
    const bool lacks_client = (item->missing & EKB_EKU_CLIENT_AUTH) != 0;
    return renewal(item, options->at) |
           ((nodes & OF(EKB_NODE_CORE)) != 0 ? (unsigned)EKB_STEP_PRIVATE : 0U) |
           (is_ours && !is_newest ? (unsigned)EKB_STEP_UPGRADE : 0U) |
           (is_ours && has_two && lacks_client ? (unsigned)EKB_STEP_CLIENT : 0U);
}

// dates_of returns the dates that change something for a public certificate: that it lives to see.
static unsigned dates_of(const struct ekb_audit_item *item)
{
    const struct ekb_description *certificate = &item->certificate;
    const bool is_client = (certificate->eku & EKB_EKU_CLIENT_AUTH) != 0;
    const bool concerns[EKB_AUDIT_NUM_DATES] = {
        [EKB_DATE_LETS_ENCRYPT] = is_client && is_lets_encrypts(item),
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

void ekb_audit_advise(struct ekb_audit_item *item, const struct ekb_audit_options *options,
                      unsigned nodes, bool is_unused)
{
    item->advice = choose(item, is_unused);
    item->steps = item->advice == EKB_ADVICE_ACT ? steps_of(item, options, nodes) : 0;
    item->dates = dates_of(item);
    item->to_act = item->faults != 0 || item->advice == EKB_ADVICE_ACT;
}
