#include "stat/sort.h"

#include <stdlib.h>

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

void ekb_sort_doubles(double *values, size_t num_values)
{
    qsort(values, num_values, sizeof values[0], compare_doubles);
}

double ekb_sort_median(double *values, size_t num_values)
{
    ekb_sort_doubles(values, num_values);
    return 0.5 * values[(num_values - 1) / 2] + 0.5 * values[num_values / 2];
}
