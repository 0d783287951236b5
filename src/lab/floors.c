#include "ekubench/lab/floors.h"

#include "ekubench/lab/assemble.h"
#include "ekubench/stat/rank.h"

#include <stdlib.h>

#define CONFIDENCE 0.95
#define SEED UINT64_C(20241121)

// All processor time of one side by slice, of the three kinds: what a slice of this kind cost its
// process, over the handshakes (or exchanges) that it saw. Each begins and ends with an empty loop.
struct kinds {
    size_t num_slices;
    struct ekb_slice_sum *measured;
    struct ekb_slice_sum *tcp;
    struct ekb_slice_sum *memory;
};

static enum ekb_err kinds_init(struct kinds *kinds, const struct ekb_stage *stage,
                               const struct ekb_tally *tally)
{
    const size_t num_slices = stage->timeline.num_slices;
    struct ekb_slice_sum *all = calloc(4 * num_slices + 1, sizeof all[0]);
    if (all == NULL) {
        return EKB_NOMEM;
    }
    *kinds = (struct kinds){.num_slices = num_slices,
                            .measured = all,
                            .tcp = all + num_slices,
                            .memory = all + 2 * num_slices};
    struct ekb_slice_sum *used = all + 3 * num_slices;
    for (uint32_t i = 0; i < num_slices; i++) {
        if (tally->cpu_ns_at[i + 1] != 0) {
            used[i] = (struct ekb_slice_sum){.count = tally->completed[i],
                                             .sum = tally->cpu_ns_at[i + 1] - tally->cpu_ns_at[i]};
        }
    }
    ekb_assemble_kept_slices(kinds->measured, stage, used, EKB_SLICE_MEASURED);
    ekb_assemble_kept_slices(kinds->tcp, stage, used, EKB_SLICE_TCP);
    ekb_assemble_kept_slices(kinds->memory, stage, tally->floor_by_slice, EKB_SLICE_FLOOR);
    return EKB_OK;
}

static void kinds_deinit(struct kinds *kinds)
{
    free(kinds->measured);
}

static double mean(const struct ekb_slice_sum *slice)
{
    return (double)slice->sum / (double)slice->count;
}

// near returns the slice of that kind in the same turn of the timeline, or NULL if it has none.
static const struct ekb_slice_sum *near(const struct ekb_slice_sum *slices, size_t turn,
                                        size_t turn_len, size_t num_slices)
{
    for (size_t i = turn; i < turn + turn_len && i < num_slices; i++) {
        if (slices[i].count > 0) {
            return &slices[i];
        }
    }
    return NULL;
}

// estimate_tax compares the three kinds turn by turn: 100 (measured / (memory + TCP) - 1).
static bool estimate_tax(struct ekb_estimate *out_tax, const struct ekb_timeline *timeline,
                         const struct kinds *kinds)
{
    const size_t turn_len = timeline->floor_every;
    double *values = calloc(kinds->num_slices + 1, sizeof values[0]);
    size_t num_values = 0;
    for (size_t turn = timeline->num_warmup;
         values != NULL && turn_len > 0 && turn < kinds->num_slices; turn += turn_len) {
        const struct ekb_slice_sum *const measured =
            near(kinds->measured, turn, turn_len, kinds->num_slices);
        const struct ekb_slice_sum *const tcp = near(kinds->tcp, turn, turn_len, kinds->num_slices);
        const struct ekb_slice_sum *const memory =
            near(kinds->memory, turn, turn_len, kinds->num_slices);
        if (measured != NULL && tcp != NULL && memory != NULL) {
            values[num_values++] = 100.0 * (mean(measured) / (mean(memory) + mean(tcp)) - 1.0);
        }
    }
    const bool known =
        values != NULL && ekb_rank_estimate(out_tax, values, num_values, CONFIDENCE) == EKB_OK;
    free(values);
    return known;
}

static bool estimate_level(struct ekb_estimate *out_estimate, const struct ekb_slice_sum *slices,
                           size_t num_slices)
{
    return ekb_estimate_slice_ratio(out_estimate, slices, num_slices, CONFIDENCE, SEED) == EKB_OK;
}

static enum ekb_err fill_floor(struct ekb_record_side_floor *floor, const struct ekb_stage *stage,
                               const struct ekb_stage_side *side)
{
    const struct ekb_tally *tally = side->tally;
    struct ekb_estimate steps;
    struct kinds kinds;
    if (tally->floor.moments.count == 0) {
        return EKB_OK;
    }
    const enum ekb_err err = kinds_init(&kinds, stage, tally);
    if (err != EKB_OK) {
        return err;
    }
    floor->interval_known = estimate_level(&floor->interval, kinds.memory, kinds.num_slices);
    floor->tcp_known = estimate_level(&floor->tcp, kinds.tcp, kinds.num_slices);
    floor->measured_known = estimate_level(&floor->measured, kinds.measured, kinds.num_slices);
    floor->tax_known = estimate_tax(&floor->tax_percent, &stage->timeline, &kinds);
    if (floor->interval_known && floor->measured_known && floor->interval.estimate > 0) {
        floor->over_memory =
            (struct ekb_record_real){true, floor->measured.estimate / floor->interval.estimate};
    }
    if (floor->interval_known && floor->interval.estimate > 0 &&
        ekb_assemble_mean(&steps, stage, tally->arms[0].steps_by_slice, EKB_SLICE_MEASURED)) {
        floor->steps_over_memory =
            (struct ekb_record_real){true, steps.estimate / floor->interval.estimate};
    }
    kinds_deinit(&kinds);
    return ekb_record_summarize(&floor->memory_ns, &tally->floor.moments, tally->floor.hist);
}

// check_tax says so if something costs less than its parts.
static void check_tax(struct ekb_record *record, const struct ekb_record_side_floor *floor,
                      const char *side)
{
    if (floor->tax_known && floor->tax_percent.high < 0) {
        ekb_record_add_reason(record,
                              "floor: the %s's engine tax is %.0f %%, less than nothing: its "
                              "slices were disturbed",
                              side, floor->tax_percent.estimate);
    }
}

enum ekb_err ekb_floors_add(struct ekb_record *record, const struct ekb_stage *stage)
{
    record->floors_known = true;
    enum ekb_err err = fill_floor(&record->server_floor, stage, &stage->server);
    if (err == EKB_OK) {
        err = fill_floor(&record->client_floor, stage, &stage->client);
    }
    check_tax(record, &record->server_floor, "server");
    check_tax(record, &record->client_floor, "client");
    return err;
}
