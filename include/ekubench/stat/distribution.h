// Distribution functions: what the statistics here need of them, and no more. Pure.
//
// The C library has erfc and nothing else. The libraries in Debian that have the rest (GSL, Rmath)
// are under the GPL, which a library under the Apache licence cannot link; these few quantiles are
// checked against R's in the tests.

#ifndef EKUBENCH_STAT_DISTRIBUTION_H
#define EKUBENCH_STAT_DISTRIBUTION_H

// ekb_normal_cdf returns P(Z <= z) of the standard normal distribution; ekb_normal_quantile its
// inverse for p in (0, 1), to the last digits of a double.
double ekb_normal_cdf(double z);
double ekb_normal_quantile(double p);

// ekb_student_quantile returns the quantile of Student's t with `freedom` degrees of freedom, by
// the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5): at p = 0.975 it is 0.1 % low with 5
// degrees, the fewest used here, and better with more.
double ekb_student_quantile(double p, double freedom);

// ekb_chi_square_quantile returns the quantile of chi-square with `freedom` degrees of freedom, by
// the cube-root transformation (Wilson and Hilferty, PNAS 17, 1931): within 1 % from 6 degrees on
// for p in [0.05, 0.95].
double ekb_chi_square_quantile(double p, double freedom);

#endif
