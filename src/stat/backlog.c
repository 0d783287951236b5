#include "ekubench/stat/backlog.h"

#include "stat/sort.h"

#include <math.h>

// Looks of a third that count at most: more are taken at wider distances.
#define MAX_LOOKS 256
// Overloads that are nearly always found are larger than this divided by sqrt(due).
#define FOUND 3.0

static double median(const uint64_t *values, size_t num_values)
{
    double sorted[MAX_LOOKS];
    const size_t stride = (num_values + MAX_LOOKS - 1) / MAX_LOOKS;
    const size_t num = num_values / stride;
    for (size_t i = 0; i < num; i++) {
        sorted[i] = (double)values[i * stride];
    }
    return ekb_sort_median(sorted, num);
}

bool ekb_backlog_look(struct ekb_backlog *out_backlog, const uint64_t *in_hand, size_t num_looks)
{
    const size_t third = num_looks / 3;
    if (third == 0) {
        return false;
    }
    *out_backlog = (struct ekb_backlog){.begin = median(in_hand, third),
                                        .end = median(in_hand + num_looks - third, third)};
    return true;
}

bool ekb_backlog_grows(const struct ekb_backlog *backlog, double due)
{
    return backlog->end - backlog->begin > sqrt(due);
}

double ekb_backlog_highest_per_s(double ceiling_per_s, uint64_t duration_ns)
{
    const double due = ceiling_per_s * (double)duration_ns / 1e9;
    return ceiling_per_s * fmax(0.5, 1.0 - FOUND / sqrt(due));
}
