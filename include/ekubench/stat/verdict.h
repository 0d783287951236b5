// Verdicts: what may be said of a contrast, given its interval, its family and the control. Pure.
//
// The words are fixed: "slower by x [lo, hi]", "faster by x [lo, hi]", "equivalent within d", "no
// detectable difference; smallest detectable x", "no detectable difference among so many contrasts
// (alone it would be one); smallest detectable x", "withheld: ...".

#ifndef EKUBENCH_STAT_VERDICT_H
#define EKUBENCH_STAT_VERDICT_H

#include "ekubench/base/err.h"
#include "ekubench/stat/estimate.h"

#include <stdbool.h>
#include <stddef.h>

enum ekb_verdict_kind {
    EKB_VERDICT_NONE, // Nothing is known.
    EKB_VERDICT_SLOWER,
    EKB_VERDICT_FASTER,
    EKB_VERDICT_EQUIVALENT,
    EKB_VERDICT_UNDETECTED,
    EKB_VERDICT_WITHHELD,
};

// A contrast of one family, positive if the treatment costs more.
struct ekb_contrast {
    // In.
    const double *values; // Replicates: differences, log-ratios or slopes, by time.
    size_t num_values;
    double equivalence; // What counts as no difference that matters, in the unit of the values; 0:
                        // nothing does.
    // Out.
    struct ekb_estimate estimate;  // At 95 %.
    struct ekb_estimate narrow;    // At 90 %: the two one-sided tests of equivalence at 5 %.
    struct ekb_estimate bootstrap; // The mean with its bootstrap interval at 95 %: the cross-check.
    double mde;                    // Smallest effect that would be found four times out of five,
                                   // in a family of this size.
    double p;                      // Of the signed-rank test.
    double adjusted_p;             // Holm's, within the family.
    bool only_alone; // The test of this contrast alone would have found it: with so many in the
                     // family, chance does too often.
    enum ekb_verdict_kind verdict;
    bool known; // False if there are too few values; then nothing above is.
};

#define EKB_VERDICT_LEVEL 0.05
#define EKB_VERDICT_CONTROL_CONFIDENCE 0.99

// ekb_verdict_decide fills the results of `num_contrasts` contrasts that answer one question
// (at most EKB_VERDICT_MAX_FAMILY): estimate and intervals by signed ranks (stat/rank), p-values
// adjusted by Holm's step-down procedure (Scandinavian Journal of Statistics 6(2), 1979).
//
// Slower or faster: the adjusted p is at most 5 % and the 95 % interval excludes zero. Else
// equivalent: an `equivalence` is given and the 90 % interval lies inside of it (two one-sided
// tests: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15(6), 1987). Else nothing was
// detected. `withheld` replaces whatever it would be. EKB_NOMEM; EKB_USAGE if there are too many.
#define EKB_VERDICT_MAX_FAMILY 64
EKB_NODISCARD enum ekb_err ekb_verdict_decide(struct ekb_contrast *contrasts, size_t num_contrasts,
                                              bool withheld);

// ekb_verdict_control_differs is true if the 99 % interval of the A/A control's values excludes
// zero: the apparatus sees a difference where there is none. Too few values are no evidence: false.
bool ekb_verdict_control_differs(const double *values, size_t num_values);

// ekb_verdict_control_is_possible is true if there can be such an interval: from eight values on.
bool ekb_verdict_control_is_possible(size_t num_values);

// ekb_verdict_estimators_disagree is true if the Hodges-Lehmann estimate and the mean are further
// apart than a fifth of the interval's width: skewness or outliers, and a reason to look.
bool ekb_verdict_estimators_disagree(const struct ekb_contrast *contrast);

// ekb_holm replaces at most EKB_VERDICT_MAX_FAMILY p-values by Holm's adjusted ones, in place; the
// order stays.
void ekb_holm(double *p, size_t num_p);

#endif
