#include "ekubench/stat/distribution.h"

#include <math.h>

double ekb_normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

// Bisection, because it is called once per interval and must be right, not fast.
double ekb_normal_quantile(double p)
{
    // Near one a probability has few digits left; its complement has all.
    if (p > 0.5) {
        return -ekb_normal_quantile(1.0 - p);
    }
    double low = -40.0;
    double high = 40.0;
    for (int i = 0; i < 100; i++) {
        const double middle = 0.5 * (low + high);
        if (ekb_normal_cdf(middle) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

double ekb_student_quantile(double p, double freedom)
{
    const double z = ekb_normal_quantile(p);
    const double z2 = z * z;
    const double g1 = z * (z2 + 1.0) / 4.0;
    const double g2 = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    const double g3 = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    return z + (g1 + (g2 + g3 / freedom) / freedom) / freedom;
}

double ekb_chi_square_quantile(double p, double freedom)
{
    const double spread = 2.0 / (9.0 * freedom);
    const double root = 1.0 - spread + ekb_normal_quantile(p) * sqrt(spread);
    return freedom * root * root * root;
}
