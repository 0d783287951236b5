#include "ekubench/lab/pilot.h"

#include "ekubench/base/units.h"
#include "ekubench/lab/assemble.h"
#include "ekubench/lab/effects.h"
#include "ekubench/stat/power.h"
#include "ekubench/stat/replicate.h"

#include <math.h>
#include <stdlib.h>

// spread_of stores the standard deviation of the difference of the pilot's two arms in a slice; 0
// if it was disturbed.
static enum ekb_err spread_of(double *out_spread, const struct ekb_stage *pilot)
{
    const size_t num_slices = pilot->timeline.num_slices;
    struct ekb_slice_sum *slices = calloc(2 * num_slices + 1, sizeof slices[0]);
    double *values = calloc(num_slices + 1, sizeof values[0]);
    enum ekb_err err = slices != NULL && values != NULL ? EKB_OK : EKB_NOMEM;
    for (size_t arm = 0; arm < 2 && err == EKB_OK; arm++) {
        ekb_assemble_kept_slices(slices + arm * num_slices, pilot,
                                 pilot->server.tally->arms[arm].steps_by_slice, EKB_SLICE_MEASURED);
    }
    if (err == EKB_OK) {
        const size_t num_values =
            ekb_replicate_differences(values, NULL, slices, slices + num_slices, num_slices);
        *out_spread = 0;
        if (num_values >= EKB_ESTIMATE_MIN_N) {
            err = ekb_power_spread(out_spread, values, num_values);
        }
    }
    free(values);
    free(slices);
    return err;
}

enum ekb_err ekb_pilot_choose(struct ekb_plan_stage *cost, struct ekb_record *record,
                              const struct ekb_stage *pilot, uint64_t resolve_ns)
{
    char wanted[EKB_UNITS_TEXT_LEN];
    char found[EKB_UNITS_TEXT_LEN];
    double spread = 0;
    const enum ekb_err err = spread_of(&spread, pilot);
    if (err != EKB_OK || !(spread > 0)) {
        return err;
    }
    // More arms share a slice there than here: each has fewer handshakes in it.
    const double spread_there = spread * sqrt((double)cost->num_arms / 2.0);
    const uint32_t budget = cost->num_slices - cost->num_warmup;
    const uint64_t needed =
        ekb_power_replicates(spread_there, (double)resolve_ns, EKB_EFFECT_EKU_FAMILY);
    uint32_t chosen = needed < budget ? (uint32_t)needed : budget;
    if (chosen < EKB_PILOT_MIN_SLICES) {
        chosen = EKB_PILOT_MIN_SLICES < budget ? EKB_PILOT_MIN_SLICES : budget;
    }
    cost->num_slices = cost->num_warmup + chosen;
    ekb_record_add_note(record,
                        "pilot: with the noise of this machine %u slices of the cost stage can "
                        "resolve %s of server CPU per handshake; %s were wished for",
                        chosen,
                        ekb_units_format_ns(found, ekb_power_detectable(spread_there, chosen,
                                                                        EKB_EFFECT_EKU_FAMILY)),
                        ekb_units_format_ns(wanted, (double)resolve_ns));
    return EKB_OK;
}
