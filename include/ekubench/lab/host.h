// The host: what it is, and what it takes away from us while we measure.

#ifndef EKUBENCH_LAB_HOST_H
#define EKUBENCH_LAB_HOST_H

#include "ekubench/stat/record.h"

#include <stdbool.h>
#include <stdint.h>

// CPU ticks of the whole machine since boot (/proc/stat), for steal: time in which a virtual CPU
// was ready and the hypervisor ran something else.
struct ekb_host_ticks {
    uint64_t total;
    uint64_t steal;
};

// ekb_host_read_ticks reads them; false if it cannot.
bool ekb_host_read_ticks(struct ekb_host_ticks *out_ticks);

// ekb_host_steal_percent returns the share of steal between two readings, in percent; 0 if no tick
// passed.
double ekb_host_steal_percent(const struct ekb_host_ticks *before,
                              const struct ekb_host_ticks *after);

// ekb_host_read_number returns the number in the first line of `path`, as of /proc/sys; 0 if there
// is none.
uint64_t ekb_host_read_number(const char *path);

// ekb_host_describe fills the record's `host` and `build` blocks. What cannot be read stays empty.
void ekb_host_describe(struct ekb_record *record);

#endif
