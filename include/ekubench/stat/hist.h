// Latency histograms: HdrHistogram (Tene) with three significant digits from 1 ns to 60 s, or two.
//
// A histogram lives in memory that the caller gives, so that a worker process can keep its own in
// memory shared with its parent: one writer each, merged by the parent afterwards. Merging adds
// counts and is exact. A bucket is up to 0.1 % wide, coarser than the effects sought: means come
// from stat/moments, never from here.
//
// A coarse one has two digits and an eighth of the size (30 KiB); its buckets are up to 0.8 % wide.
// It is for a series, of which there are many and each has few samples.

#ifndef EKUBENCH_STAT_HIST_H
#define EKUBENCH_STAT_HIST_H

#include "ekubench/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_HIST_MIN_NS INT64_C(1)
#define EKB_HIST_MAX_NS INT64_C(60000000000)
#define EKB_HIST_DIGITS 3
#define EKB_HIST_COARSE_DIGITS 2

struct ekb_hist;

// ekb_hist_size returns the bytes that one histogram needs.
size_t ekb_hist_size(void);

// ekb_hist_init makes an empty histogram in `memory`, which has `ekb_hist_size()` bytes, is aligned
// to 16, and must stay mapped at the same address for as long as the histogram is used (by every
// process that uses it). It never fails and owns nothing: there is no deinit.
struct ekb_hist *ekb_hist_init(void *memory);

// ekb_hist_coarse_size and ekb_hist_init_coarse are the same for a coarse one, but that `memory` is
// all zero, as a new mapping is: what is not touched takes no memory.
size_t ekb_hist_coarse_size(void);
struct ekb_hist *ekb_hist_init_coarse(void *memory);

// ekb_hist_record counts one value. A value outside the range is counted at the nearest end of it
// and in `ekb_hist_num_clamped`: no sample is dropped. It neither allocates nor locks.
void ekb_hist_record(struct ekb_hist *hist, uint64_t value_ns);

// ekb_hist_merge adds the counts of `from` to `to`, another histogram, as coarse. `to` is then the
// same to the byte as if it had recorded every value itself.
void ekb_hist_merge(struct ekb_hist *to, const struct ekb_hist *from);

// ekb_hist_copy makes `to` the same as `from`, another histogram, as coarse.
void ekb_hist_copy(struct ekb_hist *to, const struct ekb_hist *from);

// ekb_hist_subtract takes from `to` what `from`, an earlier state of it, has counted: what is left
// was recorded since. Its extremes are then those of its buckets. No count goes below zero.
void ekb_hist_subtract(struct ekb_hist *to, const struct ekb_hist *from);

// ekb_hist_count returns the number of recorded values; `ekb_hist_num_clamped` of those outside the
// range.
uint64_t ekb_hist_count(const struct ekb_hist *hist);
uint64_t ekb_hist_num_clamped(const struct ekb_hist *hist);

// ekb_hist_max returns the largest recorded value, exactly; 0 if the histogram is empty.
uint64_t ekb_hist_max(const struct ekb_hist *hist);

// ekb_hist_percentile returns the highest value equivalent to the one at `percentile` (0 to 100),
// in nanoseconds; 0 if the histogram is empty. It can exceed the largest recorded value by the
// width of a bucket.
uint64_t ekb_hist_percentile(const struct ekb_hist *hist, double percentile);

// ekb_hist_encode returns HdrHistogram's V2 form, compressed and in base64 ("HISTFAAA..."), as a
// newly-allocated string; free it with `free`. EKB_NOMEM, EKB_INTERNAL.
EKB_NODISCARD enum ekb_err ekb_hist_encode(char **out_text, const struct ekb_hist *hist);

// ekb_hist_decode makes `hist`, which was made by one of the two inits, what `text`, the form of
// ekb_hist_encode, says: the same counts; extremes are those of the buckets, at most the end of the
// range; what was clamped is not known any more. The text may come from anywhere. EKB_PARSE if it
// is no such text or of a histogram with other buckets, EKB_NOMEM; the histogram is empty then.
EKB_NODISCARD enum ekb_err ekb_hist_decode(struct ekb_hist *hist, const char *text);

// A bucket with something in it: how many values from `low_ns` to `high_ns`, both included.
struct ekb_hist_bucket {
    uint64_t low_ns, high_ns;
    uint64_t count;
    size_t next; // Where to look for the one after it.
};

// ekb_hist_next_bucket overwrites `*bucket`, zeroed for the first call, with the next bucket that
// is not empty, by ascending values. False if there is none.
bool ekb_hist_next_bucket(const struct ekb_hist *hist, struct ekb_hist_bucket *bucket);

#endif
