// Order statistics of finite doubles.

#ifndef EKUBENCH_SRC_STAT_SORT_H
#define EKUBENCH_SRC_STAT_SORT_H

#include <stddef.h>

// ekb_sort_doubles sorts in place, ascending. ekb_sort_median returns the median of at least one
// value and leaves them sorted.
void ekb_sort_doubles(double *values, size_t num_values);
double ekb_sort_median(double *values, size_t num_values);

#endif
