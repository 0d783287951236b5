#include "ekubench/stat/distribution.h"

#include <math.h>
#include <stddef.h>

#include <criterion/criterion.h>

// The wanted values are those of R 4.2.2: pnorm, qnorm, qt, qchisq.

#define NUM_ITEMS(array) (sizeof(array) / sizeof((array)[0]))

// A relative tolerance: 1e-15 is the last two or three digits of a double.
static void expect_close(double got, double wanted, double relative, const char *what, double at)
{
    cr_expect_float_eq(got, wanted, relative * fabs(wanted), "%s at %.17g: got %.17g, wanted %.17g",
                       what, at, got, wanted);
}

struct point {
    double x;
    double y;
};

Test(distribution, gives_the_normal_probabilities_of_r)
{
    static const struct point pnorm[] = {
        {-37, 5.7255712225245771e-300},
        {-20, 2.7536241186062337e-89},
        {-8, 6.2209605742717849e-16},
        {-5, 2.8665157187919391e-07},
        {-3, 0.0013498980316300946},
        {-1.959963984540054, 0.025000000000000012},
        {-1, 0.15865525393145705},
        {-0.25, 0.4012936743170763},
        {0, 0.5},
        {0.5, 0.69146246127401301},
        {1, 0.84134474606854293},
        {2, 0.97724986805182079},
        {4, 0.99996832875816688},
    };

    for (size_t i = 0; i < NUM_ITEMS(pnorm); i++) {
        // erfc's argument, -z / sqrt(2), is off by half a unit in its last place, and what that
        // does to the probability grows with z^2: 1e-13 at -37.
        const double relative = 5e-16 + 3e-16 * pnorm[i].x * pnorm[i].x;
        expect_close(ekb_normal_cdf(pnorm[i].x), pnorm[i].y, relative, "cdf", pnorm[i].x);
    }
}

Test(distribution, gives_the_normal_quantiles_of_r)
{
    static const struct point qnorm[] = {
        {1e-300, -37.047096299361201}, {1e-10, -6.3613409024040557}, {1e-3, -3.0902323061678132},
        {0.005, -2.5758293035488999},  {0.025, -1.9599639845400538}, {0.05, -1.6448536269514726},
        {0.2, -0.84162123357291418},   {0.8, 0.84162123357291441},   {0.9, 1.2815515655446008},
        {0.95, 1.6448536269514715},    {0.975, 1.9599639845400536},  {0.995, 2.5758293035488999},
    };

    for (size_t i = 0; i < NUM_ITEMS(qnorm); i++) {
        expect_close(ekb_normal_quantile(qnorm[i].x), qnorm[i].y, 4e-15, "quantile", qnorm[i].x);
    }
    cr_expect_float_eq(ekb_normal_quantile(0.5), 0.0, 1e-15, "got %.17g", ekb_normal_quantile(0.5));
}

Test(distribution, inverts_the_normal_probability)
{
    for (int i = 1; i < 1000; i++) {
        const double p = (double)i / 1000.0;

        const double back = ekb_normal_cdf(ekb_normal_quantile(p));

        cr_expect_float_eq(back, p, 4e-16, "%.17g became %.17g", p, back);
    }
}

Test(distribution, gives_normal_quantiles_near_one_as_exactly_as_near_zero)
{
    // 1 - 2^-k is a double without rounding, and its quantile is that of 2^-k with the sign turned.
    static const int exponents[] = {2, 5, 10, 14, 20, 30, 40, 53};

    for (size_t i = 0; i < NUM_ITEMS(exponents); i++) {
        const int k = exponents[i];
        const double tail = ldexp(1.0, -k);

        const double upper = ekb_normal_quantile(1.0 - tail);

        cr_expect_float_eq(upper, -ekb_normal_quantile(tail), 1e-13,
                           "1 - 2^-%d: got %.17g, wanted %.17g", k, upper,
                           -ekb_normal_quantile(tail));
    }
}

struct student {
    double freedom;
    double t_975;
    double t_950;
};

static const struct student students[] = {
    {5, 2.5705818356363137, 2.0150483733330224},  {6, 2.4469118511449688, 1.9431802805153024},
    {8, 2.3060041352041658, 1.8595480375308966},  {11, 2.2009851600916388, 1.7958848187040435},
    {19, 2.0930240544083092, 1.7291328115213689}, {29, 2.0452296421327034, 1.6991270265334975},
    {49, 2.0095752371292397, 1.676550892616854},  {199, 1.9719565442517519, 1.6525467461665617},
};

