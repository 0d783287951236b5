#include "ekubench/stat/projection.h"

#include <math.h>

double ekb_projection_mean_ns(const struct ekb_projection_costs *costs,
                              const struct ekb_projection_mix *mix)
{
    const double accepted =
        mix->resumed * costs->resumed_ns + (1.0 - mix->resumed) * costs->full_ns;
    return mix->rejected * costs->rejected_ns + (1.0 - mix->rejected) * accepted;
}

double ekb_projection_utilisation(double rate_per_s, double cost_ns, double cores)
{
    return rate_per_s * cost_ns / 1e9 / cores;
}

// round_up rounds up, but not for the last digit of a double.
static double round_up(double value)
{
    return ceil(value - 1e-9 * fmax(1.0, value));
}

double ekb_projection_cores(double target_per_s, double cost_ns, double utilisation)
{
    return utilisation > 0 ? round_up(target_per_s * cost_ns / 1e9 / fmin(utilisation, 1.0)) : 0;
}

double ekb_projection_machines(double target_per_s, double rate_per_s)
{
    return rate_per_s > 0 ? round_up(target_per_s / rate_per_s) : 0;
}

double ekb_projection_headroom(double load_per_s, double rate_per_s)
{
    return 1.0 - load_per_s / rate_per_s;
}

// Of a share f rejected, the rest are accepted at (1 - f) / ((1 - f) full + f rejected) times a
// constant, which is half of 1 / full when f = full / (full + rejected).
double ekb_projection_reject_share(const struct ekb_projection_costs *costs)
{
    return costs->full_ns / (costs->full_ns + costs->rejected_ns);
}
