#include "ekubench/stat/verdict.h"

#include "ekubench/stat/power.h"
#include "ekubench/stat/rank.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define CONFIDENCE 0.95
#define NARROW_CONFIDENCE 0.90
#define Z_975 1.959963984540054
#define BOOTSTRAP_SEED UINT64_C(20240301)

void ekb_holm(double *p, size_t num_p)
{
    bool done[EKB_VERDICT_MAX_FAMILY] = {false};
    double floor = 0;
    for (size_t step = 0; step < num_p && num_p <= EKB_VERDICT_MAX_FAMILY; step++) {
        size_t least = num_p;
        for (size_t i = 0; i < num_p; i++) {
            if (!done[i] && (least == num_p || p[i] < p[least])) {
                least = i;
            }
        }
        floor = fmax(floor, fmin(1.0, p[least] * (double)(num_p - step)));
        p[least] = floor;
        done[least] = true;
    }
}

// The smallest detectable effect, from the interval: a spike that leaves the interval alone does
// not spoil it. With few values it errs on the large side, as the interval does, and in a family as
// Holm's adjustment is milder than what is reckoned with here.
static double detectable(const struct ekb_estimate *estimate, size_t num_contrasts)
{
    return ekb_power_factor(num_contrasts) * (estimate->high - estimate->low) / (2.0 * Z_975);
}

static enum ekb_err measure(struct ekb_contrast *contrast)
{
    const double *values = contrast->values;
    const size_t n = contrast->num_values;
    enum ekb_err err = ekb_rank_estimate(&contrast->estimate, values, n, CONFIDENCE);
    if (err == EKB_OK) {
        err = ekb_rank_estimate(&contrast->narrow, values, n, NARROW_CONFIDENCE);
    }
    if (err == EKB_OK) {
        err = ekb_estimate_mean(&contrast->bootstrap, values, n, CONFIDENCE, BOOTSTRAP_SEED);
    }
    if (err == EKB_OK) {
        err = ekb_rank_test(&contrast->p, values, n);
    }
    contrast->known = err == EKB_OK;
    contrast->mde = 0;
    return err == EKB_NOT_FOUND ? EKB_OK : err;
}

static enum ekb_verdict_kind judge(const struct ekb_contrast *contrast)
{
    const struct ekb_estimate *wide = &contrast->estimate;
    const struct ekb_estimate *narrow = &contrast->narrow;
    if (contrast->adjusted_p <= EKB_VERDICT_LEVEL && wide->low > 0) {
        return EKB_VERDICT_SLOWER;
    }
    if (contrast->adjusted_p <= EKB_VERDICT_LEVEL && wide->high < 0) {
        return EKB_VERDICT_FASTER;
    }
    return contrast->equivalence > 0 && narrow->low > -contrast->equivalence &&
                   narrow->high < contrast->equivalence
               ? EKB_VERDICT_EQUIVALENT
               : EKB_VERDICT_UNDETECTED;
}

enum ekb_err ekb_verdict_decide(struct ekb_contrast *contrasts, size_t num_contrasts, bool withheld)
{
    double p[EKB_VERDICT_MAX_FAMILY] = {0};
    size_t num_known = 0;
    if (num_contrasts > EKB_VERDICT_MAX_FAMILY) {
        return EKB_USAGE;
    }
    for (size_t i = 0; i < num_contrasts; i++) {
        const enum ekb_err err = measure(&contrasts[i]);
        if (err != EKB_OK) {
            return err;
        }
        if (contrasts[i].known) {
            p[num_known++] = contrasts[i].p;
        }
    }
    ekb_holm(p, num_known);
    size_t next = 0;
    for (size_t i = 0; i < num_contrasts; i++) {
        contrasts[i].verdict = EKB_VERDICT_NONE;
        if (contrasts[i].known) {
            contrasts[i].adjusted_p = p[next++];
            contrasts[i].mde = detectable(&contrasts[i].estimate, num_known);
            contrasts[i].only_alone =
                contrasts[i].p <= EKB_VERDICT_LEVEL && contrasts[i].adjusted_p > EKB_VERDICT_LEVEL;
            contrasts[i].verdict = withheld ? EKB_VERDICT_WITHHELD : judge(&contrasts[i]);
        }
    }
    return EKB_OK;
}

bool ekb_verdict_control_differs(const double *values, size_t num_values)
{
    struct ekb_estimate estimate;
    return ekb_rank_estimate(&estimate, values, num_values, EKB_VERDICT_CONTROL_CONFIDENCE) ==
               EKB_OK &&
           (estimate.low > 0 || estimate.high < 0);
}

bool ekb_verdict_control_is_possible(size_t num_values)
{
    return ldexp(2.0, -(int)(num_values < 1000 ? num_values : 1000)) <=
           1.0 - EKB_VERDICT_CONTROL_CONFIDENCE;
}

bool ekb_verdict_estimators_disagree(const struct ekb_contrast *contrast)
{
    const double width = contrast->estimate.high - contrast->estimate.low;
    return fabs(contrast->estimate.estimate - contrast->bootstrap.estimate) > 0.2 * width;
}