Test(distribution, gives_the_student_quantiles_of_r_within_a_tenth_of_a_percent)
{
    // The first term left out has 1 / freedom^4 in it: 0.110 % with 5 degrees, 0.005 % with 11.
    for (size_t i = 0; i < NUM_ITEMS(students); i++) {
        const struct student *s = &students[i];
        const double relative = 0.9 / pow(s->freedom, 4.0);

        expect_close(ekb_student_quantile(0.975, s->freedom), s->t_975, relative, "t.975",
                     s->freedom);
        expect_close(ekb_student_quantile(0.95, s->freedom), s->t_950, relative, "t.95",
                     s->freedom);
    }
}

Test(distribution, errs_on_the_low_side_with_the_student_quantile)
{
    for (size_t i = 0; i < NUM_ITEMS(students); i++) {
        const double got = ekb_student_quantile(0.975, students[i].freedom);

        cr_expect(got <= students[i].t_975, "freedom %g: got %.17g, wanted at most %.17g",
                  students[i].freedom, got, students[i].t_975);
    }
}

Test(distribution, turns_the_sign_of_the_student_quantile_with_the_side)
{
    for (size_t i = 0; i < NUM_ITEMS(students); i++) {
        const double freedom = students[i].freedom;
        expect_close(ekb_student_quantile(0.025, freedom), -ekb_student_quantile(0.975, freedom),
                     1e-14, "t.025", freedom);
        cr_expect_float_eq(ekb_student_quantile(0.5, freedom), 0.0, 1e-15);
    }
}

Test(distribution, has_student_turn_normal_with_many_degrees)
{
    expect_close(ekb_student_quantile(0.975, 1e12), 1.9599639845400536, 1e-11, "t.975", 1e12);
}

#define NUM_CHI_SQUARES 5
static const double chi_square_p[NUM_CHI_SQUARES] = {0.05, 0.2, 0.5, 0.8, 0.95};

struct chi_square {
    double freedom;
    double quantiles[NUM_CHI_SQUARES];
};

static void expect_chi_square(const struct chi_square *chi_square)
{
    for (size_t i = 0; i < NUM_CHI_SQUARES; i++) {
        const double got = ekb_chi_square_quantile(chi_square_p[i], chi_square->freedom);
        const double wanted = chi_square->quantiles[i];
        cr_expect_float_eq(
            got, wanted, 0.01 * wanted, "%g degrees, p %g: got %.10g, wanted %.10g (%+.2f %%)",
            chi_square->freedom, chi_square_p[i], got, wanted, 100.0 * (got / wanted - 1.0));
    }
}

Test(distribution, gives_the_chi_square_quantiles_of_r_within_a_percent)
{
    static const struct chi_square qchisq[] = {
        {6, {1.635382894, 3.070088405, 5.348120627, 8.55805972, 12.59158724}},
        {8, {2.732636793, 4.593573612, 7.344121498, 11.03009143, 15.50731306}},
        {11, {4.574813079, 6.988673512, 10.34099807, 14.63142051, 19.67513757}},
        {19, {10.11701306, 13.71578971, 18.3376529, 23.90041722, 30.14352721}},
        {29, {17.70836618, 22.47505198, 28.33612687, 35.1393618, 42.5569678}},
        {49, {33.93030562, 40.53441741, 48.33496994, 57.07862918, 66.33864886}},
        {199, {167.3609953, 182.0449997, 198.3337318, 215.5665767, 232.9118218}},
    };

    for (size_t i = 0; i < NUM_ITEMS(qchisq); i++) {
        expect_chi_square(&qchisq[i]);
    }
}

Test(distribution, is_close_to_r_where_the_power_of_a_pilot_needs_it)
{
    // p = 0.2: what stat/power asks for. Half of the error reaches the spread.
    expect_close(ekb_chi_square_quantile(0.2, 5), 2.342534306, 0.006, "chi-square.2", 5);
    expect_close(ekb_chi_square_quantile(0.2, 11), 6.988673512, 0.002, "chi-square.2", 11);
    expect_close(ekb_chi_square_quantile(0.2, 199), 182.0449997, 0.0001, "chi-square.2", 199);
}
