// From what was measured to what was not: cores and machines for a load. Pure arithmetic on the
// utilisation law (utilisation = rate x service time / cores); whatever comes out of here is a
// projection, and is to be called so.

#ifndef EKUBENCH_STAT_PROJECTION_H
#define EKUBENCH_STAT_PROJECTION_H

#include "ekubench/stat/estimate.h"

// What a handshake costs one side, in CPU time, kernel included, by its outcome.
struct ekb_projection_costs {
    double full_ns;     // Accepted after a full handshake.
    double resumed_ns;  // Accepted by resumption.
    double rejected_ns; // Rejected.
};

// Shares of the load, each from 0 to 1. A rejected client has made a full handshake up to there;
// the rest are accepted, `resumed` of them by resumption.
struct ekb_projection_mix {
    double resumed;
    double rejected;
};

// ekb_projection_mean_ns returns the CPU time of a handshake of that mix.
double ekb_projection_mean_ns(const struct ekb_projection_costs *costs,
                              const struct ekb_projection_mix *mix);

// ekb_projection_utilisation returns the share of `cores` that `rate_per_s` of `cost_ns` each keeps
// busy.
double ekb_projection_utilisation(double rate_per_s, double cost_ns, double cores);

// ekb_projection_cores returns how many cores `target_per_s` needs at that utilisation, rounded up;
// 0 if `utilisation` is not above 0. What is above 1 counts as 1: no core does more.
double ekb_projection_cores(double target_per_s, double cost_ns, double utilisation);

// ekb_projection_machines returns how many machines that take `rate_per_s` each `target_per_s`
// needs, rounded up; 0 if `rate_per_s` is not above 0.
double ekb_projection_machines(double target_per_s, double rate_per_s);

// ekb_projection_headroom returns the share of `rate_per_s` that is left over `load_per_s`:
// negative if it is less.
double ekb_projection_headroom(double load_per_s, double rate_per_s);

// ekb_projection_reject_share returns which share of rejected clients halves the rate at which
// others can be accepted, at the same utilisation: from 0 to 1; 1 if rejected ones cost nothing.
double ekb_projection_reject_share(const struct ekb_projection_costs *costs);

#endif
