#include "ekubench/peer/pace.h"

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
