#include "ekubench/peer/pace.h"

#include "ekubench/base/clock.h"

#include <math.h>

uint32_t ekb_pace_ramp(uint32_t in_flight, uint64_t ramp_ns, uint64_t elapsed_ns)
{
    if (elapsed_ns >= ramp_ns || in_flight == 0) {
        return in_flight;
    }
    const uint64_t step_ns = ramp_ns / in_flight;
    const uint64_t allowed = step_ns == 0 ? in_flight : elapsed_ns / step_ns + 1;
    return allowed < in_flight ? (uint32_t)allowed : in_flight;
}

uint64_t ekb_pace_ramp_next_ns(uint32_t in_flight, uint64_t ramp_ns, uint64_t elapsed_ns)
{
    const uint32_t allowed = ekb_pace_ramp(in_flight, ramp_ns, elapsed_ns);
    return allowed == in_flight ? UINT64_MAX : allowed * (ramp_ns / in_flight);
}

const char *ekb_arrivals_kind_name(enum ekb_arrivals_kind kind)
{
    return kind == EKB_ARRIVALS_FIXED ? "fixed" : "poisson";
}

static double seconds(uint64_t ns)
{
    return (double)ns / (double)EKB_NS_PER_S;
}

// expected_within returns the integral of the rate over the first `at_s` seconds of the stretch.
static double expected_within(const struct ekb_pace_stretch *stretch, double at_s)
{
    const double slope =
        (stretch->end_per_s - stretch->begin_per_s) / seconds(stretch->duration_ns);
    return at_s * (stretch->begin_per_s + 0.5 * slope * at_s);
}

static double expected_of(const struct ekb_pace_stretch *stretch)
{
    return seconds(stretch->duration_ns) * 0.5 * (stretch->begin_per_s + stretch->end_per_s);
}

// time_within returns when, in seconds after its begin, the stretch has had `expected` arrivals:
// the root of begin t + slope t^2 / 2 = expected, in the form that loses no digits.
static double time_within(const struct ekb_pace_stretch *stretch, double expected)
{
    const double duration_s = seconds(stretch->duration_ns);
    const double begin = stretch->begin_per_s;
    const double slope = (stretch->end_per_s - begin) / duration_s;
    const double root = sqrt(fmax(0, begin * begin + 2.0 * slope * expected));
    const double at_s = begin + root > 0 ? 2.0 * expected / (begin + root) : duration_s;
    return fmin(at_s, duration_s);
}

double ekb_pace_expected(const struct ekb_pace_stretch *stretches, size_t num_stretches,
                         uint64_t at_ns)
{
    double sum = 0;
    for (size_t i = 0; i < num_stretches; i++) {
        if (at_ns < stretches[i].duration_ns) {
            return sum + expected_within(&stretches[i], seconds(at_ns));
        }
        sum += expected_of(&stretches[i]);
        at_ns -= stretches[i].duration_ns;
    }
    return sum + seconds(at_ns) * stretches[num_stretches - 1].end_per_s;
}

// draw sets the operational time of the next arrival.
static void draw(struct ekb_arrivals *arrivals)
{
    if (arrivals->kind == EKB_ARRIVALS_FIXED) {
        arrivals->operational += 1.0;
        return;
    }
    // Not 0, of which there is no logarithm.
    arrivals->operational -= log(ekb_rng_uniform(&arrivals->rng) + 0x1p-53);
}

void ekb_arrivals_init(struct ekb_arrivals *out_arrivals, const struct ekb_pace_stretch *stretches,
                       size_t num_stretches, enum ekb_arrivals_kind kind,
                       const struct ekb_pace_share *share, uint64_t seed)
{
    *out_arrivals = (struct ekb_arrivals){.stretches = stretches,
                                          .num_stretches = num_stretches,
                                          .kind = kind,
                                          .share = 1.0 / (double)share->count};
    ekb_rng_init(&out_arrivals->rng, seed ^ (share->index * UINT64_C(0x9e3779b97f4a7c15)));
    if (kind == EKB_ARRIVALS_FIXED) {
        // Worker 0 of 3 begins at a third of the common distance, and so on; alone at the whole of
        // it. One unit of a worker's operational time is `count` of the load's.
        out_arrivals->operational = ((double)share->index + 1.0) / (double)share->count - 1.0;
    }
    draw(out_arrivals);
}

uint64_t ekb_arrivals_next_ns(struct ekb_arrivals *arrivals)
{
    while (arrivals->stretch < arrivals->num_stretches) {
        const struct ekb_pace_stretch *stretch = &arrivals->stretches[arrivals->stretch];
        const double whole = expected_of(stretch) * arrivals->share;
        const double wanted = arrivals->operational - arrivals->passed;
        if (wanted <= whole) {
            const double at_s = time_within(stretch, wanted / arrivals->share);
            draw(arrivals);
            return arrivals->start_ns + (uint64_t)(at_s * (double)EKB_NS_PER_S);
        }
        arrivals->passed += whole;
        arrivals->start_ns += stretch->duration_ns;
        arrivals->stretch++;
    }
    const double rate =
        arrivals->stretches[arrivals->num_stretches - 1].end_per_s * arrivals->share;
    if (!(rate > 0)) {
        return UINT64_MAX;
    }
    const double at_s = (arrivals->operational - arrivals->passed) / rate;
    draw(arrivals);
    return arrivals->start_ns + (uint64_t)(at_s * (double)EKB_NS_PER_S);
}
