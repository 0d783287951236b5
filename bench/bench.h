// What the benchmarks share: a table of rows measured in rounds, so that drift of the machine falls
// on all rows alike.
//
// Each round runs every row once, in a new random order. Printed are the median over rounds, which
// a few disturbed rounds do not move, and the least, which is the nearest to undisturbed.

#ifndef EKUBENCH_BENCH_H
#define EKUBENCH_BENCH_H

#include "ekubench/base/rng.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BENCH_MAX_ROUNDS 200

// bench_rounds returns how many rounds to run: the program's argument if it has one, else
// `fallback`. A smoke test passes 1.
static inline size_t bench_rounds(int argc, char **argv, size_t fallback)
{
    const long asked = argc > 1 ? strtol(argv[1], NULL, 10) : (long)fallback;
    return asked < 1 ? 1 : asked > BENCH_MAX_ROUNDS ? BENCH_MAX_ROUNDS : (size_t)asked;
}

static inline int bench_compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

// bench_median sorts `values` and returns the median.
static inline double bench_median(double *values, size_t num_values)
{
    qsort(values, num_values, sizeof values[0], bench_compare);
    return num_values % 2 != 0 ? values[num_values / 2]
                               : (values[num_values / 2 - 1] + values[num_values / 2]) / 2;
}

#endif
